package call

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"parley"
	"parley/internal/store"
)

// BySID returns the call of a carrier's callback; not_found for a CallSid that we never answered.
func (s *Service) BySID(ctx context.Context, callSID string) (parley.Call, error) {
	return s.st.FindCallBySID(ctx, callSID)
}

// finalStatus maps Twilio's final CallStatus values to end reasons.
var finalStatus = map[string]string{
	"completed": parley.EndCallerHangup,
	"canceled":  parley.EndNotAnswered,
	"busy":      parley.EndNotAnswered,
	"no-answer": parley.EndNotAnswered,
	"failed":    parley.EndNotAnswered,
}

// Final reports whether a CallStatus says that the call is over.
func Final(status string) bool { return finalStatus[status] != "" }

// Status books a status callback. A final status ends a call that is still open. A session that runs is told and ends
// the call itself, as by its stream's stop, which usually came first: here at once, in another process by the store.
func (s *Service) Status(ctx context.Context, c parley.Call, status string) error {
	reason, final := finalStatus[status]
	if c.State == parley.CallTransferring {
		reason = transferEnd(c)
	}
	if !final || c.State == parley.CallEnded || s.held.end(c.ID) {
		return nil
	}
	if c.State == parley.CallLive && c.Owner != s.opt.Owner && s.nodes.lives(c.Owner) {
		return s.tellOwner(ctx, c, reason)
	}
	return s.close(ctx, c, cmp.Or(c.EndReason, reason))
}

// tellOwner leaves word of a call's end for the process that holds it.
func (s *Service) tellOwner(ctx context.Context, c parley.Call, reason string) error {
	err := s.st.Write(ctx, func(tx *store.Tx) error {
		if err := tx.MarkCallOver(ctx, c.OrgID, c.ID, reason, time.Now()); err != nil {
			return err
		}
		return tx.Notify(ctx, channelOver, c.ID)
	})
	if err != nil {
		return fmt.Errorf("tell the call's owner: %w", err)
	}
	return nil
}
