package call

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/event"
	"parley/internal/leg"
	"parley/internal/log"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const (
	sid     = "CA000000000000000000000000000000bb"
	account = "AC00000000000000000000000000000001"
)

// desk is a service on a real store with one agent.
type desk struct {
	*Service
	t     *testing.T
	st    *store.Store
	agent parley.Agent
}

func newDesk(t *testing.T, st *store.Store) *desk {
	t.Helper()
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	org := storetest.Organization(t, st)
	d := &desk{t: t, st: st, agent: storetest.Agent(t, st, org.ID, parley.AgentVoice)}
	d.Service = d.process(ring, "first")
	return d
}

// process is a service of its own on the same store, as after a restart.
func (d *desk) process(ring *secret.Ring, owner string) *Service {
	d.t.Helper()
	lg := log.New(d.st, event.NewBus(), log.Options{})
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := lg.Close(ctx); err != nil {
			d.t.Error(err)
		}
	})
	return New(d.st, lg, ring, Options{
		PublicURL: "http://127.0.0.1:1", Owner: owner, DefaultOrg: d.agent.OrgID, Simulated: true,
		Defaults: parley.Credentials{TwilioAccountSID: account, TwilioAuthToken: "t"}, Logger: slog.New(slog.DiscardHandler),
	})
}

func (d *desk) incoming() Incoming {
	return Incoming{
		OrgID: d.agent.OrgID, Agent: d.agent, CallSID: sid, AccountSID: account,
		From: "+15550100001", To: "+15550100002", Direction: "inbound", Simulated: true,
	}
}

func (d *desk) begin() Ticket {
	d.t.Helper()
	ticket, err := d.Begin(d.t.Context(), d.incoming())
	if err != nil {
		d.t.Fatal(err)
	}
	return ticket
}

func (d *desk) attach(token, stream string) *Attachment {
	d.t.Helper()
	a, err := d.Attach(d.t.Context(), token, sid, account, stream)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *desk) call() parley.Call {
	d.t.Helper()
	c, err := d.BySID(d.t.Context(), sid)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *desk) resume() Next {
	d.t.Helper()
	next, err := d.Resume(d.t.Context(), d.call())
	if err != nil {
		d.t.Fatal(err)
	}
	return next
}

func (d *desk) conversation() (parley.Conversation, []string) {
	d.t.Helper()
	c := d.call()
	conv, err := d.st.FindConversation(d.t.Context(), c.OrgID, c.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	events, err := d.st.ListEvents(d.t.Context(), c.OrgID, c.ID, 0, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	var types []string
	for i, e := range events {
		if e.Seq != int64(i+1) {
			d.t.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
		types = append(types, e.Type)
	}
	return conv, types
}

// age makes the call look as if nothing had touched it for so long.
func (d *desk) age(by time.Duration) {
	d.t.Helper()
	c := d.call()
	c.UpdatedAt = c.UpdatedAt.Add(-by)
	storetest.Write(d.t, d.st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, c.OrgID, c) })
}

func (d *desk) want(state parley.CallState, reason string) {
	d.t.Helper()
	if c := d.call(); c.State != state || c.EndReason != reason {
		d.t.Fatalf("call is %s %q, want %s %q", c.State, c.EndReason, state, reason)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRepeatedWebhookGetsTheSameToken: whichever of the answers the carrier acts on, its stream is let in, once.
func TestRepeatedWebhookGetsTheSameToken(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		first, second := d.begin(), d.begin()
		if first != second {
			t.Errorf("tickets %+v and %+v", first, second)
		}
		d.attach(second.Token, "MZ1")
		if _, err := d.Attach(t.Context(), first.Token, sid, account, "MZ2"); !errors.Is(err, ErrToken) {
			t.Errorf("a second stream: %v", err)
		}
		if _, err := d.Begin(t.Context(), d.incoming()); !parley.IsConflict(err) {
			t.Errorf("webhook of an attached call: %v", err)
		}
		if next := d.resume(); next.Ticket.Token == first.Token {
			t.Error("the token of the next stream is that of the first")
		}
	})
}

func TestConcurrentRepeatsOfAWebhookAreAllAnswered(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		tickets := together(4, func() (Ticket, error) { return d.Begin(t.Context(), d.incoming()) }, t.Error)
		for _, ticket := range tickets {
			if ticket != tickets[0] || ticket.Token == "" {
				t.Fatalf("%+v", tickets)
			}
		}
		d.attach(tickets[3].Token, "MZ1")
	})
}

// together does something at the same time and returns the results.
func together[T any](n int, do func() (T, error), failed func(...any)) []T {
	var wg sync.WaitGroup
	out := make([]T, n)
	for i := range out {
		wg.Go(func() {
			var err error
			if out[i], err = do(); err != nil {
				failed(err)
			}
		})
	}
	wg.Wait()
	return out
}

func TestAttachTakesTheTokenOnceAndOnlyForItsCall(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		token := d.begin().Token
		for _, c := range [][3]string{{"forged", sid, account}, {token, "CAother", account}, {token, sid, "ACother"}} {
			if _, err := d.Attach(t.Context(), c[0], c[1], c[2], "MZ0"); !errors.Is(err, ErrToken) {
				t.Errorf("%q: %v", c, err)
			}
		}
		var wg sync.WaitGroup
		won := make(chan *Attachment, 8)
		for range cap(won) {
			wg.Go(func() {
				if a, err := d.Attach(t.Context(), token, sid, account, "MZ1"); err == nil {
					won <- a
				} else if !errors.Is(err, ErrToken) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d streams attached with one token", len(won))
		}
		d.want(parley.CallLive, "")
	})
}

func TestResumeAnswersByIntent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		for _, intent := range []parley.CallIntent{parley.IntentHangup, parley.IntentNotice} {
			d := newDesk(t, st)
			in := d.incoming()
			in.CallSID = "CA" + string(intent)
			ticket, err := d.Begin(t.Context(), in)
			ok(t, err)
			a, err := d.Attach(t.Context(), ticket.Token, in.CallSID, account, "MZ1")
			ok(t, err)
			ok(t, d.Decide(t.Context(), a, parley.EndMaxDuration, intent))
			for _, finished := range []bool{false, true} { // the request may overtake our own end
				if finished {
					ok(t, d.Finish(t.Context(), a, parley.EndMaxDuration))
				}
				c, err := d.BySID(t.Context(), in.CallSID)
				ok(t, err)
				next, err := d.Resume(t.Context(), c)
				if err != nil || next.Intent != intent || next.Ticket.Token != "" {
					t.Errorf("finished %v: %+v, %v", finished, next, err)
				}
			}
		}
	})
}

// TestResumeBeforeOurOwnCommit: the carrier noticed the loss first. The new stream takes over; the old session
// can write no more and changes nothing.
func TestResumeBeforeOurOwnCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		old := d.attach(d.begin().Token, "MZ1")
		next := d.resume()
		if next.Intent != parley.IntentNone || next.Ticket.ConversationID != old.Call.ID {
			t.Fatalf("next %+v", next)
		}
		a := d.attach(next.Ticket.Token, "MZ2")
		if a.Call.Resumes != 1 || a.Call.ID != old.Call.ID {
			t.Errorf("call %+v", a.Call)
		}
		if err := d.Detach(t.Context(), old); !errors.Is(err, store.ErrFenced) {
			t.Errorf("late detach: %v", err)
		}
		if err := d.Finish(t.Context(), old, parley.EndCallerHangup); err == nil {
			t.Error("an ended stream finished the call of its successor")
		}
		d.reconcile(t.Context(), time.Now())
		d.want(parley.CallLive, "")
		ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
		d.want(parley.CallEnded, parley.EndCallerHangup)
	})
}

// TestDetachedCallHasItsMinute: however long the call was before, the minute counts from the loss.
func TestDetachedCallHasItsMinute(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ1")
		d.age(10 * time.Minute)
		a.Call = d.call()
		ok(t, d.Detach(t.Context(), a))
		d.reconcile(t.Context(), time.Now())
		d.want(parley.CallDetached, "")
		d.reconcile(t.Context(), time.Now().Add(detachedLife+time.Second))
		d.want(parley.CallEnded, parley.EndCarrierLost)
		conv, types := d.conversation()
		if conv.Status != parley.ConversationFailed || conv.EndedAt == nil || types[len(types)-1] != parley.EventConversationEnded {
			t.Errorf("conversation %+v, events %q", conv, types)
		}
	})
}

func TestRecoverGivesLiveCallsTheirMinute(t *testing.T) {
	t.Parallel()
	d := newDesk(t, storetest.SQLite(t))
	old := d.attach(d.begin().Token, "MZ1")
	old.Writer.Fact(parley.EventMessageUser, parley.MessageUserData{ItemID: "u1", Text: "hello"})
	ok(t, old.Writer.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "1"}))
	d.age(10 * time.Minute)
	next := d.process(d.ring, "second")
	ok(t, next.Recover(t.Context()))
	next.reconcile(t.Context(), time.Now())
	d.want(parley.CallDetached, "")
	d.Service = next
	a := d.attach(d.resume().Ticket.Token, "MZ2")
	if !slices.Equal(a.History, []leg.HistoryItem{{Role: "user", Text: "hello"}}) {
		t.Errorf("history %+v", a.History)
	}
	ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
}

func TestStaleRingingCallIsEnded(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		ticket := d.begin()
		d.reconcile(t.Context(), time.Now())
		d.want(parley.CallRinging, "")
		d.reconcile(t.Context(), time.Now().Add(ringingLife+time.Second))
		d.want(parley.CallEnded, parley.EndNotAnswered)
		if _, err := d.Attach(t.Context(), ticket.Token, sid, account, "MZ1"); !errors.Is(err, ErrToken) {
			t.Errorf("stream of an ended call: %v", err)
		}
	})
}

// TestStaleCallsKeepTheirOwnReasons: one call's decided reason is not its neighbor's.
func TestStaleCallsKeepTheirOwnReasons(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		first := storetest.Call(t, st, d.agent)
		second := storetest.Call(t, st, d.agent)
		for i, c := range []*parley.Call{&first, &second} {
			c.State, c.UpdatedAt = parley.CallDetached, time.Now().Add(time.Duration(i-10)*time.Minute)
			if i == 0 {
				c.EndReason = parley.EndMaxDuration
			}
			storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, c.OrgID, *c) })
		}
		d.reconcile(t.Context(), time.Now())
		for _, c := range []struct{ id, reason string }{{first.ID, parley.EndMaxDuration}, {second.ID, parley.EndCarrierLost}} {
			got, err := st.FindCall(t.Context(), d.agent.OrgID, c.id)
			if err != nil || got.EndReason != c.reason || got.State != parley.CallEnded {
				t.Errorf("%+v, %v, want %s", got, err, c.reason)
			}
		}
	})
}

// TestStaleListIsOnlyAHint: a call that came back between the list and its end is left alone.
func TestStaleListIsOnlyAHint(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ1")
		ok(t, d.Detach(t.Context(), a))
		stale := d.call()
		back := d.attach(d.resume().Ticket.Token, "MZ2")
		ok(t, d.close(t.Context(), stale, parley.EndCarrierLost))
		d.want(parley.CallLive, "")
		ok(t, d.Finish(t.Context(), back, parley.EndCallerHangup))
		ok(t, d.close(t.Context(), stale, parley.EndCarrierLost))
		d.want(parley.CallEnded, parley.EndCallerHangup)
	})
}

func TestStatusCallbacks(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		ticket := d.begin()
		for _, status := range []string{"ringing", "in-progress", "", "unheard-of"} {
			ok(t, d.Status(t.Context(), d.call(), status))
			d.want(parley.CallRinging, "")
		}
		a := d.attach(ticket.Token, "MZ1")
		// Final before the stream's stop: the session is told, and ends the call itself.
		ok(t, d.Status(t.Context(), d.call(), "completed"))
		ok(t, d.Status(t.Context(), d.call(), "completed"))
		select {
		case <-a.Over():
		default:
			t.Error("the session was not told that the call is over")
		}
		d.want(parley.CallLive, "")
		ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
		_, before := d.conversation()
		ok(t, d.Status(t.Context(), d.call(), "completed"))
		if _, after := d.conversation(); len(after) != len(before) {
			t.Errorf("a late callback wrote %q", after[len(before):])
		}
	})
}

func TestFinalStatusEndsACallWithoutASession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ1")
		ok(t, d.Detach(t.Context(), a))
		c := d.call()
		var wg sync.WaitGroup
		for range 4 { // callbacks are repeated, and the reconciler may look at the same time
			wg.Go(func() {
				if err := d.Status(t.Context(), c, "completed"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		d.want(parley.CallEnded, parley.EndCallerHangup)
		_, types := d.conversation()
		if n := count(types, parley.EventConversationEnded); n != 1 {
			t.Errorf("ended %d times: %q", n, types)
		}
	})
}

func count(types []string, typ string) (n int) {
	for _, s := range types {
		if s == typ {
			n++
		}
	}
	return n
}

// TestBooksThatCouldNotBeClosed: a session's last commit fails; the call must neither stay live for ever nor
// forget what was decided.
func TestBooksThatCouldNotBeClosed(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ1")
		late, cancel := context.WithCancel(t.Context())
		cancel()
		a.Writer.Close() // such as at the record's hard bound
		if d.Decide(late, a, parley.EndOverload, parley.IntentNotice) == nil || d.Finish(late, a, parley.EndOverload) == nil {
			t.Fatal("the commits did not fail")
		}
		d.reconcile(t.Context(), time.Now())
		if next := d.resume(); next.Intent != parley.IntentNotice {
			t.Errorf("the decision was forgotten: %+v", next)
		}
		d.want(parley.CallEnded, parley.EndOverload)
		if _, types := d.conversation(); count(types, parley.EventConversationEnded) != 1 {
			t.Errorf("events %q", types)
		}
	})
}

// TestAttachThatFailsLater: the agent is gone when its stream comes. The call is not left live.
func TestAttachThatFailsLater(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		token := d.begin().Token
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.DeleteAgent(ctx, d.agent.OrgID, d.agent.ID, time.Now())
		})
		if _, err := d.Attach(t.Context(), token, sid, account, "MZ1"); err == nil {
			t.Fatal("attached to a deleted agent")
		}
		d.reconcile(t.Context(), time.Now())
		d.want(parley.CallDetached, "")
		d.reconcile(t.Context(), time.Now().Add(detachedLife+time.Second))
		d.want(parley.CallEnded, parley.EndCarrierLost)
	})
}

// TestResumeReopensAPrematureEnd: the carrier closed the stream with a stop, or we gave up waiting, but the
// caller is still there.
func TestResumeReopensAPrematureEnd(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		d := newDesk(t, st)
		a := d.attach(d.begin().Token, "MZ1")
		ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
		next := d.resume()
		if next.Intent != parley.IntentNone || next.Ticket.ConversationID != a.Call.ID {
			t.Fatalf("next %+v", next)
		}
		if conv, _ := d.conversation(); conv.Status != parley.ConversationActive || conv.EndedAt != nil || conv.EndReason != "" {
			t.Errorf("conversation %+v", conv)
		}
		a = d.attach(next.Ticket.Token, "MZ2")
		if a.Call.Resumes != 1 {
			t.Errorf("call %+v", a.Call)
		}
		ok(t, d.Finish(t.Context(), a, parley.EndCallerHangup))
		d.want(parley.CallEnded, parley.EndCallerHangup)
		d.resume() // reopened, but nobody comes
		d.reconcile(t.Context(), time.Now().Add(detachedLife+time.Second))
		d.want(parley.CallEnded, parley.EndCarrierLost)
		if next := d.resume(); next.Intent != parley.IntentNone {
			t.Errorf("a call that lives after we gave it up: %+v", next)
		}
		if conv, types := d.conversation(); conv.EndedAt != nil || count(types, parley.EventReopened) != 3 {
			t.Errorf("conversation %+v, events %q", conv, types)
		}
	})
}
