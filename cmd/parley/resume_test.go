package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/phone"
	"parley/internal/store/storetest"
)

// longTail makes an answer of about half a minute.
var longTail = strings.Repeat("There is a lot to say about it and I will go through all of it step by step. ", 6)

// TestKilledServerGoesOnWithItsCalls: kill -9 with 20 live calls, and another start. Every caller is talking to the
// agent about the same subject again; none heard another conversation, none was lost.
func TestKilledServerGoesOnWithItsCalls(t *testing.T) {
	t.Parallel()
	const calls = 20
	w := newCarrierWorld(t, longTail)
	listen, data := freeAddress(t), t.TempDir()
	first := w.serve(listen, "--data", data)
	until(t, "ready", func() bool { return w.balance.target() == first.url })
	w.hire()
	var all []*caller
	for range calls {
		all = append(all, w.dial(phone.Wait(2*time.Minute)))
	}
	for _, c := range all {
		until(t, "the agent speaks", func() bool { return !c.heardOn(1).IsZero() })
	}
	last := all[0].heardOn(1)
	for _, c := range all {
		if at := c.heardOn(1); at.After(last) {
			last = at
		}
	}
	<-time.After(time.Until(last.Add(2500 * time.Millisecond))) // long enough to have said what it is about
	first.kill()
	second := w.serve(listen, "--data", data)
	until(t, "ready again", second.ready)
	ready := time.Since(second.started)
	var back []time.Duration
	for _, c := range all {
		until(t, "the agent speaks again", func() bool { return !c.heardOn(2).IsZero() })
		back = append(back, c.heardOn(2).Sub(second.started))
	}
	slices.Sort(back)
	t.Logf("ready after %v; the agent was heard again after %v to %v, median %v", ready, back[0], back[calls-1], back[calls/2])

	seen := map[string]bool{}
	for _, c := range all {
		var r callRecord
		until(t, "the words are on record", func() bool { r = w.record(c); return len(r.orders()) == 2 })
		orders := r.orders()
		if orders[0] != orders[1] || seen[orders[0]] {
			t.Errorf("first about %s, then about %s", orders[0], orders[1])
		}
		seen[orders[0]] = true
		cut := r.Messages[0]
		if !cut.Interrupted || cut.HeardText == nil || *cut.HeardText == "" || !strings.HasPrefix(cut.Text, *cut.HeardText) {
			t.Errorf("what was heard before the kill: %+v", cut)
		}
		c.Hangup()
		report := c.Wait(t.Context())
		if len(report.Streams) != 2 || !slices.Equal(report.Notices, []string{"One moment, please."}) || report.Failure != nil {
			t.Errorf("%d streams, notices %q, failure %v", len(report.Streams), report.Notices, report.Failure)
		}
		until(t, "the end is on record", func() bool { r = w.record(c); return r.Status != "active" })
		if r.EndReason != parley.EndCallerHangup || r.count(parley.EventStreamStarted) != 2 || r.count(parley.EventConversationEnded) != 1 {
			t.Errorf("%s %s", r.Status, r.EndReason)
		}
	}
}

// pair are two servers on one PostgreSQL. The first takes the calls while it is ready.
func (w *carrierWorld) pair() (first, second *node) {
	w.t.Helper()
	dir := w.t.TempDir()
	args := []string{"--data", dir, "--database-url", storetest.PostgresURL(w.t), "--secret-key-file", filepath.Join(dir, "keys")}
	first = w.serve(freeAddress(w.t), args...)
	until(w.t, "the first is ready", func() bool { return w.balance.target() == first.url })
	second = w.serve(freeAddress(w.t), args...)
	until(w.t, "the second is ready", second.ready)
	w.hire()
	return first, second
}

// TestStoppedServerLosesItsCall: SIGSTOP, the call goes on at the other server, SIGCONT. The old one has no voice, writes
// nothing and hangs nobody up.
func TestStoppedServerLosesItsCall(t *testing.T) {
	t.Parallel()
	w := newCarrierWorld(t, longTail)
	first, second := w.pair()
	c := w.dial(phone.Wait(3*time.Second), phone.WaitForSilence(time.Second, 2*time.Minute), phone.Wait(time.Minute))
	until(t, "the agent speaks", func() bool { return !c.heardOn(1).IsZero() })
	<-time.After(time.Until(c.heardOn(1).Add(2500 * time.Millisecond)))
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := first.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	stopped := time.Now()
	until(t, "the agent speaks again", func() bool { return !c.heardOn(2).IsZero() })
	t.Logf("the agent was heard again %v after the stop", c.heardOn(2).Sub(stopped))
	before := c.Report().Streams

	signal(syscall.SIGCONT)
	until(t, "the old session ends", func() bool { return first.metric("parley_calls_live") == 0 && second.metric("parley_calls_live") == 1 })
	var r callRecord
	until(t, "the call goes on", func() bool { r = w.record(c); return len(r.orders()) == 2 && r.count(parley.EventPlayoutPosition) > 6 })
	if orders := r.orders(); orders[0] != orders[1] {
		t.Errorf("first about %s, then about %s", orders[0], orders[1])
	}
	w.checkNewOwner(r)
	report := c.Report()
	if len(report.Streams) != 2 || report.Streams[0].BytesReceived != before[0].BytesReceived || report.EndedBy != "" {
		t.Errorf("streams %+v, ended by %q", report.Streams, report.EndedBy)
	}
	for _, q := range w.rest.Requests() {
		if q.Form.Get("Status") != "" {
			t.Errorf("somebody hung up: %+v", q)
		}
	}
	c.Hangup()
	<-c.Done()
	until(t, "the end is on record", func() bool { r = w.record(c); return r.Status != "active" })
	if r.EndReason != parley.EndCallerHangup || r.count(parley.EventConversationEnded) != 1 {
		t.Errorf("%s %s", r.Status, r.EndReason)
	}
}

// checkNewOwner looks for events that the old owner wrote after the new one had attached.
func (w *carrierWorld) checkNewOwner(r callRecord) {
	w.t.Helper()
	items := map[string]bool{}
	streams := 0
	for i, e := range r.Events {
		if e.Seq != int64(i+1) {
			w.t.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
		var d struct{ ItemID string }
		_ = json.Unmarshal(e.Data, &d)
		switch e.Type {
		case parley.EventStreamStarted:
			streams++
			continue
		case parley.EventStreamDetached, parley.EventConversationEnded, parley.EventEndRequested, parley.EventError:
			if streams == 2 {
				w.t.Errorf("event %d after the new stream: %s %s", e.Seq, e.Type, e.Data)
			}
		}
		if streams == 1 && d.ItemID != "" {
			items[d.ItemID] = true
		} else if items[d.ItemID] {
			w.t.Errorf("event %d is of the old stream: %s %s", e.Seq, e.Type, e.Data)
		}
	}
	if streams != 2 {
		w.t.Errorf("%d streams on record", streams)
	}
}

// TestDrainingServerHandsItsCallOver at the end of the agent's turn: the caller hears nothing of it, and the next answer
// comes from the other server.
func TestDrainingServerHandsItsCallOver(t *testing.T) {
	t.Parallel()
	w := newCarrierWorld(t, "What would you like to know about it?")
	first, second := w.pair()
	c := w.dial(phone.Wait(2 * time.Minute))
	until(t, "the agent speaks", func() bool { return !c.heardOn(1).IsZero() })
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.ended:
	case <-time.After(25 * time.Second):
		t.Fatalf("the draining server does not end:\n%s", first.log)
	}
	until(t, "the second has the call", func() bool { return second.metric("parley_calls_live") == 1 })
	r := w.record(c)
	cut := r.Messages[0]
	if cut.Interrupted || cut.HeardText == nil || *cut.HeardText != cut.Text {
		t.Errorf("the agent was cut off: %+v", cut)
	}
	report := c.Report()
	if len(report.Notices) != 0 || len(report.Streams) != 2 || report.EndedBy != "" || r.count(parley.EventConversationEnded) != 0 {
		t.Errorf("notices %q, streams %+v, ended by %q, record %+v", report.Notices, report.Streams, report.EndedBy, r)
	}
	for _, q := range w.rest.Requests() {
		if q.Method != http.MethodGet && q.Form.Get("Url") == "" {
			t.Errorf("the carrier was asked %+v", q)
		}
	}
}
