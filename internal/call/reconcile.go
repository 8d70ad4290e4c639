package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/store"
	"parley/internal/twilio"
)

const (
	reconcilePeriod = 5 * time.Second
	maxRescues      = 2 // a call that does not come back although the carrier was asked so often is given up
	parallelCalls   = 8 // REST requests at once
)

// Run reconciles until ctx is done: calls whose stream never came or never came back are asked about and ended, and
// those of processes that died are taken over.
func (s *Service) Run(ctx context.Context) {
	var beside sync.WaitGroup
	defer beside.Wait()
	dead := make(chan []store.Process, 1)
	if s.st.Shared() {
		beside.Go(func() { s.listen(ctx) })
		beside.Go(func() { s.keep(ctx, dead) })
	}
	tick := time.NewTicker(reconcilePeriod)
	defer tick.Stop()
	s.reconcile(ctx, time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case all := <-dead:
			for _, p := range all {
				s.inherit(ctx, p)
			}
		case <-tick.C:
			s.reconcile(ctx, time.Now())
		}
	}
}

// listen rouses the keeper when another process leaves word about a call. What it misses is found at the next beat.
func (s *Service) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.st.Listen(ctx, channelOver, func(string) { s.rouse() })
		if ctx.Err() != nil {
			return
		}
		s.opt.Logger.Debug("the database's notifications were lost", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(beatPeriod):
		}
	}
}

func (s *Service) reconcile(ctx context.Context, now time.Time) {
	s.rebook(ctx)
	s.expire(ctx, parley.CallRinging, now.Add(-ringingLife))
	s.expire(ctx, parley.CallDetached, now.Add(-detachedLife))
	s.expire(ctx, parley.CallTransferring, now.Add(-transferLife))
}

// expire looks after the calls that nobody attached to for their minute.
func (s *Service) expire(ctx context.Context, state parley.CallState, before time.Time) {
	calls, err := s.st.ListStaleCalls(ctx, state, before, 100)
	if err != nil {
		if ctx.Err() == nil {
			s.opt.Logger.Error("list stale calls", slog.Any("error", err))
		}
		return
	}
	s.each(ctx, calls, s.settle)
}

// each does something with each call, a few at a time, and returns how many failed.
func (s *Service) each(ctx context.Context, calls []parley.Call, do func(context.Context, parley.Call) error) int {
	var failed atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelCalls)
	for _, c := range calls {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(ctx, c); err != nil && ctx.Err() == nil {
				failed.Add(1)
				s.opt.Logger.Error("call not looked after", slog.String("call_id", c.ID), slog.Any("error", err))
			}
		})
	}
	wg.Wait()
	return int(failed.Load())
}

// settle decides about a call whose minute is over. What was decided before stands; else the carrier is asked whether
// the call still lives, if it can be asked.
func (s *Service) settle(ctx context.Context, c parley.Call) error {
	client, err := s.rest(ctx, c)
	if err != nil {
		return err
	}
	if client == nil || c.Intent.Ends() || c.State == parley.CallTransferring {
		return s.close(ctx, c, cmp.Or(c.EndReason, lost(c)))
	}
	if c.Rescues >= maxRescues {
		return s.giveUp(ctx, client, c)
	}
	mine := false
	err = s.st.Write(ctx, func(tx *store.Tx) (err error) {
		mine, err = tx.TouchCall(ctx, c.OrgID, c, time.Now().UTC())
		return err
	})
	if err != nil || !mine {
		return err
	}
	return s.rescue(ctx, c)
}

// giveUp ends a call that does not come back, and hangs up: nobody is left in silence. One that came back in the last
// moment is left alone.
func (s *Service) giveUp(ctx context.Context, client *twilio.Client, c parley.Call) error {
	if err := s.close(ctx, c, lost(c)); err != nil {
		return err
	}
	if now, err := s.st.FindCall(ctx, c.OrgID, c.ID); err != nil || now.State != parley.CallEnded {
		return err
	}
	return client.Hangup(ctx, c.CallSID)
}

// lost is why a call that nobody attached to ended.
func lost(c parley.Call) string {
	if c.State == parley.CallRinging {
		return parley.EndNotAnswered
	}
	if c.State == parley.CallTransferring {
		return transferEnd(c)
	}
	return parley.EndCarrierLost
}

// rescue asks the carrier about a call without a stream. One that is over is ended; one that goes on is sent to
// /twilio/resume, or hung up on if that was decided, unless it has come back by itself meanwhile. An unanswered question is asked again a minute later.
func (s *Service) rescue(ctx context.Context, c parley.Call) error {
	client, err := s.rest(ctx, c)
	if err != nil || client == nil {
		return err
	}
	status, err := client.CallStatus(ctx, c.CallSID)
	if twilio.IsUnknownCall(err) {
		return s.close(ctx, c, lost(c))
	}
	if err != nil {
		return fmt.Errorf("ask the carrier about the call: %w", err)
	}
	if reason, final := finalStatus[status]; final {
		return s.close(ctx, c, cmp.Or(c.EndReason, reason))
	}
	if status != "in-progress" {
		return nil
	}
	now, err := s.st.FindCall(ctx, c.OrgID, c.ID)
	if err != nil || now.State != c.State || now.StreamSID != c.StreamSID || now.Intent != c.Intent || now.TokenUntil.After(c.TokenUntil) {
		return err
	}
	epoch, _, err := s.st.FindPosition(ctx, c.OrgID, c.ID)
	if err != nil {
		return err
	}
	s.opt.Logger.Warn("bringing a call back", slog.String("call_id", c.ID))
	return s.act(ctx, client, now, epoch)
}

// Retries is the fragment of a webhook's URL that tells the carrier how to retry, so that a call outlives a restart of
// the server (twilio.com/docs/usage/webhooks/webhooks-connection-overrides): five times, whatever went wrong, for 15 s.
const Retries = "#rc=5&rp=all&tt=15000"

// ResumeURL is where the carrier asks what follows a stream.
func (s *Service) ResumeURL() string { return s.opt.PublicURL + "/twilio/resume" + Retries }

// fenced is a call that was taken over: nobody else can write its log.
type fenced struct {
	call   parley.Call
	writer *log.Writer
}

// fence raises the epoch of a call if it is as wanted; nil if it is not.
func (s *Service) fence(ctx context.Context, c parley.Call, wanted func(now parley.Call) bool) (*fenced, error) {
	var epoch, last int64
	var f *fenced
	err := s.st.Write(ctx, func(tx *store.Tx) error {
		f = nil
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err != nil || !wanted(now) {
			return err
		}
		f = &fenced{call: now}
		epoch, last, err = tx.RaiseEpoch(ctx, c.OrgID, c.ID)
		return err
	})
	if err != nil || f == nil {
		return nil, err
	}
	f.writer = s.log.Open(c.OrgID, c.ID, epoch, last)
	return f, nil
}

// close ends a call that has no session: it takes the lease first, so that a session that is still out there
// cannot write any more. A call that has changed hands since c was read is left alone: whoever took it ends it.
func (s *Service) close(ctx context.Context, c parley.Call, reason string) error {
	f, err := s.fence(ctx, c, func(now parley.Call) bool { return now.State != parley.CallEnded && now.StreamSID == c.StreamSID })
	if err != nil {
		return fmt.Errorf("take over call: %w", err)
	}
	if f == nil {
		return nil
	}
	defer f.writer.Close()
	if f.call.State == parley.CallTransferring {
		f.writer.Fact(parley.EventTransferEnded, parley.TransferEndedData{Target: f.call.Errand.Target, Connected: reason == parley.EndTransferred})
	}
	if err := s.finish(ctx, f.writer, f.call, reason, nil); err != nil && !errors.Is(err, store.ErrFenced) {
		return err
	}
	return nil
}

// Recover marks the calls that an earlier process of this single-node server left live as detached: their
// sockets died with it. It must run before the server listens. Where several processes share the database it does
// nothing: they look after each other.
func (s *Service) Recover(ctx context.Context) error {
	if s.st.Shared() {
		return nil
	}
	for {
		calls, err := s.st.ListStaleCalls(ctx, parley.CallLive, time.Now().Add(time.Minute), 100)
		if err != nil {
			return fmt.Errorf("list live calls: %w", err)
		}
		if len(calls) == 0 {
			return nil
		}
		err = s.st.Write(ctx, func(tx *store.Tx) error {
			for _, c := range calls {
				c.State, c.Owner, c.UpdatedAt = parley.CallDetached, "", time.Now().UTC() // their minute begins now
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
