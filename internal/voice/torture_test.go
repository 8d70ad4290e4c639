package voice

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// TestLossesAtAnyMoment plays random calls and takes the model away at random moments, sometimes more than once. At the
// end of each the caller is being answered, every turn is on record, and every session was told a conversation that the
// model accepts.
func TestLossesAtAnyMoment(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { torture(t, rand.New(rand.NewPCG(seed, 9))) })
		})
	}
}

func torture(t *testing.T, rnd *rand.Rand) {
	d := &models{}
	var refusals atomic.Int32 // dialings to be refused
	d.fail = func(int) error {
		if refusals.Add(-1) >= 0 {
			return &leg.ModelFailure{Code: "http_503"}
		}
		return nil
	}
	toolCalls, inner := 0, rand.New(rand.NewPCG(rnd.Uint64(), 1)) // the session's goroutine's own
	d.make = func(n int) *modelSim {
		m := newModelSim()
		m.obliging = true
		responses := 0
		m.answer = func(a leg.Ask) (string, int) {
			responses++
			id := fmt.Sprintf("%d-%d", n, responses)
			wait, length, calls := time.Duration(inner.IntN(600))*ms, inner.IntN(6000), inner.IntN(5) == 0 && !a.NoTools
			if calls {
				toolCalls++
			}
			call := fmt.Sprintf("c%d", toolCalls)
			go func() { // generated in pieces, at twice real time
				time.Sleep(wait)
				m.begins("r"+id, "a"+id)
				for at := 0; at < length; at += 200 {
					m.say(leg.ModelEvent{Kind: leg.ModelText, ResponseID: "r" + id, ItemID: "a" + id, Text: fmt.Sprint("w", at, " ")},
						leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "r" + id, ItemID: "a" + id, Audio: make([]byte, 200*bytesPerMs)})
					time.Sleep(100 * ms)
				}
				m.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r" + id, ItemID: "a" + id, ItemType: "message", Status: "completed"})
				if calls {
					m.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r" + id, ItemID: "f" + id, ItemType: "function_call", Status: "completed", CallID: call, Text: "look_up", Arguments: "{}"})
				}
				m.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: "r" + id, Status: "completed"})
			}()
			return "", -1
		}
		return m
	}
	slow := time.Duration(rnd.IntN(8000)) * ms
	r := redialRig(t, d, rigOptions{way: ways[rnd.IntN(len(ways))], tool: func(ctx context.Context, _ tool.Call) tool.Result {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
		return tool.Result{Output: "found", Outcome: "ok"}
	}})
	current := func() *modelSim {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.all[len(d.all)-1]
	}
	turns, losses := 0, 0
	for range 12 {
		switch rnd.IntN(3) {
		case 0, 1:
			turns++
			id := fmt.Sprint("u", turns)
			m := current()
			m.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: id, AudioMs: int64(max(0, m.heard()/bytesPerMs-300))})
			time.Sleep(time.Duration(rnd.IntN(2000)) * ms)
			m.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: id, AudioMs: int64(m.heard() / bytesPerMs)},
				leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: id})
			if rnd.IntN(3) > 0 {
				m.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: id, Text: "said " + id})
			}
		case 2:
			if losses < 3 {
				losses++
				refusals.Store(rnd.Int32N(3))
				current().vanish()
			}
		}
		time.Sleep(time.Duration(rnd.IntN(3000)) * ms)
	}
	time.Sleep(40 * time.Second) // whatever was under way is over
	if r.over() {
		t.Fatalf("the call ended: %+v", r.wait())
	}
	before := r.carrier.playedMs()
	m := current()
	m.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: "last"}, leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "last"},
		leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "last"})
	time.Sleep(30 * time.Second)
	if r.carrier.playedMs() == before && len(m.asked()) == 0 {
		t.Error("the caller is not answered any more")
	}
	// What a session was told first must be a conversation that the model accepts: no result before its call.
	for n, m := range d.all {
		called := map[string]bool{}
		for _, line := range m.log() {
			f := strings.Fields(line)
			if f[0] == "create" {
				break // from here on the session has calls of its own
			}
			if f[0] == "call" {
				called[f[1]] = true
			}
			if f[0] == "result" && !called[f[1]] {
				t.Errorf("session %d was told %q before its call", n, line)
			}
		}
	}
	for _, e := range find[parley.ErrorData](r.tape, parley.EventError) {
		t.Errorf("on record: %+v", e)
	}
	r.stop()
}
