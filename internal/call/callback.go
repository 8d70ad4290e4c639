package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley"
	"parley/internal/store"
)

// BySID returns the call of a carrier's callback; not_found for a CallSid that we never answered.
func (s *Service) BySID(ctx context.Context, callSID string) (parley.Call, error) {
	return s.st.FindCallBySID(ctx, callSID)
}

// Next is what a call does after its media stream closed.
type Next struct {
	Intent         parley.CallIntent // IntentNone: attach a new stream with Ticket
	Ticket         Ticket
	FallbackNumber string // dialed after a notice, "" = hang up
}

// Resume decides what the carrier does next with a call whose stream was closed: what was committed before the
// close, or a new stream to the same conversation. A signed request with CallStatus in-progress proves that
// the call lives.
func (s *Service) Resume(ctx context.Context, c parley.Call) (Next, error) {
	fallback := s.fallbackNumber(ctx, c)
	if c.Intent != parley.IntentNone {
		return Next{Intent: c.Intent, FallbackNumber: fallback}, nil
	}
	gaveUp := c.State == parley.CallEnded && c.EndReason != parley.EndCallerHangup // nobody came for a minute
	if gaveUp || c.Resumes >= maxResumes {
		return Next{Intent: parley.IntentNotice, FallbackNumber: fallback}, nil
	}
	if c.State == parley.CallEnded {
		if err := s.reopen(ctx, c); err != nil {
			return Next{}, fmt.Errorf("reopen call: %w", err)
		}
	}
	ticket, err := s.ticket(ctx, c, countUnattached)
	if err != nil {
		return Next{}, fmt.Errorf("resume call: %w", err)
	}
	return Next{Ticket: ticket}, nil
}

// reopen takes back an end that we did not decide: the call is as if its stream had just been lost.
func (s *Service) reopen(ctx context.Context, c parley.Call) error {
	var epoch, last int64
	err := s.st.Write(ctx, func(tx *store.Tx) (err error) {
		epoch, last, err = tx.RaiseEpoch(ctx, c.OrgID, c.ID)
		return err
	})
	if err != nil {
		return err
	}
	w := s.log.Open(c.OrgID, c.ID, epoch, last)
	defer w.Close()
	return w.Intent(ctx, parley.EventStreamDetached, parley.StreamDetachedData{Reason: "the carrier says that the call goes on"},
		func(ctx context.Context, tx *store.Tx) error {
			c.State, c.EndReason, c.UpdatedAt = parley.CallDetached, "", time.Now().UTC()
			if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
				return err
			}
			conv, err := tx.FindConversation(ctx, c.OrgID, c.ID)
			if err != nil {
				return err
			}
			conv.Status, conv.EndedAt, conv.EndReason = parley.ConversationActive, nil, ""
			return tx.UpdateConversation(ctx, c.OrgID, conv)
		})
}

// countUnattached counts the resume of a call that never had a stream; otherwise the attach counts it. Without
// this, a stream that cannot be opened would send the carrier round in circles.
func countUnattached(ctx context.Context, tx *store.Tx, c parley.Call) error {
	now, err := tx.FindCall(ctx, c.OrgID, c.ID)
	if err != nil || now.StreamSID != "" {
		return err
	}
	now.Resumes++
	return tx.UpdateCall(ctx, now.OrgID, now)
}

func (s *Service) fallbackNumber(ctx context.Context, c parley.Call) string {
	agent, err := s.st.FindAgent(ctx, c.OrgID, c.AgentID)
	if err != nil || agent.Voice == nil || agent.Voice.FallbackNumber == nil {
		return ""
	}
	return *agent.Voice.FallbackNumber
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

// Status books a status callback. A final status ends a call that is still open. A session in this process is
// told and ends the call itself, as by its stream's stop, which usually came first; a session in another
// process sees its own stream's end.
func (s *Service) Status(ctx context.Context, c parley.Call, status string) error {
	reason, final := finalStatus[status]
	if !final || c.State == parley.CallEnded || s.held.end(c.ID) {
		return nil
	}
	if c.State == parley.CallLive && c.Owner != s.opt.Owner {
		return nil
	}
	return s.close(ctx, c, cmp.Or(c.EndReason, reason))
}

// close ends a call that has no session: it takes the lease first, so that a session that is still out there
// cannot write any more. A call that has changed hands since c was read is left alone: whoever took it ends it.
func (s *Service) close(ctx context.Context, c parley.Call, reason string) error {
	var epoch, last int64
	err := s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil {
			return err
		}
		if now.State == parley.CallEnded || now.StreamSID != c.StreamSID {
			epoch = 0
			return nil
		}
		c = now
		epoch, last, err = tx.RaiseEpoch(ctx, c.OrgID, c.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("take over call: %w", err)
	}
	if epoch == 0 {
		return nil
	}
	w := s.log.Open(c.OrgID, c.ID, epoch, last)
	defer w.Close()
	if err := s.finish(ctx, w, c, reason); err != nil && !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil
}

// Run reconciles until ctx is done: calls whose stream never came or never came back are ended.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		s.reconcile(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) reconcile(ctx context.Context, now time.Time) {
	s.rebook(ctx)
	s.expire(ctx, parley.CallRinging, now.Add(-ringingLife), parley.EndNotAnswered)
	s.expire(ctx, parley.CallDetached, now.Add(-detachedLife), parley.EndCarrierLost)
}

func (s *Service) expire(ctx context.Context, state parley.CallState, before time.Time, reason string) {
	calls, err := s.st.ListStaleCalls(ctx, state, before, 100)
	if err != nil {
		if ctx.Err() == nil {
			s.opt.Logger.Error("list stale calls", slog.Any("error", err))
		}
		return
	}
	for _, c := range calls {
		if err := s.close(ctx, c, cmp.Or(c.EndReason, reason)); err != nil {
			s.opt.Logger.Error("end stale call", slog.String("call_id", c.ID), slog.Any("error", err))
		}
	}
}

// Recover marks the calls that an earlier process of this single-node server left live as detached: their
// sockets died with it. It must run before the server listens, and only when no other node shares the database.
func (s *Service) Recover(ctx context.Context) error {
	for {
		calls, err := s.st.ListStaleCalls(ctx, parley.CallLive, time.Now(), 100)
		if err != nil {
			return fmt.Errorf("list live calls: %w", err)
		}
		if len(calls) == 0 {
			return nil
		}
		err = s.st.Write(ctx, func(tx *store.Tx) error {
			for _, c := range calls {
				c.State, c.UpdatedAt = parley.CallDetached, time.Now().UTC() // their minute begins now
				if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("detach calls: %w", err)
		}
	}
}
