package rehearsal

import (
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/sim/model"
)

const ms = time.Millisecond

// cuts is a network that breaks more than half of the sockets within the first seconds of their life.
var cuts = Weather{Cuts: .6, CutFrom: 500 * ms, CutTo: 5 * time.Second}

func (w Weather) with(change func(*Weather)) Weather {
	change(&w)
	return w
}

var chaosCases = map[string]ChaosOptions{
	"delays and pieces at both": {
		Carrier:  Weather{Seed: 1, Delay: 30 * ms, Jitter: 60 * ms, Splits: .2},
		Upstream: Weather{Seed: 2, Delay: 40 * ms, Jitter: 100 * ms, Splits: .3},
	},
	"stalls at both": {
		Carrier:  Weather{Seed: 3, StallEvery: 2500 * ms, Stall: 400 * ms, Splits: .1},
		Upstream: Weather{Seed: 4, StallEvery: 3100 * ms, Stall: 900 * ms, Jitter: 30 * ms},
	},
	"the model's sockets are cut": {
		Upstream: cuts.with(func(w *Weather) { w.Seed, w.Jitter, w.Splits = 5, 40*ms, .1 }),
		Model:    model.Options{LateDeltas: 5, TranscriptAfterResponse: true},
	},
	"the carrier's sockets are cut": {
		Carrier: cuts.with(func(w *Weather) { w.Seed, w.Jitter, w.Splits = 6, 40*ms, .1 }),
	},
	"both are cut": {
		Carrier:  cuts.with(func(w *Weather) { w.Seed, w.Jitter = 7, 20*ms }),
		Upstream: cuts.with(func(w *Weather) { w.Seed, w.Jitter = 8, 20*ms }),
	},
	"the model goes silent": { // nobody is told that its sockets are dead
		Upstream: cuts.with(func(w *Weather) { w.Seed, w.Cuts, w.Holes = 9, .8, 1 }),
	},
	"no stream lasts": { // these calls cannot be saved
		Carrier: Weather{Seed: 11, Cuts: 1, CutFrom: 500 * ms, CutTo: 2 * time.Second}, Storm: time.Minute, Calls: 4,
	},
}

// TestChaos: whatever the network does, every call ends well, is saved, or is ended with a notice and a reason, and
// leaves nothing behind. It has the process for itself, because descriptors are counted; all its calls are held at once.
func TestChaos(t *testing.T) { //nolint:paralleltest // see above
	before, goroutines := files(t), goleak.IgnoreCurrent()
	var all sync.WaitGroup
	for name, opt := range chaosCases {
		if opt.Storm == 0 {
			opt.Calls, opt.Storm = 6, 6*time.Second
		}
		all.Go(func() {
			began := time.Now()
			r, err := Chaos(t.Context(), opt)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, f := range r.Faults {
				t.Errorf("%s: %s", name, f)
			}
			t.Logf("%s: %d saved, %d ended %v; %d streams resumed, %d sessions redialed; carrier %+v, model %+v; phones late by %v; %v",
				name, r.Saved, r.Ended, r.Reasons, r.Resumed, r.Redialed, r.Carrier, r.Upstream, r.PhoneLate.Round(ms), time.Since(began).Round(ms))
			if opt.Carrier.Cuts > 0 && r.Resumed == 0 || opt.Upstream.Cuts > 0 && r.Redialed == 0 || opt.Carrier.Cuts == 1 && r.Ended == 0 {
				t.Errorf("%s: the weather was too good", name)
			}
		})
	}
	all.Wait()
	if err := goleak.Find(goroutines); err != nil {
		t.Error(err)
	}
	if after := files(t); after > before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
}

// files is how many descriptors this process has open; 0 where that cannot be seen.
func files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Log(err)
	}
	return len(entries)
}
