package chat

import (
	"context"
	"time"

	"parley"
	"parley/internal/store"
)

// deferredBatch is how many ratings one look puts on record.
const deferredBatch = 100

// Rate keeps what the visitor thinks of an answer. While another process answers in the conversation only the store
// knows it; the log does as soon as that is over.
//
// Errors: not_found.
func (s *Service) Rate(ctx context.Context, orgID, conversationID string, f parley.Feedback) error {
	err := s.note(ctx, orgID, conversationID, f, func(ctx context.Context, tx *store.Tx) error {
		return tx.SaveFeedback(ctx, orgID, conversationID, f)
	})
	if parley.IsConflict(err) {
		err = s.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.DeferFeedback(ctx, orgID, conversationID, f) })
	}
	return err
}

func (s *Service) note(ctx context.Context, orgID, conversationID string, f parley.Feedback, also func(context.Context, *store.Tx) error) error {
	d := parley.MessageRatedData{ItemID: f.MessageID, Rating: f.Rating, Comment: f.Comment}
	return s.Note(ctx, orgID, conversationID, parley.EventMessageRated, d, also)
}

// logRatings puts ratings on record that had to wait. What is still being answered, or what another process logs just
// now, is left alone.
func (s *Service) logRatings(ctx context.Context) error {
	waiting, err := s.o.Store.ListDeferredFeedback(ctx, time.Now(), deferredBatch)
	for _, f := range waiting {
		if ctx.Err() != nil || err != nil {
			break
		}
		err = s.note(ctx, f.OrgID, f.ConversationID, f.Feedback, func(ctx context.Context, tx *store.Tx) error {
			return tx.LogFeedback(ctx, f.OrgID, f.ConversationID, f.MessageID, f.At)
		})
		if parley.IsConflict(err) || parley.IsNotFound(err) {
			err = nil
		}
	}
	return err
}
