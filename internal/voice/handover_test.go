package voice

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// handing is a rig whose process is told to stop when the returned function is called.
func handing(t *testing.T) (*rig, func()) {
	c := make(chan struct{})
	r := newRig(t, rigOptions{delay: 60 * time.Millisecond, setup: func(r *rig) { r.session.cfg.HandOver = c }}).ready()
	return r, func() { close(c) }
}

// TestHandOverAtTheEndOfATurn: what is being said is heard to its end, and what was asked is answered first.
func TestHandOverAtTheEndOfATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stop := handing(t)
		r.speechStarted()
		time.Sleep(500 * time.Millisecond)
		stop()
		time.Sleep(2 * time.Second) // the caller speaks on
		r.turnEnds("u1")
		time.Sleep(300 * time.Millisecond)
		r.reply("r1", "a1", words, 3000)
		r.responseDone("r1", "completed")
		out := r.wait()
		if !out.HandOver || !out.Detached || out.Keep != 0 || out.Intent != parley.IntentNone {
			t.Errorf("outcome %+v", out)
		}
		if got := r.carrier.playedMs(); got != 3000 {
			t.Errorf("the caller heard %d ms of the answer, want 3000", got)
		}
	})
}

// TestHandOverWhenTheTimeIsUp: in the middle of an answer, instead of a notice. Without another process it is a notice.
func TestHandOverWhenTheTimeIsUp(t *testing.T) {
	for _, other := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r, stop := handing(t)
			r.turnEnds("u1")
			time.Sleep(10 * time.Millisecond)
			r.reply("r1", "a1", words, 9000)
			time.Sleep(2 * time.Second)
			if other {
				stop()
			}
			r.cancel()
			if out := r.wait(); out.HandOver != other || (out.Intent == parley.IntentNotice) == other {
				t.Errorf("another process %v: outcome %+v", other, out)
			}
		})
	}
}

// TestAgentSpeaksFirstAfterALoss, but not when the caller noticed nothing, and not instead of an answer.
func TestAgentSpeaksFirstAfterALoss(t *testing.T) {
	said, asked := leg.HistoryItem{Role: "assistant", Text: "We open at nine—"}, leg.HistoryItem{Role: "user", Text: "When do you open?"}
	for name, c := range map[string]struct {
		history []leg.HistoryItem
		lost    bool
		want    string // what the model is asked; "" = nothing
	}{
		"lost in an answer":      {[]leg.HistoryItem{asked, said}, true, "broke off"},
		"handed over":            {[]leg.HistoryItem{asked, said}, false, ""},
		"lost before the answer": {[]leg.HistoryItem{said, asked}, true, "answer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{history: c.history, call: parley.Call{Resumes: 1, CreatedAt: time.Now()}, setup: func(r *rig) { r.session.cfg.Lost = c.lost }}).ready()
			time.Sleep(time.Second)
			log := r.model.log()
			created := slices.ContainsFunc(log, func(s string) bool { return strings.HasPrefix(s, "create") })
			special := slices.ContainsFunc(log, func(s string) bool { return s == "create with instructions" })
			if created != (c.want != "") || special != (c.want == "broke off") {
				t.Errorf("%s: created %v, special %v: %q", name, created, special, log)
			}
			r.cancel()
			r.wait()
		})
	}
}
