package chat

import (
	"context"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

// maxAttempts bounds how often a run is begun: a message that kills its process must not kill them all.
const maxAttempts = 2

// reap looks after a run whose lease ended: its process died. The answer is begun again here when nothing of it was said
// and no tool was started; else what was said is kept, and the run has failed. A run that is held after all, or was
// looked after by somebody else, is left alone.
func (s *Service) reap(ctx context.Context, row store.Run) error {
	if s.others.Err() != nil {
		return errUnknownHere
	}
	ctx, cancel := uncanceled(ctx, recordTime)
	defer cancel()
	t := s.successor(ctx, row)
	adopted, last := false, int64(0)
	err := s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		adopted, last, err = s.takeOver(ctx, tx, row, t)
		return err
	})
	if err == nil && adopted {
		s.publish(t.run)
		t.launch()
		t.confirm()
		return nil
	}
	if t != nil {
		s.release(t)
	}
	if err == nil {
		s.o.Log.Bus().Publish(row.ConversationID, last)
	}
	return err
}

// reapStanding looks after the run that a message found in its way, and reports whether it was lost.
func (s *Service) reapStanding(ctx context.Context, orgID, conversationID string) bool {
	row, err := s.o.Store.FindNewestRun(ctx, orgID, conversationID)
	return err == nil && row.Status == store.RunRunning && expired(row) && s.reap(ctx, row) == nil
}

// successor prepares another attempt at a run, with a place for it; nil when there can be none.
func (s *Service) successor(ctx context.Context, row store.Run) *turn {
	if row.Attempt >= maxAttempts || row.StopAt != nil || time.Since(row.StartedAt) > s.o.Deadline {
		return nil
	}
	message, err := s.messageOf(ctx, row)
	if err != nil {
		return nil
	}
	conv, err := s.o.Store.FindConversation(ctx, row.OrgID, row.ConversationID)
	if err != nil {
		return nil
	}
	agent, err := s.findAgent(ctx, row.OrgID, Request{AgentID: conv.AgentID, Test: conv.Test})
	if err != nil {
		return nil
	}
	t := newTurn(ctx, s, message.Text)
	if s.enter(t) != nil {
		return nil
	}
	if t.equip(ctx, agent, nil) != nil { // which page is still there is not known
		s.release(t)
		return nil
	}
	r := newRun(row.OrgID, agent.ID, row.ConversationID)
	r.ID, r.UserMessageID, r.Simulated = row.ID, message.ItemID, t.endpoint.Simulated
	r.base = int64(row.Attempt) * attemptIDs
	r.cancel = t.cancel
	t.run, t.began = r, row.StartedAt
	return t
}

// takeOver decides about an expired run in one transaction: t goes on with it, or it ends. last is the log's end.
func (s *Service) takeOver(ctx context.Context, tx *store.Tx, row store.Run, t *turn) (adopted bool, last int64, err error) {
	conv, err := tx.FindConversation(ctx, row.OrgID, row.ConversationID) // first: take locks in this order
	if err != nil {
		return false, 0, err
	}
	now, err := tx.FindRun(ctx, row.OrgID, row.ID)
	if err != nil || now.Status != store.RunRunning || !expired(now) {
		return false, 0, err
	}
	events, err := tx.ListEvents(ctx, row.OrgID, conv.ID, now.AfterSeq, 0)
	if err != nil {
		return false, 0, err
	}
	chunks, err := tx.ListChunks(ctx, row.OrgID, row.ID, 0, 0)
	if err != nil {
		return false, 0, err
	}
	if conv.Epoch, conv.LastSeq, err = tx.RaiseEpoch(ctx, row.OrgID, conv.ID); err != nil {
		return false, 0, err
	}
	if t == nil || now.Attempt != row.Attempt || now.StopAt != nil || len(chunks) > 0 || acted(events) {
		last, err = s.bury(ctx, tx, conv, now, events, chunks)
		return false, last, err
	}
	now.Owner, now.Attempt, now.LeaseUntil = s.o.Owner, now.Attempt+1, time.Now().Add(s.o.Lease)
	t.conv, t.row, t.events = conv, now, events
	return true, conv.LastSeq, tx.AdoptRun(ctx, row.OrgID, row.ID, s.o.Owner, now.LeaseUntil)
}

// acted reports whether a run has said or done anything on record.
func acted(events []parley.Event) bool {
	for _, e := range events {
		switch e.Type {
		case parley.EventMessageAssistant, parley.EventToolStarted:
			return true
		}
	}
	return false
}

// bury ends a run whose process died: with what it had said, as failed, or as stopped if that was wished.
func (s *Service) bury(ctx context.Context, tx *store.Tx, conv parley.Conversation, row store.Run, events []parley.Event, chunks []store.Chunk) (int64, error) {
	var said strings.Builder
	for _, c := range chunks {
		said.WriteString(c.Text)
	}
	recorded, messageID := spoken(events)
	end := store.RunEnd{MessageID: messageID, Lost: true}
	var last []parley.Event
	add := func(typ string, data any) { last = append(last, parley.NewEvent(typ, time.Now(), data)) }
	if rest, ok := strings.CutPrefix(said.String(), recorded); ok && rest != "" {
		end.MessageID = parley.NewID()
		add(parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: end.MessageID, Text: strings.TrimPrefix(rest, betweenRounds)})
	}
	status := store.RunStopped
	if row.StopAt == nil {
		status, end.ErrorType, end.ErrorText = store.RunFailed, string(parley.CodeUnavailable), sayInterrupted
		add(parley.EventError, parley.ErrorData{Where: "session", Type: "lost", Message: "the process that wrote the answer died"})
	}
	add(parley.EventRunCompleted, parley.RunData{RunID: row.ID, Status: string(status)})
	seq, err := s.o.Log.Append(ctx, tx, row.OrgID, conv.ID, conv.Epoch, conv.LastSeq, last)
	if err != nil {
		return 0, err
	}
	if err := tx.FinishRun(ctx, row.OrgID, row.ID, status, time.Now(), end); err != nil {
		return 0, err
	}
	conv.Summary = summarize(conv.Summary, tail{}, append(events, last...))
	return seq, tx.UpdateConversation(ctx, row.OrgID, conv)
}
