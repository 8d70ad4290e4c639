package chat

import (
	"context"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
)

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
