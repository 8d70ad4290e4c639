package call

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"parley"
	"parley/internal/store"
)

// transferLife bounds how long a transferred call is taken to go on without a word from the carrier, which ends
// every call after four hours.
const transferLife = 4*time.Hour + 10*time.Minute

// Leave commits that the stream will be closed for an errand, before it is: the carrier's next request is answered by
// it. Afterwards this process does not hold the call any more; when the errand could not be committed, the call is
// detached as if the stream had been lost, and resumes without it.
func (s *Service) Leave(ctx context.Context, a *Attachment, intent parley.CallIntent, e parley.Errand) error {
	a.Call.State, a.Call.UpdatedAt = parley.CallDetached, time.Now().UTC()
	c := a.Call
	c.Intent, c.Errand = intent, e
	typ, data := parley.EventKeysSent, any(parley.KeysSentData{Digits: e.Digits})
	if intent == parley.IntentTransfer {
		typ, data = parley.EventTransferRequested, parley.TransferRequestedData{Target: e.Target, Number: e.Number, Mode: e.Mode, Summary: e.Summary}
	}
	err := a.Writer.Intent(ctx, typ, data, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, c.OrgID, c) })
	s.release(a, err)
	if err != nil {
		return fmt.Errorf("record errand: %w", err)
	}
	return nil
}

// errand decides what the carrier does next with a call that left its stream for an errand. Not done: the call resumes
// as after a loss.
func (s *Service) errand(ctx context.Context, c *parley.Call) (next Next, done bool, err error) {
	e := &c.Errand
	switch {
	case !c.Intent.Returns():
		return Next{}, false, nil
	case c.EndReason == parley.EndTransferred:
		return Next{Intent: parley.IntentHangup}, true, nil
	case c.State == parley.CallEnded:
	case e.Stage == parley.ErrandDecided:
		next, err = s.start(ctx, *c)
		return next, true, err
	case c.State == parley.CallTransferring: // the end of the Dial was not told, or could not be
		next, err = s.Dialed(ctx, *c, Dialed{Status: unknownStatus})
		return next, true, err
	default: // the stream that follows did not come about
		if err := s.change(ctx, c, func(now *parley.Call) { now.Resumes++ }); err != nil {
			return Next{}, true, err
		}
	}
	c.Intent = parley.IntentNone
	return Next{}, false, nil
}

// start gives the carrier its errand. Only the first request gets it: a repetition must not press the keys, or ring
// somebody, twice.
func (s *Service) start(ctx context.Context, c parley.Call) (Next, error) {
	token, hash := "", []byte(nil)
	if c.Intent == parley.IntentTransfer && c.Errand.Mode != parley.TransferCold {
		token, hash = newToken()
	}
	err := s.change(ctx, &c, func(now *parley.Call) {
		now.Errand.Stage, now.Errand.TokenHash = parley.ErrandStarted, hash
		if now.Intent == parley.IntentTransfer {
			now.State = parley.CallTransferring
		}
	})
	if err != nil {
		return Next{}, fmt.Errorf("start errand: %w", err)
	}
	next := Next{Intent: c.Intent, Errand: c.Errand, WhisperToken: token}
	if c.Intent == parley.IntentKeys {
		next.Ticket, err = s.ticket(ctx, c)
	}
	return next, err
}

// change updates a call that no session holds, in one transaction, and leaves the result in c.
func (s *Service) change(ctx context.Context, c *parley.Call, f func(*parley.Call)) error {
	return s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil {
			return err
		}
		if now.State == parley.CallEnded || now.Intent != c.Intent || now.StreamSID != c.StreamSID {
			return parley.Errorf(parley.CodeConflict, "The call has gone on meanwhile")
		}
		f(&now)
		now.UpdatedAt = time.Now().UTC()
		*c = now
		return tx.UpdateCall(ctx, c.OrgID, now)
	})
}

// Dialed is how the carrier says a transfer ended.
type Dialed struct {
	Status  string // Twilio's DialCallStatus: completed, answered, busy, no-answer, failed, canceled
	Bridged string // Twilio's DialBridged: true, false, "" when it is not told
	Over    bool   // the caller is gone as well
}

// unknownStatus stands for a DialCallStatus that was not told.
const unknownStatus = "unknown"

// Dialed decides what follows the end of a transfer: the end of the call when the target had taken it, else a new stream
// to the same conversation.
func (s *Service) Dialed(ctx context.Context, c parley.Call, d Dialed) (Next, error) {
	hangup := Next{Intent: parley.IntentHangup}
	if c.Intent != parley.IntentTransfer || c.State == parley.CallEnded {
		return hangup, nil
	}
	switch {
	case connected(c.Errand, d):
		return hangup, s.close(ctx, c, parley.EndTransferred)
	case d.Over:
		return hangup, s.close(ctx, c, parley.EndCallerHangup)
	}
	failure := failureOf(c.Errand, d)
	err := s.change(ctx, &c, func(now *parley.Call) {
		if now.Errand.Stage == parley.ErrandFailed { // asked again
			now.Resumes++
		}
		now.State, now.Errand.Stage, now.Errand.Failure = parley.CallDetached, parley.ErrandFailed, failure
	})
	if err != nil {
		return Next{}, fmt.Errorf("record failed transfer: %w", err)
	}
	if c.Resumes >= maxResumes {
		return Next{Intent: parley.IntentNotice, FallbackNumber: s.fallbackNumber(ctx, c)}, nil
	}
	ticket, err := s.ticket(ctx, c)
	return Next{Ticket: ticket}, err
}

// connected reports whether the caller and the target have been talking. Twilio calls a dialed call completed as well
// when the target hung up on the summary; DialBridged tells them apart.
func connected(e parley.Errand, d Dialed) bool {
	switch {
	case e.Stage == parley.ErrandFailed || d.Bridged == "false":
		return false
	case e.Mode == parley.TransferScreened && e.Stage != parley.ErrandAccepted:
		return false
	case d.Status == unknownStatus:
		return reached(e)
	}
	return d.Bridged == "true" || d.Status == "completed" || d.Status == "answered"
}

// reached reports whether the target is known to have taken the call, as far as the carrier has told.
func reached(e parley.Errand) bool {
	return e.Stage == parley.ErrandAccepted || e.Stage == parley.ErrandAnswered && e.Mode != parley.TransferScreened
}

func failureOf(e parley.Errand, d Dialed) string {
	switch {
	case e.Stage == parley.ErrandFailed:
		return e.Failure
	case e.Stage == parley.ErrandAnswered && e.Mode != parley.TransferCold:
		return "declined"
	case slices.Contains([]string{"busy", "no-answer", "failed", "canceled"}, d.Status):
		return d.Status
	}
	return unknownStatus
}

// transferEnd is why a transferred call ended when the carrier says only that it did.
func transferEnd(c parley.Call) string {
	if reached(c.Errand) {
		return parley.EndTransferred
	}
	return parley.EndCallerHangup
}

// Answered books that the target of a transfer picked up.
func (s *Service) Answered(ctx context.Context, c parley.Call) error {
	if c.Intent != parley.IntentTransfer || c.Errand.Stage != parley.ErrandStarted {
		return nil
	}
	err := s.change(ctx, &c, func(now *parley.Call) {
		if now.Errand.Stage == parley.ErrandStarted {
			now.Errand.Stage = parley.ErrandAnswered
		}
	})
	if parley.IsConflict(err) {
		return nil
	}
	return err
}

// Whisper checks who asks for the summary of a transfer, and books that the target is there or, with accept, takes the
// call. The token is used up by the first leg that shows it; the same leg may come back with the key it was asked for.
func (s *Service) Whisper(ctx context.Context, c parley.Call, token, legSID string, accept bool) (parley.Errand, error) {
	refused := parley.Errorf(parley.CodeForbidden, "The summary is not for this call")
	if c.Intent != parley.IntentTransfer || c.State != parley.CallTransferring || token == "" || legSID == "" {
		return parley.Errand{}, refused
	}
	wrong := false
	err := s.change(ctx, &c, func(now *parley.Call) {
		e := &now.Errand
		if subtle.ConstantTimeCompare(e.TokenHash, HashToken(token)) != 1 || e.LegSID != "" && e.LegSID != legSID {
			wrong = true
			return
		}
		e.LegSID = legSID
		switch {
		case accept && e.Mode == parley.TransferScreened:
			e.Stage = parley.ErrandAccepted
		case e.Stage == parley.ErrandStarted:
			e.Stage = parley.ErrandAnswered
		}
	})
	if wrong || parley.IsConflict(err) {
		return parley.Errand{}, refused
	}
	return c.Errand, err
}

// expireTransfers ends the calls whose transfer ended without a word.
func (s *Service) expireTransfers(ctx context.Context, now time.Time) {
	calls, err := s.st.ListStaleCalls(ctx, parley.CallTransferring, now.Add(-transferLife), 100)
	if err != nil && ctx.Err() == nil {
		s.opt.Logger.Error("list stale transfers", slog.Any("error", err))
	}
	for _, c := range calls {
		if err := s.close(ctx, c, transferEnd(c)); err != nil {
			s.opt.Logger.Error("end stale transfer", slog.String("call_id", c.ID), slog.Any("error", err))
		}
	}
}
