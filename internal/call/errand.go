package call

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

// transferLife bounds how long a transferred call is taken to go on without a word from the carrier, which ends
// every call after four hours.
const transferLife = 4*time.Hour + 10*time.Minute

// Depart commits that the stream will be closed for an errand, before it is: the carrier's next request is answered by
// it. Afterwards this process does not hold the call any more; when the errand could not be committed, the call is
// detached as if the stream had been lost, and resumes without it.
func (s *Service) Depart(ctx context.Context, a *Attachment, intent parley.CallIntent, e parley.Errand) error {
	typ, data := parley.EventKeysSent, any(parley.KeysSentData{Digits: e.Digits})
	if intent == parley.IntentTransfer {
		typ, data = parley.EventTransferRequested, parley.TransferRequestedData{Target: e.Target, Number: e.Number, Mode: e.Mode, Summary: e.Summary}
	}
	err := a.Writer.Intent(ctx, typ, data, func(ctx context.Context, tx *store.Tx) error {
		c, err := tx.FindCall(ctx, a.Call.OrgID, a.Call.ID)
		if err != nil {
			return err
		}
		c.State, c.Owner, c.UpdatedAt, c.Intent, c.Errand = parley.CallDetached, "", time.Now().UTC(), intent, e
		if err := tx.UpdateCall(ctx, c.OrgID, c); err != nil {
			return err
		}
		return countStream(ctx, tx, a, c)
	})
	s.release(a, err)
	if err != nil {
		return fmt.Errorf("record errand: %w", err)
	}
	return s.moveOn(ctx, a)
}

// errand decides what the carrier does next with a call that left its stream for an errand. Not done: the call resumes
// as after a loss.
func (s *Service) errand(ctx context.Context, c parley.Call) (next Next, done bool, err error) {
	switch {
	case !c.Intent.Returns():
		return Next{}, false, nil
	case c.EndReason == parley.EndTransferred:
		return Next{Intent: parley.IntentHangup}, true, nil
	case c.State == parley.CallEnded:
		return Next{}, false, nil
	case c.Errand.Stage == parley.ErrandDecided:
		next, err = s.start(ctx, c)
		return next, err == nil, err
	case c.State == parley.CallTransferring: // the end of the Dial was not told, or could not be
		next, err = s.Dialed(ctx, c, Dialed{Status: unknownStatus})
		return next, err == nil, err
	}
	return Next{}, false, nil // the stream that follows the errand did not come about
}

// start gives the carrier its errand. Only the first request gets it: a repetition must not press the keys, or ring
// somebody, twice.
func (s *Service) start(ctx context.Context, c parley.Call) (next Next, err error) {
	err = s.change(ctx, c, func(tx *store.Tx, now *parley.Call) (err error) {
		next = Next{Intent: now.Intent}
		now.Errand.Stage = parley.ErrandStarted
		if now.Intent == parley.IntentTransfer {
			now.State = parley.CallTransferring
		}
		if now.Intent == parley.IntentTransfer && now.Errand.Mode != parley.TransferCold {
			next.WhisperToken = rand.Text()
			now.Errand.TokenHash = hex.EncodeToString(secret.HashToken(next.WhisperToken))
		}
		next.Errand = now.Errand
		if now.Intent == parley.IntentKeys {
			next.Ticket, err = s.mint(ctx, tx, *now, now.UpdatedAt)
		}
		return err
	})
	if err != nil {
		return Next{}, fmt.Errorf("start errand: %w", err)
	}
	if next.Intent == parley.IntentKeys {
		next.Ticket, err = s.asked(ctx, c, next.Ticket)
	}
	return next, err
}

// change updates a call on an errand, which no session holds, in one transaction. It is a conflict if the call has gone
// on since c was read.
func (s *Service) change(ctx context.Context, c parley.Call, f func(*store.Tx, *parley.Call) error) error {
	return s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil {
			return err
		}
		if now.State == parley.CallEnded || now.Intent != c.Intent || now.StreamSID != c.StreamSID {
			return parley.Errorf(parley.CodeConflict, "The call has gone on meanwhile")
		}
		now.UpdatedAt = time.Now().UTC()
		if err := f(tx, &now); err != nil {
			return err
		}
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
	if c.Errand.Stage == parley.ErrandFailed { // asked again
		return s.Resume(ctx, c)
	}
	var ticket Ticket
	err := s.change(ctx, c, func(tx *store.Tx, now *parley.Call) (err error) {
		now.State, now.Errand.Stage, now.Errand.Failure = parley.CallDetached, parley.ErrandFailed, failureOf(now.Errand, d)
		ticket, err = s.mint(ctx, tx, *now, now.UpdatedAt)
		return err
	})
	if err != nil {
		return Next{}, fmt.Errorf("record failed transfer: %w", err)
	}
	ticket, err = s.asked(ctx, c, ticket)
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
	err := s.change(ctx, c, func(_ *store.Tx, now *parley.Call) error {
		if now.Errand.Stage == parley.ErrandStarted {
			now.Errand.Stage = parley.ErrandAnswered
		}
		return nil
	})
	if parley.IsConflict(err) {
		return nil
	}
	return err
}

// Whisper checks who asks for the summary of a transfer, and books that the target is there or, with accept, takes the
// call. The token is used up by the first leg that shows it; the same leg may come back with the key it was asked for. The
// language is the agent's, in which the summary was written, "" when it is not known.
func (s *Service) Whisper(ctx context.Context, c parley.Call, token, legSID string, accept bool) (e parley.Errand, language string, err error) {
	refused := parley.Errorf(parley.CodeForbidden, "The summary is not for this call")
	if c.Intent != parley.IntentTransfer || c.State != parley.CallTransferring || token == "" || legSID == "" {
		return parley.Errand{}, "", refused
	}
	err = s.change(ctx, c, func(_ *store.Tx, now *parley.Call) error {
		e = now.Errand
		if e.TokenHash == "" || subtle.ConstantTimeCompare([]byte(e.TokenHash), []byte(hex.EncodeToString(secret.HashToken(token)))) != 1 || e.LegSID != "" && e.LegSID != legSID {
			return refused
		}
		e.LegSID = legSID
		switch {
		case accept && e.Mode == parley.TransferScreened:
			e.Stage = parley.ErrandAccepted
		case e.Stage == parley.ErrandStarted:
			e.Stage = parley.ErrandAnswered
		}
		now.Errand = e
		return nil
	})
	if parley.IsConflict(err) {
		err = refused
	}
	if err != nil {
		return parley.Errand{}, "", err
	}
	agent, err := s.st.FindAgent(ctx, c.OrgID, c.AgentID)
	if err != nil && !parley.IsNotFound(err) {
		return parley.Errand{}, "", fmt.Errorf("find the call's agent: %w", err)
	}
	_, language = spoken(agent)
	return e, language, nil
}
