package chat

import (
	"context"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
)

// Follow sends what happened in a run after the event `after` (0 = from the beginning) and goes on until run.completed,
// then closes the channel. The run may be of this process, of another one, or over. The channel is closed early,
// without run.completed, when ctx ends or this process stops; a reader that stops reading must cancel ctx.
//
// Errors: not_found, rate_limited, unavailable (this process stops).
func (s *Service) Follow(ctx context.Context, orgID, runID string, after int64) (<-chan Event, error) {
	r, err := s.Recall(ctx, orgID, runID)
	if err != nil {
		return nil, err
	}
	return r.Subscribe(ctx, after), nil
}

// Stop ends a run on the visitor's wish, whichever process holds it; what was written stays. It does not wait for the
// end. A run that is over is no error.
func (s *Service) Stop(ctx context.Context, orgID, runID string) error {
	if r, ok := s.Find(orgID, runID); ok && !r.mirror {
		r.cancel(errStopped)
		return nil
	}
	row, err := s.o.Store.FindRun(ctx, orgID, runID)
	if err != nil || row.Status != store.RunRunning {
		return err
	}
	err = s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.StopRun(ctx, orgID, runID); err != nil {
			return err
		}
		return s.o.Log.Bus().Notify(ctx, tx, event.Position{ConversationID: row.Owner}) // its keeper hears
	})
	if parley.IsNotFound(err) { // it ended meanwhile
		return nil
	}
	return err
}
