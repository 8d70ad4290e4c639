package chat

import (
	"context"
	"errors"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/store"
)

// Note puts an event on a chat's record that is not of a turn, such as what the visitor thinks of an answer. It goes
// through the turn that is at work here, or takes the conversation over for a moment when none is. also runs in the
// transaction that commits it, perhaps more than once.
//
// Errors: those of also; not_found; conflict while another process answers in the conversation.
func (s *Service) Note(ctx context.Context, orgID, conversationID, typ string, data any, also func(context.Context, *store.Tx) error) error {
	if w := s.writerOf(orgID, conversationID); w != nil {
		if err := w.Intent(ctx, typ, data, also); !errors.Is(err, log.ErrClosed) && !errors.Is(err, store.ErrFenced) {
			return err
		}
	}
	w, err := s.openIdle(ctx, orgID, conversationID)
	if err != nil {
		return err
	}
	defer w.Close()
	err = w.Intent(ctx, typ, data, also)
	if errors.Is(err, store.ErrFenced) { // a message came between
		return errAnswering()
	}
	return err
}

// writerOf returns the writer of the turn that is at work in a conversation here, nil when there is none.
func (s *Service) writerOf(orgID, conversationID string) *log.Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.active {
		if w := t.writer.Load(); w != nil && t.run.OrgID == orgID && t.run.ConversationID == conversationID {
			return w
		}
	}
	return nil
}

// openIdle opens the log of a conversation in which no turn is at work.
func (s *Service) openIdle(ctx context.Context, orgID, conversationID string) (w *log.Writer, err error) {
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		conv, err := tx.FindConversation(ctx, orgID, conversationID)
		if err != nil {
			return err
		}
		run, err := tx.FindNewestRun(ctx, orgID, conv.ID)
		if err != nil && !parley.IsNotFound(err) {
			return err
		}
		if run.Status == store.RunRunning && time.Now().Before(run.LeaseUntil) {
			return errAnswering()
		}
		epoch, last, err := tx.RaiseEpoch(ctx, orgID, conv.ID)
		w = s.o.Log.Open(orgID, conv.ID, epoch, last)
		return err
	})
	return w, err
}

func errAnswering() error {
	return parley.Errorf(parley.CodeConflict, "The agent is still answering in this conversation")
}
