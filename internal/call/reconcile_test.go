package call

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// carrier is Twilio's REST API as far as a call's end needs it.
type carrier struct {
	url string

	mu     sync.Mutex
	status string // of every call; "" = unknown call
	broken bool
	asked  []string // "GET", "hang up", "redirect URL"
	onGet  func()
}

func newCarrier(t *testing.T, status string) *carrier {
	c := &carrier{status: status}
	srv := httptest.NewServer(c)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

func (c *carrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onGet != nil && r.Method == http.MethodGet {
		c.onGet()
	}
	switch {
	case r.Method == http.MethodGet:
		c.asked = append(c.asked, "GET")
	case r.FormValue("Status") == "completed":
		c.asked = append(c.asked, "hang up")
	default:
		c.asked = append(c.asked, "redirect "+epochs.ReplaceAllString(r.FormValue("Url"), "epoch=N"))
	}
	switch {
	case c.broken:
		w.WriteHeader(http.StatusServiceUnavailable)
	case c.status == "":
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 20404})
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"status": c.status})
	}
}

func (c *carrier) took() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := strings.Join(c.asked, ", ")
	c.asked = nil
	return all
}

func (c *carrier) set(status string, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.broken = status, broken
}

var epochs = regexp.MustCompile(`epoch=\d+`)

const bringBack = "GET, redirect http://127.0.0.1:1/twilio/resume?epoch=N#rc=5&rp=all&tt=15000"

// atCarrier makes the desk's service one that can ask the carrier.
func (d *desk) atCarrier(c *carrier) *desk {
	d.opt.TwilioAPIURL = c.url
	return d
}

// minuteLater reconciles when the detached or ringing call's minute is over.
func (d *desk) minuteLater(carrier *carrier, asked string, state parley.CallState, reason string) {
	d.t.Helper()
	d.age(detachedLife + time.Second)
	d.reconcile(d.t.Context(), time.Now())
	if got := carrier.took(); got != asked {
		d.t.Errorf("the carrier was asked %q, want %q", got, asked)
	}
	d.want(state, reason)
}

// TestTheCarrierDecidesAboutADetachedCall after its minute.
func TestTheCarrierDecidesAboutADetachedCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status string
		broken bool
		asked  string
		state  parley.CallState
		reason string
	}{
		"it is over":        {"completed", false, "GET", parley.CallEnded, parley.EndCallerHangup},
		"it was not taken":  {"no-answer", false, "GET", parley.CallEnded, parley.EndNotAnswered},
		"nobody knows it":   {"", false, "GET", parley.CallEnded, parley.EndCarrierLost},
		"it goes on":        {"in-progress", false, bringBack, parley.CallDetached, ""},
		"it rings":          {"ringing", false, "GET", parley.CallDetached, ""},
		"no answer from it": {"", true, "GET", parley.CallDetached, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rest := newCarrier(t, c.status)
			rest.broken = c.broken
			d := newDesk(t, storetest.SQLite(t)).atCarrier(rest)
			a := d.attach(d.begin().Token, "MZ1")
			ok(t, d.Detach(t.Context(), a))
			d.reconcile(t.Context(), time.Now())
			if got := rest.took(); got != "" {
				t.Errorf("within the minute the carrier was asked %q", got)
			}
			d.minuteLater(rest, c.asked, c.state, c.reason)
		})
	}
}

// TestCallThatDoesNotComeBack: the carrier says that it goes on, but it never asks what follows.
func TestCallThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t, "in-progress")
		d := newDesk(t, st).atCarrier(rest)
		d.begin() // its stream never came either
		for range maxRescues {
			d.minuteLater(rest, bringBack, parley.CallRinging, "")
		}
		d.minuteLater(rest, "hang up", parley.CallEnded, parley.EndNotAnswered)
	})
}

// TestRescueComesTooLate: the call comes back by itself while the carrier is being asked. It is not sent away again.
func TestRescueComesTooLate(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t, "in-progress")
	d := newDesk(t, storetest.SQLite(t)).atCarrier(rest)
	ok(t, d.Detach(t.Context(), d.attach(d.begin().Token, "MZ1")))
	rest.onGet = func() { d.resume() }
	d.age(detachedLife + time.Second)
	d.reconcile(t.Context(), time.Now())
	if got := rest.took(); got != "GET" {
		t.Errorf("the carrier was asked %q", got)
	}
}

// TestOneProcessRescues: several look at the same call, and one of them acts.
func TestOneProcessRescues(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		rest := newCarrier(t, "in-progress")
		d := newDesk(t, st).atCarrier(rest)
		ok(t, d.Detach(t.Context(), d.attach(d.begin().Token, "MZ1")))
		d.age(detachedLife + time.Second)
		var wg sync.WaitGroup
		for _, s := range []*Service{d.Service, d.process(d.ring, "second"), d.process(d.ring, "third")} {
			s.opt.TwilioAPIURL = rest.url
			wg.Go(func() { s.reconcile(t.Context(), time.Now()) })
		}
		wg.Wait()
		if got := rest.took(); got != bringBack {
			t.Errorf("the carrier was asked %q", got)
		}
	})
}

// TestWhatWasDecidedIsNotAsked: a call that speaks its notice, or talks to the fallback number, is left alone.
func TestWhatWasDecidedIsNotAsked(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t, "in-progress")
	d := newDesk(t, storetest.SQLite(t)).atCarrier(rest)
	a := d.attach(d.begin().Token, "MZ1")
	ok(t, d.Decide(t.Context(), a, parley.EndModelUnavailable, parley.IntentNotice))
	if got := rest.took(); got != strings.TrimPrefix(bringBack, "GET, ") || a.HungUp() {
		t.Errorf("the carrier was asked %q", got)
	}
	ok(t, d.Detach(t.Context(), a))
	d.minuteLater(rest, "", parley.CallEnded, parley.EndModelUnavailable)
}

// TestGoodbyeThroughTheCarrier: the caller hears nothing of the verbs for lost streams.
func TestGoodbyeThroughTheCarrier(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		rest := newCarrier(t, "in-progress")
		rest.set("in-progress", broken)
		d := newDesk(t, storetest.SQLite(t)).atCarrier(rest)
		ticket := d.begin()
		a := d.attach(ticket.Token, "MZ1")
		ok(t, d.Decide(t.Context(), a, parley.EndAgentHangup, parley.IntentHangup))
		if got := rest.took(); got != "hang up" || a.HungUp() == broken || !ticket.Asked {
			t.Errorf("broken %v: the carrier was asked %q, hung up %v, ticket %+v", broken, got, a.HungUp(), ticket)
		}
		ok(t, d.Finish(t.Context(), a, parley.EndAgentHangup))
		if next := d.resume(); next.Intent != parley.IntentHangup {
			t.Errorf("next %+v", next)
		}
	}
}

// fleet are processes on one PostgreSQL.
type fleet struct {
	*desk
	second *Service
}

func newFleet(t *testing.T, rest *carrier) *fleet {
	d := newDesk(t, storetest.Postgres(t)).atCarrier(rest)
	f := &fleet{desk: d, second: d.process(d.ring, "second")}
	f.second.opt.TwilioAPIURL = rest.url
	ok(t, f.Join(t.Context()))
	ok(t, f.second.Join(t.Context()))
	return f
}

// beats lets some processes beat so many times, in turn.
func (f *fleet) beats(n int, who ...*Service) {
	f.t.Helper()
	for range n {
		for _, s := range who {
			dead, err := s.look(f.t.Context())
			ok(f.t, err)
			for _, p := range dead {
				s.inherit(f.t.Context(), p)
			}
		}
	}
}

// TestCallsOfADeadProcess: its beat stops, and the other one fences it off and has its calls brought back.
func TestCallsOfADeadProcess(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t, "in-progress")
	f := newFleet(t, rest)
	a := f.attach(f.begin().Token, "MZ1")
	f.beats(2*leaseBeats, f.Service, f.second)
	if got := rest.took(); got != "" || !f.second.Others() {
		t.Fatalf("while both live: the carrier was asked %q", got)
	}
	f.want(parley.CallLive, "")

	f.beats(leaseBeats-1, f.second)
	f.want(parley.CallLive, "")
	if f.second.Others() {
		t.Error("calls would be handed to a process that is silent")
	}
	f.beats(1, f.second)
	f.want(parley.CallDetached, "")
	if got := rest.took(); got != bringBack {
		t.Errorf("the carrier was asked %q", got)
	}
	if err := a.Writer.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "1"}); err == nil {
		t.Error("the dead process still writes")
	}
	f.beats(1, f.second)
	all, err := f.st.ListProcesses(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "second" {
		t.Errorf("processes %+v, %v", all, err)
	}
	// It comes to itself: what it does about the call changes nothing.
	if f.Finish(t.Context(), a, parley.EndCallerHangup) == nil {
		t.Error("the dead process ended the call")
	}
	f.beats(1, f.Service)
	f.want(parley.CallDetached, "")
	if got := rest.took(); got != "" {
		t.Errorf("the carrier was asked %q", got)
	}
}

// TestProcessThatLeaves takes its row along, unless others must look after its calls.
func TestProcessThatLeaves(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newCarrier(t, "in-progress"))
	a := f.attach(f.begin().Token, "MZ1")
	for _, want := range []int{2, 1} {
		ok(t, f.Leave(t.Context()))
		if all, err := f.st.ListProcesses(t.Context()); err != nil || len(all) != want {
			t.Errorf("processes %+v, %v", all, err)
		}
		if want == 2 {
			ok(t, f.Finish(t.Context(), a, parley.EndCallerHangup))
		}
	}
}

// TestNewsDoNotShortenALease: a process that is often told about calls does not take the others for dead.
func TestNewsDoNotShortenALease(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newCarrier(t, "in-progress"))
	f.beats(2, f.Service, f.second)
	ctx, stop := context.WithTimeout(t.Context(), 2*beatPeriod)
	defer stop()
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		f.second.Run(ctx)
	}()
	for ctx.Err() == nil {
		f.second.rouse()
		<-time.After(10 * time.Millisecond)
	}
	<-ran
	if !f.second.nodes.lives(f.opt.Owner) {
		t.Error("the other process is taken for dead after two beats")
	}
}

// TestDrainingProcessGetsNoCalls of another one.
func TestDrainingProcessGetsNoCalls(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newCarrier(t, "in-progress"))
	f.beats(2, f.Service, f.second)
	if !f.Others() || !f.second.Others() {
		t.Fatal("they do not see each other")
	}
	f.second.Drain()
	f.beats(1, f.second, f.Service)
	if f.Others() || !f.second.Others() {
		t.Error("the draining process would be given calls")
	}
}

// TestFinalStatusReachesTheOwner: the callback comes to the process that does not hold the call.
func TestFinalStatusReachesTheOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newCarrier(t, "completed"))
	a := f.attach(f.begin().Token, "MZ1")
	f.beats(2, f.Service, f.second)
	ok(t, f.second.Status(t.Context(), f.call(), "completed"))
	f.beats(1, f.second)
	f.want(parley.CallLive, "") // the owner's to end

	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		f.Run(ctx)
	}()
	select {
	case <-a.Over():
	case <-time.After(10 * time.Second):
		t.Error("the session was not told")
	}
	stop()
	<-ran
	ok(t, f.Finish(t.Context(), a, parley.EndCallerHangup))
	if _, types := f.conversation(); count(types, parley.EventConversationEnded) != 1 {
		t.Errorf("events %q", types)
	}
}

// TestOwnerThatDoesNotEndItsCall in time: another process does.
func TestOwnerThatDoesNotEndItsCall(t *testing.T) {
	t.Parallel()
	f := newFleet(t, newCarrier(t, "completed"))
	a := f.attach(f.begin().Token, "MZ1")
	f.beats(2, f.Service, f.second)
	c := f.call()
	storetest.Write(t, f.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.MarkCallOver(ctx, c.OrgID, c.ID, parley.EndCallerHangup, time.Now().Add(-overTime-time.Second))
	})
	f.beats(1, f.second)
	f.want(parley.CallEnded, parley.EndCallerHangup)
	if _, types := f.conversation(); !slices.Contains(types, parley.EventConversationEnded) {
		t.Errorf("events %q", types)
	}
	f.Abandon(a)
}
