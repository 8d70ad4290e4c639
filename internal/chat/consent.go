package chat

import (
	"context"
	"log/slog"
	"time"

	"parley"
	"parley/internal/tool"
)

// maxToolEvents is how many events about tools are read beyond the tail: more than a conversation may have calls.
const maxToolEvents = 1000

// meetGuard makes the guard of the turn's tool calls from what the conversation's record says of earlier ones, however
// long ago they were.
func (t *turn) meetGuard(ctx context.Context) error {
	t.guard = tool.NewGuard(tool.Limits{Calls: t.s.o.ToolCalls, Time: t.s.o.ToolTime}, tool.Consent{Words: true}, t.tools,
		func(d parley.ToolConfirmationData) { t.fact(parley.EventToolConfirmation, d) })
	t.listened = false
	if len(t.tools) == 0 || t.row.AfterSeq == 0 {
		return nil
	}
	if !t.tail.whole && len(t.tail.events) > 0 {
		older, err := t.s.o.Store.ListToolEvents(ctx, t.run.OrgID, t.conv.ID, t.tail.events[0].Seq, maxToolEvents)
		if err != nil {
			return err
		}
		t.guard.Restore(older)
	}
	t.guard.Restore(t.tail.events)
	return nil
}

// listen lets the guard hear the visitor's message, once it is on record.
func (t *turn) listen() {
	if t.listened {
		return
	}
	t.listened = true
	t.guard.Spoke()
	if t.row.Replaces != "" {
		t.guard.Withdraw() // the message is an old one, and whatever was asked in the answer before is taken back
		return
	}
	t.guard.Answered(t.run.UserMessageID, t.message, false, time.Now())
}

// visitorSub is the site's own id of the visitor, when it has signed it.
func (t *turn) visitorSub(ctx context.Context) string {
	if t.conv.VisitorID == "" {
		return ""
	}
	if t.visitor != nil {
		return t.visitor.Subject
	}
	v, err := t.s.o.Store.FindVisitor(ctx, t.run.OrgID, t.conv.VisitorID)
	if err != nil && !parley.IsNotFound(err) {
		t.logger().Error("the visitor of a tool call is not found", slog.Any("error", err))
	}
	if v.AgentID != t.agent.ID {
		v = parley.Visitor{}
	}
	t.visitor = &v
	return v.Subject
}
