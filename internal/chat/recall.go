package chat

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

// Recall returns a run that Start began, however long ago: from memory, or after a restart and on other nodes
// from the conversation's log. A run from the log has ended; it is read once and not kept.
//
// Errors: not_found, and conflict while another process is at work on it.
func (s *Service) Recall(ctx context.Context, orgID, runID string) (*Run, error) {
	if r, ok := s.Find(orgID, runID); ok {
		return r, nil
	}
	row, err := s.o.Store.FindRun(ctx, orgID, runID)
	if err != nil {
		return nil, err
	}
	if row.Status == store.RunRunning && time.Now().Before(row.LeaseUntil) {
		return nil, parley.Errorf(parley.CodeConflict, "The agent is still answering in this conversation")
	}
	conv, err := s.o.Store.FindConversation(ctx, orgID, row.ConversationID)
	if err != nil {
		return nil, err
	}
	events, err := s.o.Store.ListEvents(ctx, orgID, conv.ID, 0, 0) // a conversation's log is bounded
	if err != nil {
		return nil, err
	}
	return recalled(conv, row, eventsOf(events, runID)), nil
}

// eventsOf returns what a run put on record.
func eventsOf(events []parley.Event, runID string) []parley.Event {
	within := false
	var out []parley.Event
	for _, e := range events {
		if e.Type == parley.EventRunStarted || e.Type == parley.EventRunCompleted {
			var d parley.RunData
			if json.Unmarshal(e.Data, &d) != nil {
				continue
			}
			within = e.Type == parley.EventRunStarted && d.RunID == runID
			continue
		}
		if within {
			out = append(out, e)
		}
	}
	return out
}

// recalled makes an ended run of its row and its events. Tool calls are not told as events again: they are in
// the result.
func recalled(conv parley.Conversation, row store.Run, events []parley.Event) *Run {
	r := newRun(conv.OrgID, conv.AgentID, conv.ID)
	r.ID, r.Simulated = row.ID, conv.Simulated
	r.cancel = func(error) {}
	rec := parley.Project(events)
	res := Result{ConversationID: conv.ID, RunID: row.ID, Status: string(row.Status), ToolCalls: rec.ToolCalls, Usage: rec.Usage, Simulated: conv.Simulated}
	var texts []string
	for _, e := range events {
		var d parley.MessageAssistantData
		if e.Type == parley.EventMessageAssistant && json.Unmarshal(e.Data, &d) == nil {
			texts = append(texts, d.Text)
			res.MessageID = d.ItemID
		}
	}
	res.Text = strings.Join(texts, betweenRounds)
	r.addText(res.Text)
	var failure *parley.Error
	switch row.Status {
	case store.RunCompleted:
		r.add(EventMessageCompleted, MessageData{MessageID: res.MessageID, Text: res.Text})
	case store.RunStopped:
	default: // failed, or its process died with it
		res.Status = StatusFailed
		failure = parley.Errorf(parley.CodeUnavailable, sayInterrupted)
		r.add(EventError, ErrorData{Type: string(failure.Code), Message: failure.Message})
	}
	ended := row.LeaseUntil
	if row.EndedAt != nil {
		ended = *row.EndedAt
	}
	if failure == nil {
		r.end(ended, res, nil)
		return r
	}
	r.end(ended, res, failure)
	return r
}
