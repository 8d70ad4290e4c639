package call

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"parley"
	"parley/internal/twilio"
)

// moveOn asks the carrier to act at once on what was committed about an attached call. Where it cannot be asked, or
// refuses, the socket's close and the verbs after <Connect> do the same.
//
// This process may have stood still since the commit, and the call may live elsewhere by now. So what is on record is
// read again right before.
func (s *Service) moveOn(ctx context.Context, a *Attachment) error {
	client, err := s.rest(ctx, a.Call)
	if err != nil || client == nil {
		return err
	}
	epoch, _, err := s.st.FindPosition(ctx, a.Call.OrgID, a.Call.ID)
	if err != nil {
		return err
	}
	now, err := s.st.FindCall(ctx, a.Call.OrgID, a.Call.ID)
	if err != nil {
		return err
	}
	waits := now.State == parley.CallLive || now.State == parley.CallDetached && !now.Intent.Ends() // see next
	if epoch != a.Epoch || !waits || now.Errand.Stage != parley.ErrandDecided || !now.TokenUntil.IsZero() {
		s.opt.Logger.Warn("the carrier is not asked to act: the call has gone on without this process", slog.String("call_id", a.Call.ID))
		return nil
	}
	if err := s.act(ctx, client, now, epoch); err != nil {
		s.opt.Logger.Warn("the carrier refused to act", slog.String("call_id", now.ID), slog.String("intent", string(now.Intent)), slog.Any("error", err))
		return nil
	}
	a.hungUp = now.Intent == parley.IntentHangup
	return nil
}

// act asks the carrier to do now what is on record about a call at an epoch. A hang-up that comes late ends nothing that
// was not already over on record.
func (s *Service) act(ctx context.Context, client *twilio.Client, c parley.Call, epoch int64) error {
	if c.Intent == parley.IntentHangup {
		return client.Hangup(ctx, c.CallSID)
	}
	address := s.opt.PublicURL + "/twilio/resume?" + EpochParameter + "=" + strconv.FormatInt(epoch, 10) + Retries
	return client.Redirect(ctx, c.CallSID, address)
}

// EpochParameter tells, in the address that we send a call to, at which epoch we asked for it. See Recalled.
const EpochParameter = "epoch"

// Recalled is Resume for a call that we sent to us, at an epoch. A call that has gone on since, because a process stood
// still at the wrong moment, has lost by this request what it was doing: it comes back to the same conversation, which is
// no fault of its streams, and a caller who was talking to the target of a transfer is not hung up on.
func (s *Service) Recalled(ctx context.Context, c parley.Call, epoch int64) (Next, error) {
	now, _, err := s.st.FindPosition(ctx, c.OrgID, c.ID)
	if err != nil {
		return Next{}, fmt.Errorf("resume call: %w", err)
	}
	if c.State == parley.CallTransferring && reached(c.Errand) {
		return s.Dialed(ctx, c, Dialed{Status: unknownStatus, Bridged: "false"})
	}
	return s.resume(ctx, c, epoch < now)
}
