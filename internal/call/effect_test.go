package call

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/store/storetest"
)

var transfer = parley.Errand{Target: "Ada", Number: "+15550100009", Mode: parley.TransferCold}

// commits are what a process decides about a call before it asks the carrier to act.
var commits = map[string]func(context.Context, *Service, *Attachment) error{
	"hand over": func(ctx context.Context, s *Service, a *Attachment) error { return s.HandOver(ctx, a) },
	"transfer": func(ctx context.Context, s *Service, a *Attachment) error {
		return s.Depart(ctx, a, parley.IntentTransfer, transfer)
	},
	"keys": func(ctx context.Context, s *Service, a *Attachment) error {
		return s.Depart(ctx, a, parley.IntentKeys, parley.Errand{Digits: "1"})
	},
	"notice": func(ctx context.Context, s *Service, a *Attachment) error {
		return s.Decide(ctx, a, parley.EndModelUnavailable, parley.IntentNotice)
	},
}

// TestStoppedBetweenCommitAndEffect: a process that stood still right after its commit asks nothing of a carrier that has
// gone on with the call since.
func TestStoppedBetweenCommitAndEffect(t *testing.T) {
	t.Parallel()
	for name, commit := range commits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rest := newCarrier(t, "in-progress")
			d := newDesk(t, storetest.Postgres(t)).atCarrier(rest)
			second := d.process(d.ring, "second")
			second.opt.TwilioAPIURL = rest.url
			a := d.attach(d.begin().Token, "MZ1")
			rest.set("in-progress", true) // nothing reaches the carrier: as if this process had been stopped
			ok(t, commit(t.Context(), d.Service, a))
			if rest.took() == "" {
				t.Fatal("the carrier was not asked")
			}
			rest.set("in-progress", false)
			ok(t, d.moveOn(t.Context(), a)) // it has not gone on yet
			if rest.took() == "" {
				t.Error("the carrier is not asked although the call waits for it")
			}
			next, err := second.Resume(t.Context(), d.call())
			ok(t, err)
			ok(t, d.moveOn(t.Context(), a)) // it does what was decided
			if got := rest.took(); got != "" {
				t.Errorf("the carrier has asked, and is told once more: %q", got)
			}
			if next.Ticket.Token != "" {
				_, err = second.Attach(t.Context(), next.Ticket.Token, sid, account, "MZ2")
				ok(t, err)
				ok(t, d.moveOn(t.Context(), a)) // it lives elsewhere
				if got := rest.took(); got != "" {
					t.Errorf("a call that lives elsewhere: the carrier was asked %q", got)
				}
			}
		})
	}
}

// TestDeadProcessHadDecided: what a process decided before it stood still is done by another one.
func TestDeadProcessHadDecided(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		intent parley.CallIntent
		told   bool // the carrier has asked by itself
		asked  string
	}{
		{parley.IntentHangup, false, "GET, hang up"},
		{parley.IntentNotice, false, bringBack},
		{parley.IntentNotice, true, ""},
	} {
		t.Run(string(c.intent), func(t *testing.T) {
			t.Parallel()
			rest := newCarrier(t, "in-progress")
			f := newFleet(t, rest)
			a := f.attach(f.begin().Token, "MZ1")
			rest.set("in-progress", true)
			ok(t, f.Decide(t.Context(), a, parley.EndModelUnavailable, c.intent))
			rest.set("in-progress", false)
			if c.told {
				if next := f.resume(); next.Intent != c.intent {
					t.Errorf("the carrier was told %+v", next)
				}
			}
			rest.took()
			f.beats(leaseBeats, f.second)
			f.beats(1, f.second)
			if got := rest.took(); got != c.asked {
				t.Errorf("the carrier was asked %q, want %q", got, c.asked)
			}
			f.age(detachedLife + time.Second)
			f.second.reconcile(t.Context(), time.Now())
			f.want(parley.CallEnded, parley.EndModelUnavailable)
		})
	}
}

// TestLateRedirect: one that reached the carrier after the call had gone on leads to the same conversation.
func TestLateRedirect(t *testing.T) {
	t.Parallel()
	d := newDesk(t, storetest.SQLite(t)).atCarrier(newCarrier(t, "in-progress"))
	a := d.attach(d.begin().Token, "MZ1")
	late := a.Epoch
	for n := range 2 * maxResumes { // it is no fault of the streams
		ok(t, d.Detach(t.Context(), a))
		next, err := d.Recalled(t.Context(), d.call(), late)
		ok(t, err)
		if next.Intent != parley.IntentNone || next.Ticket.ConversationID != a.Call.ID {
			t.Fatalf("recalled %d times: %+v", n, next)
		}
		a = d.attach(next.Ticket.Token, "MZ"+string(rune('2'+n)))
	}
	ok(t, d.Depart(t.Context(), a, parley.IntentTransfer, transfer))
	if next, err := d.Recalled(t.Context(), d.call(), a.Epoch); err != nil || next.Intent != parley.IntentTransfer {
		t.Fatalf("in time: %+v, %v", next, err)
	}
	ok(t, d.Answered(t.Context(), d.call()))
	next, err := d.Recalled(t.Context(), d.call(), a.Epoch)
	ok(t, err)
	if next.Intent != parley.IntentNone || next.Ticket.Token == "" {
		t.Errorf("the caller was talking to the target: %+v", next)
	}
	d.want(parley.CallDetached, "")
}
