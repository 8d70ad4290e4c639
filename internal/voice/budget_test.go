package voice

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// costly is a rig whose model's answers cost a dollar for each million tokens of text it reads.
func costly(t *testing.T, dollars float64, call parley.Call) *rig {
	t.Helper()
	call.To = "+14155550100"
	return newRig(t, rigOptions{model: "gpt-realtime", call: call, voice: func(v *parley.VoiceConfig) { v.MaxCost = &dollars }}).ready()
}

// charge ends a response that cost some micro-dollars.
func (r *rig) charge(resp string, microDollars int64) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: "completed", Usage: &parley.Usage{InputTextTokens: microDollars / 4}})
}

func (r *rig) creates() (n int) {
	for _, line := range r.model.log() {
		if line == "create with instructions" {
			n++
		}
	}
	return n
}

// TestMaxCostEndsTheCallAfterAGoodbye: the answer under way is heard, then one sentence, then the end.
func TestMaxCostEndsTheCallAfterAGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := costly(t, 0.05, parley.Call{})
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.reply("r1", "a1", words, 2000)
		r.charge("r1", 30_000) // and 12,500 for the first minute of the carrier
		time.Sleep(3 * time.Second)
		if r.creates() != 0 {
			t.Fatalf("wrapped up below the limit: %q", r.model.log())
		}
		r.turnEnds("u2")
		time.Sleep(10 * time.Millisecond)
		r.reply("r2", "a2", words, 2000)
		r.charge("r2", 10_000)
		time.Sleep(time.Second)
		if r.creates() != 0 {
			t.Error("the goodbye was asked for while the answer was being heard")
		}
		time.Sleep(1200 * time.Millisecond)
		if r.creates() != 1 {
			t.Fatalf("no goodbye was asked for: %q", r.model.log())
		}
		r.reply("r3", "bye", words, 1500)
		r.charge("r3", 1000)
		out := r.wait()
		if out.Reason != parley.EndMaxCost || out.Intent != parley.IntentHangup || r.carrier.playedMs() != 5500 {
			t.Errorf("outcome %+v, the caller heard %d ms", out, r.carrier.playedMs())
		}
		reached := find[parley.CostReachedData](r.tape, parley.EventCostReached)
		if len(reached) != 1 || reached[0].Limit != 50_000 || reached[0].Cost != 52_500 {
			t.Errorf("on record: %+v", reached)
		}
	})
}

// TestMaxCostCountsMinutes: the carrier's minutes alone reach the limit, at the beginning of one.
func TestMaxCostCountsMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := costly(t, 0.03, parley.Call{}) // 0.0125 a minute
		began := time.Now()
		for r.creates() == 0 && time.Since(began) < 5*time.Minute {
			time.Sleep(time.Second)
		}
		if at := time.Since(began).Round(time.Second); at < 2*time.Minute || at > 2*time.Minute+2*time.Second {
			t.Errorf("wrapped up after %v, want 2 minutes", at)
		}
		r.reply("r1", "bye", words, 1000)
		r.charge("r1", 0)
		if out := r.wait(); out.Reason != parley.EndMaxCost {
			t.Errorf("outcome %+v", out)
		}
	})
}

// TestMaxCostEndsTheCallInAnyCase: a model that does not say goodbye, and a caller who talks on, end nothing later
// than the hard stop.
func TestMaxCostEndsTheCallInAnyCase(t *testing.T) {
	for name, meanwhile := range map[string]func(r *rig){
		"model says nothing": func(*rig) {}, // its silence is a failure of its own
		"goodbye is refused": func(r *rig) {
			n := len(r.model.log())
			r.model.say(leg.ModelEvent{Kind: leg.ModelError, EventID: "e" + strconv.Itoa(n), Err: &leg.ModelFailure{Code: "rate_limit_exceeded"}})
		},
		"caller talks on": func(r *rig) {
			r.reply("r2", "bye", words, 2000)
			time.Sleep(100 * time.Millisecond)
			r.speechStarted()
			r.responseDone("r2", "cancelled")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := costly(t, 0.04, parley.Call{})
			r.turnEnds("u1")
			time.Sleep(10 * time.Millisecond)
			r.reply("r1", "a1", words, 500)
			r.charge("r1", 40_000)
			began := time.Now()
			time.Sleep(time.Second)
			if r.creates() != 1 {
				t.Fatalf("%s: %q", name, r.model.log())
			}
			meanwhile(r)
			out := r.wait()
			if took := time.Since(began); out.Reason != parley.EndMaxCost && (name == "caller talks on" || out.Reason != parley.EndModelUnavailable) || took > wrapUpTimeout+time.Second {
				t.Errorf("%s: %+v after %v", name, out, took)
			}
		})
	}
}

// TestMaxCostOfAResumedCall counts what earlier streams cost.
func TestMaxCostOfAResumedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dollars := 0.05
		r := newRig(t, rigOptions{model: "gpt-realtime", spent: 49_000, call: parley.Call{To: "+14155550100", Resumes: 1, CreatedAt: time.Now()},
			history: []leg.HistoryItem{{Role: "assistant", Text: "hello"}}, voice: func(v *parley.VoiceConfig) { v.MaxCost = &dollars }}).ready()
		time.Sleep(100 * time.Millisecond)
		if !slices.Contains(r.model.log(), "create with instructions") {
			t.Errorf("not wrapped up: %q", r.model.log())
		}
		r.stop()
	})
}

func TestNoLimitNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{model: "gpt-realtime"}).ready()
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.reply("r1", "a1", words, 500)
		r.charge("r1", 900_000_000)
		time.Sleep(20 * time.Minute)
		if r.creates() != 0 {
			t.Errorf("%q", r.model.log())
		}
		r.stop()
	})
}
