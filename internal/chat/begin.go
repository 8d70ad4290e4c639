package chat

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley"
	"parley/internal/store"
	"parley/internal/tool"
)

// begin checks a request, puts its message on record together with the run, and starts the turn. The model is asked
// while the database commits.
func (s *Service) begin(ctx context.Context, orgID string, req Request) (*turn, error) {
	if err := checkMessage(req.Message); err != nil {
		return nil, err
	}
	t := newTurn(ctx, s, req.Message)
	if err := s.enter(t); err != nil {
		return nil, err
	}
	if err := s.start(ctx, orgID, req, t); err != nil {
		s.release(t)
		return nil, err
	}
	return t, nil
}

func (s *Service) start(ctx context.Context, orgID string, req Request, t *turn) error {
	agent, err := s.findAgent(ctx, orgID, req)
	if err != nil {
		return err
	}
	if err := t.equip(ctx, agent, req.ClientTools); err != nil {
		return err
	}
	t.run = newRun(orgID, agent.ID, req.ConversationID)
	t.run.cancel = t.cancel
	t.run.Simulated = t.endpoint.Simulated
	if req.replaces.ID != "" {
		t.run.UserMessageID = req.messageID
	}
	return s.accept(ctx, t, req)
}

// equip gives a turn what it asks the model with. Of the client tools only those are offered that the page can run.
func (t *turn) equip(ctx context.Context, agent parley.Agent, ofPage []string) (err error) {
	t.agent = agent
	if t.endpoint, err = t.s.o.Endpoint(ctx, agent.OrgID); err != nil {
		return fmt.Errorf("finding the model provider: %w", err)
	}
	t.tools = slices.DeleteFunc(t.s.o.Tools.Tools(ctx, agent.OrgID, agent.ToolIDs), func(t parley.Tool) bool {
		return t.Control || tool.IsClient(t) && !slices.Contains(ofPage, t.FunctionName)
	})
	t.budget = historyBudget(agent.Model)
	return nil
}

func checkMessage(text string) error {
	switch n := utf8.RuneCountInString(text); {
	case parley.IsBlank(text):
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: "must not be empty"}})
	case n > MaxMessage:
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: fmt.Sprintf("must have at most %d characters, has %d", MaxMessage, n)}})
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: "must be valid UTF-8 text without NUL"}})
	}
	return nil
}

func (s *Service) findAgent(ctx context.Context, orgID string, req Request) (parley.Agent, error) {
	if !parley.IsID(req.AgentID) {
		return parley.Agent{}, parley.Errorf(parley.CodeNotFound, "Agent not found")
	}
	a, err := s.o.Store.FindAgent(ctx, orgID, req.AgentID)
	switch {
	case err != nil:
		return a, err
	case a.Type != parley.AgentChat:
		return a, parley.Errorf(parley.CodeInvalid, "This is a %s agent: only chat agents take messages", a.Type)
	case !a.Status.Answers() && !req.Test:
		return a, parley.Errorf(parley.CodeUnavailable, "The agent does not answer: its status is %s. Make it active or deployed.", a.Status)
	}
	return a, nil
}

// accept commits the message with the run, its claim and, if it begins one, the conversation: all or nothing. As soon
// as everything is written and only the commit is awaited, the model is asked; its words wait for the commit, and where
// that fails the request is canceled. A client that leaves meanwhile changes nothing.
func (s *Service) accept(ctx context.Context, t *turn, req Request) error {
	ctx, cancel := uncanceled(ctx, recordTime)
	defer cancel()
	s.publish(t.run) // nothing can be read from it yet, but the same message sent again finds it
	began := time.Now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		t.retract() // the function may run more than once
		if err := s.record(ctx, tx, t, req); err != nil {
			return err
		}
		t.launch()
		return nil
	})
	if err != nil {
		t.retract()
		s.unpublish(t.run)
		return err
	}
	t.run.CommitWait = time.Since(began)
	t.confirm()
	return nil
}

// uncanceled is a context with the values and the deadline of another, at most d away, that its cancellation does not
// reach.
func uncanceled(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if until, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(until))
	}
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// record writes all that accepting a message means. A conversation has one run at a time, and its epoch shuts out
// whoever held it before.
func (s *Service) record(ctx context.Context, tx *store.Tx, t *turn, req Request) error {
	if err := sameMessage(ctx, tx, t.run.OrgID, req); err != nil {
		return err
	}
	if req.Claim != nil {
		if err := req.Claim(ctx, tx, t.run.ID); err != nil {
			return err
		}
	}
	if err := s.findPlace(ctx, tx, t, req); err != nil {
		return err
	}
	t.run.ConversationID = t.conv.ID
	epoch, last, err := tx.RaiseEpoch(ctx, t.run.OrgID, t.conv.ID)
	if err != nil {
		return err
	}
	t.conv.Epoch, t.conv.LastSeq = epoch, last
	events := t.opening(req)
	t.row = store.Run{
		ID: t.run.ID, OrgID: t.run.OrgID, ConversationID: t.conv.ID, Owner: s.o.Owner, Attempt: 1, Status: store.RunRunning,
		LeaseUntil: time.Now().Add(s.o.Lease), AfterSeq: last, MessageSeq: last + int64(len(events)), Replaces: req.replaces.ID,
	}
	if req.replaces.ID != "" {
		t.row.MessageSeq = req.replaces.MessageSeq
	}
	if scope := clientScope(req); scope != "" {
		t.row.ClientScope, t.row.ClientMessageID = scope, req.ClientMessageID
	}
	if err := tx.CreateRun(ctx, t.run.OrgID, t.row); err != nil {
		if again := sameMessage(ctx, tx, t.run.OrgID, req); again != nil { // it was being accepted while we looked
			return again
		}
		return err
	}
	t.events = events
	t.conv.LastSeq, err = s.o.Log.Append(ctx, tx, t.run.OrgID, t.conv.ID, epoch, last, events)
	return err
}

// opening is what the log says of a message: it stands there before anything happens because of it.
func (t *turn) opening(req Request) (events []parley.Event) {
	add := func(typ string, data any) { events = append(events, parley.NewEvent(typ, time.Now(), data)) }
	if t.created {
		add(parley.EventConversationStarted, parley.ConversationStartedData{
			Channel: parley.ChannelChat, Direction: t.conv.Direction, AgentID: t.agent.ID, AgentName: t.agent.Name,
			Model: t.agent.Model, Test: t.conv.Test,
		})
	}
	add(parley.EventRunStarted, parley.RunData{RunID: t.run.ID, Replaces: req.replaces.ID})
	if req.replaces.ID == "" { // else its message is on record
		add(parley.EventMessageUser, parley.MessageUserData{ItemID: t.run.UserMessageID, Text: t.message})
	}
	return events
}

// findPlace makes or finds the conversation.
func (s *Service) findPlace(ctx context.Context, tx *store.Tx, t *turn, req Request) (err error) {
	orgID := t.run.OrgID
	if t.created = req.ConversationID == ""; t.created {
		t.conv = parley.Conversation{
			ID: cmp.Or(req.BeginID, parley.NewID()), OrgID: orgID, AgentID: t.agent.ID, AgentName: t.agent.Name,
			Channel: parley.ChannelChat, Status: parley.ConversationActive, Direction: "inbound",
			StartedAt: t.began.UTC(), Simulated: t.endpoint.Simulated, Test: req.Test,
			VisitorID: req.VisitorID, Origin: req.Origin,
		}
		return tx.CreateConversation(ctx, orgID, t.conv)
	}
	if t.conv, err = findConversation(ctx, tx, orgID, req); err != nil || req.replaces.ID == "" {
		return err
	}
	newest, err := tx.FindNewestRun(ctx, orgID, t.conv.ID)
	if err == nil && newest.ID != req.replaces.ID {
		err = parley.Errorf(parley.CodeConflict, "Only the newest answer can be given again")
	}
	return err
}

// findConversation finds a chat of the agent and the visitor; any other conversation does not exist for this request.
func findConversation(ctx context.Context, tx *store.Tx, orgID string, req Request) (parley.Conversation, error) {
	unknown := parley.Errorf(parley.CodeNotFound, "Conversation not found")
	if !parley.IsID(req.ConversationID) {
		return parley.Conversation{}, unknown
	}
	c, err := tx.FindConversation(ctx, orgID, req.ConversationID)
	if err == nil && (c.AgentID != req.AgentID || c.Channel != parley.ChannelChat || req.VisitorID != "" && c.VisitorID != req.VisitorID) {
		return parley.Conversation{}, unknown
	}
	return c, err
}
