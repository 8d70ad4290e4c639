package voice

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

const ms = time.Millisecond

// ways are the roads to a carrier: near, far, uneven, and with a jitter of ±40 ms.
var ways = []way{
	{}, {up: 60 * ms, down: 60 * ms}, {up: 150 * ms, down: 150 * ms},
	{up: 150 * ms}, {down: 150 * ms}, {up: 60 * ms, down: 150 * ms},
	{up: 20 * ms, down: 20 * ms, jitter: 80 * ms}, {up: 110 * ms, down: 20 * ms, jitter: 80 * ms},
}

// cut is what the session said about an interruption, and what the far end had played by then.
type cut struct {
	said   parley.InterruptionData
	played int64
}

// bargeIn lets the caller speak now and waits until all of it has arrived.
func (r *rig) bargeIn() cut {
	r.t.Helper()
	before := len(find[parley.InterruptionData](r.tape, parley.EventInterruption))
	r.speechStarted()
	time.Sleep(500 * ms)
	cuts := find[parley.InterruptionData](r.tape, parley.EventInterruption)
	if len(cuts) != before+1 {
		r.t.Fatalf("%d interruptions, want %d", len(cuts), before+1)
	}
	return cut{cuts[before], r.carrier.playedMs()}
}

// right checks the heard position: it may be short of the truth by a frame and the jitter, beyond it only by
// as much as the road was slower than ever before.
func (c cut) right(t *testing.T, w way, since int64, what string) {
	t.Helper()
	low, high := int64(-25)-2*w.jitter.Milliseconds(), 5+w.jitter.Milliseconds()
	if diff := c.said.HeardMs - (c.played - since); diff < low || diff > high {
		t.Errorf("%s, %+v: heard %d ms, the far end played %d ms", what, w, c.said.HeardMs, c.played-since)
	}
	if c.said.HeardMs > c.said.ReceivedMs {
		t.Errorf("%s, %+v: heard %d ms of %d received", what, w, c.said.HeardMs, c.said.ReceivedMs)
	}
}

// onEveryWay runs a test on the virtual clock for each road.
func onEveryWay(t *testing.T, voice func(*parley.VoiceConfig), test func(t *testing.T, r *rig, w way)) {
	for _, w := range ways {
		t.Run(fmt.Sprintf("%v", w), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{way: w, voice: voice})
				test(t, r, w)
				r.stop()
			})
		})
	}
}

func TestHeardAtEveryMoment(t *testing.T) {
	for _, after := range []time.Duration{180, 300, 500, 1017, 2503} {
		onEveryWay(t, nil, func(t *testing.T, r *rig, w way) {
			r.ready()
			time.Sleep(time.Second)
			r.turnEnds("u1")
			r.reply("r1", "a1", words, 4000)
			r.responseDone("r1", "completed")
			time.Sleep(after*ms + w.up)
			r.bargeIn().right(t, w, 0, fmt.Sprint("after ", after))
		})
	}
}

// TestHeardWhenTheProbeComesBackLate: the greeting begins while the probe mark is still on its way.
func TestHeardWhenTheProbeComesBackLate(t *testing.T) {
	greet := func(v *parley.VoiceConfig) { v.Greeting = "Hello" }
	for _, begin := range []time.Duration{1, 100, 200, 280} {
		onEveryWay(t, greet, func(t *testing.T, r *rig, w way) {
			time.Sleep(begin * ms)
			r.ready()
			r.reply("r1", "a1", words, 3000)
			r.responseDone("r1", "completed")
			time.Sleep(155*ms + w.up) // before the first mark of this audio can be back on the far roads
			r.bargeIn().right(t, w, 0, fmt.Sprint("greeting after ", begin))
		})
	}
}

// TestHeardAfterAnUnderrun: the model pauses in the middle of an item, for less and for more than a round trip.
func TestHeardAfterAnUnderrun(t *testing.T) {
	for _, pause := range []time.Duration{620, 760, 1500} {
		onEveryWay(t, nil, func(t *testing.T, r *rig, w way) {
			r.ready()
			time.Sleep(time.Second)
			r.turnEnds("u1")
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			r.part("r1", "a1", words, 480) // whole frames and marks
			time.Sleep(pause * ms)
			r.part("r1", "a1", words, 2000)
			time.Sleep(155*ms + w.up)
			r.bargeIn().right(t, w, 0, fmt.Sprint("underrun of ", pause))
			if r.session.ledger.underruns != 1 {
				t.Errorf("%d underruns", r.session.ledger.underruns)
			}
		})
	}
}

// TestHeardAfterAClear: the echoes that the clear sets free come while the next answer plays, and count for
// nothing.
func TestHeardAfterAClear(t *testing.T) {
	onEveryWay(t, nil, func(t *testing.T, r *rig, w way) {
		r.ready()
		time.Sleep(time.Second)
		r.turnEnds("u1")
		r.reply("r1", "a1", words, 4000)
		r.responseDone("r1", "completed")
		time.Sleep(777 * ms)
		r.speechStarted()
		r.turnEnds("u2")
		r.reply("r2", "b1", words, 4000)
		r.responseDone("r2", "completed")
		time.Sleep(w.up + w.jitter/2) // the clear has arrived, the new answer begins
		first := r.carrier.playedMs()
		time.Sleep(120 * ms)
		c := r.bargeIn()
		if c.said.ItemID != "b1" {
			t.Errorf("interrupted %s", c.said.ItemID)
		}
		c.right(t, w, first, "after a clear")
	})
}

// TestTwoBargeInsAtOnce: the second finds nothing to cut, and then a new answer that has hardly begun.
func TestTwoBargeInsAtOnce(t *testing.T) {
	onEveryWay(t, nil, func(t *testing.T, r *rig, _ way) {
		r.ready()
		time.Sleep(time.Second)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.part("r1", "a1", words, 4000)
		time.Sleep(time.Second)
		r.speechStarted()
		time.Sleep(100 * ms)
		r.turnEnds("u2")
		r.speechStarted()
		time.Sleep(100 * ms)
		r.responseDone("r1", "cancelled")
		r.turnEnds("u3")
		time.Sleep(500 * ms)
		log := strings.Join(r.model.log(), "\n")
		if strings.Count(log, "cancel r1") != 1 || strings.Count(log, "truncate a1/0 ") != 1 || r.carrier.clears != 1 || creates(r) != 2 {
			t.Errorf("%d clears, model was told:\n%s", r.carrier.clears, log)
		}
	})
}

// TestTruncationIsNeverBeyondWhatWasReceived: odd lengths, late echoes, every moment.
func TestTruncationIsNeverBeyondWhatWasReceived(t *testing.T) {
	for after := time.Duration(0); after < 900; after += 83 {
		onEveryWay(t, nil, func(t *testing.T, r *rig, _ way) {
			r.ready()
			r.turnEnds("u1")
			time.Sleep(ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			r.part("r1", "a1", words, 333)
			time.Sleep(after * ms)
			r.speechStarted()
			time.Sleep(500 * ms)
			for _, l := range r.model.log() {
				var at int64
				if n, _ := fmt.Sscanf(l, "truncate a1/0 %d", &at); n == 1 && (at <= 0 || at > 333) {
					t.Errorf("after %d ms: %s", after, l)
				}
			}
		})
	}
}

// FuzzParseMark: names of marks come from outside.
func FuzzParseMark(f *testing.F) {
	for _, s := range []string{"g0.1", "g-1.2", "g", "", "g1.", ".1", "g1.2.3", "ｇ1.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var l ledger
		l.acknowledge(s, time.Now())
		if l.acked != 0 || l.rttKnown {
			t.Errorf("%q acknowledged something", s)
		}
	})
}
