package chat

import (
	"context"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

// Recall returns a run that Start began, however long ago and in whichever process: from memory, from what another
// process stores while it is at work on it, or when it has ended from the store. The last kind is read once and not
// kept.
//
// Errors: not_found; rate_limited when this process follows too many runs of others.
func (s *Service) Recall(ctx context.Context, orgID, runID string) (*Run, error) {
	if r, ok := s.Find(orgID, runID); ok {
		return r, nil
	}
	if !parley.IsID(runID) {
		return nil, parley.Errorf(parley.CodeNotFound, "Run not found")
	}
	row, err := s.o.Store.FindRun(ctx, orgID, runID)
	if err != nil {
		return nil, err
	}
	if row.Status == store.RunRunning && expired(row) {
		if err := s.reap(ctx, row); err != nil {
			return nil, err
		}
		if row, err = s.o.Store.FindRun(ctx, orgID, runID); err != nil {
			return nil, err
		}
	}
	if row.Status == store.RunRunning {
		return s.follow(ctx, row)
	}
	r, err := s.restore(ctx, row)
	if err != nil {
		return nil, err
	}
	return r, s.conclude(ctx, r, row)
}

func expired(row store.Run) bool { return !time.Now().Before(row.LeaseUntil) }

// restore makes the Run of a row, with nothing said yet.
func (s *Service) restore(ctx context.Context, row store.Run) (*Run, error) {
	conv, err := s.o.Store.FindConversation(ctx, row.OrgID, row.ConversationID)
	if err != nil {
		return nil, err
	}
	message, err := s.messageOf(ctx, row)
	if err != nil && !parley.IsNotFound(err) { // rows that are older than the column
		return nil, err
	}
	r := newRun(row.OrgID, conv.AgentID, conv.ID)
	r.ID, r.UserMessageID, r.Simulated = row.ID, message.ItemID, conv.Simulated
	r.base = int64(row.Attempt-1) * attemptIDs
	return r, nil
}

// conclude gives a run of the store what it has not got yet, and its end.
func (s *Service) conclude(ctx context.Context, r *Run, row store.Run) error {
	if err := s.loadChunks(ctx, r); err != nil {
		return err
	}
	events, err := s.o.Store.ListEvents(ctx, row.OrgID, row.ConversationID, row.AfterSeq, 0) // a conversation's log is bounded
	if err != nil {
		return err
	}
	r.finish(row, eventsOf(events, row.ID))
	return nil
}

// chunkPage is how many chunks are read at once.
const chunkPage = 256

// loadChunks gives a run the chunks that it has not got.
func (s *Service) loadChunks(ctx context.Context, r *Run) error {
	for {
		chunks, err := s.o.Store.ListChunks(ctx, r.OrgID, r.ID, r.loaded, chunkPage)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			r.load(c)
			r.loaded = c.Seq
		}
		if len(chunks) < chunkPage {
			return nil
		}
	}
}

// eventsOf returns what a run put on record.
func eventsOf(events []parley.Event, runID string) []parley.Event {
	within := false
	var out []parley.Event
	for _, e := range events {
		if e.Type == parley.EventRunStarted || e.Type == parley.EventRunCompleted {
			within = e.Type == parley.EventRunStarted && decode[parley.RunData](e).RunID == runID
			continue
		}
		if within {
			out = append(out, e)
		}
	}
	return out
}

// spoken is the text of an answer on record.
func spoken(events []parley.Event) (text, messageID string) {
	var texts []string
	for _, e := range events {
		if e.Type == parley.EventMessageAssistant {
			d := decode[parley.MessageAssistantData](e)
			texts, messageID = append(texts, d.Text), d.ItemID
		}
	}
	return strings.Join(texts, betweenRounds), messageID
}

// finish ends a run of the store as its row says. Where its chunks are no longer kept the text is the log's.
func (r *Run) finish(row store.Run, events []parley.Event) {
	rec := parley.Project(events)
	text, messageID := spoken(events)
	if r.loaded == 0 && text != "" {
		r.addText(text)
	}
	res := Result{
		ConversationID: row.ConversationID, RunID: row.ID, MessageID: messageID, Status: string(row.Status), Text: r.answer(),
		ToolCalls: rec.ToolCalls, Usage: rec.Usage, Simulated: r.Simulated,
	}
	if row.Lost {
		r.floor = attemptIDs
	}
	var failure *parley.Error
	switch row.Status {
	case store.RunCompleted:
		r.add(EventMessageCompleted, MessageData{MessageID: messageID, Text: res.Text})
	case store.RunFailed:
		code, say := parley.Code(row.ErrorType), row.ErrorText
		if code == "" {
			code, say = parley.CodeUnavailable, sayInterrupted
		}
		failure = parley.Errorf(code, "%s", say)
	}
	ended := row.LeaseUntil
	if row.EndedAt != nil {
		ended = *row.EndedAt
	}
	r.over(ended, res, failure)
}
