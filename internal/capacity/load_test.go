package capacity

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoadHasHysteresis reads one letter for each second: b bad, g good, m between.
func TestLoadHasHysteresis(t *testing.T) {
	t.Parallel()
	samples := map[rune][]Sample{
		'b': {{Scheduler: 50 * time.Millisecond}, {Frames: 100, Late: 6}, {CPU: 0.97}},
		'g': {{}, {Scheduler: time.Millisecond, Frames: 1000, Late: 5, CPU: 0.5}, {Frames: 10, Late: 10}},
		'm': {{Scheduler: 30 * time.Millisecond}, {Frames: 100, Late: 4}, {CPU: 0.9}},
	}
	for seconds, want := range map[string]bool{
		"": false, "bb": false, "bbb": true, "bbgbbgbb": false, "bbmb": false,
		"bbbgggg": true, "bbbggggg": false, "bbbggggmgggg": true, "bbbmmmmmmmm": true,
		"bbbgggggbb": false, "bbbgggggbbb": true,
	} {
		for kind := range 3 {
			var l load
			for _, s := range seconds {
				l.observe(samples[s][kind])
			}
			if l.overloaded != want {
				t.Errorf("%q (kind %d): overloaded %v", seconds, kind, l.overloaded)
			}
		}
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	bounds := []float64{math.Inf(-1), 0.001, 0.01, 0.1, math.Inf(1)}
	for _, c := range []struct {
		counts []uint64
		want   time.Duration
	}{
		{[]uint64{0, 0, 0, 0}, 0}, {[]uint64{100, 0, 0, 0}, 0}, {[]uint64{99, 0, 1, 0}, 0}, {[]uint64{98, 0, 2, 0}, 10 * time.Millisecond},
		{[]uint64{0, 0, 0, 5}, 100 * time.Millisecond},
	} {
		var total uint64
		for _, n := range c.counts {
			total += n
		}
		if got := quantile(bounds, c.counts, total, 0.99); got != c.want {
			t.Errorf("%v: %v, want %v", c.counts, got, c.want)
		}
	}
}

// TestWatchCountsLateFrames lets most frames of some seconds be late.
func TestWatchCountsLateFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent, late atomic.Int64
		var logs strings.Builder
		w := NewWatch(func() (int64, int64) { return sent.Load(), late.Load() }, slog.New(slog.NewTextHandler(&logs, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		synctest.Wait()
		second := func(lateOf100 int64) {
			sent.Add(100)
			late.Add(lateOf100)
			time.Sleep(sampleEvery)
			synctest.Wait()
		}
		for range badInARow {
			if w.Overloaded() {
				t.Error("overloaded too soon")
			}
			second(50)
		}
		if !w.Overloaded() || w.Last().Late != 50 || !strings.Contains(logs.String(), "overloaded=true") {
			t.Errorf("not overloaded after %d bad seconds: %+v\n%s", badInARow, w.Last(), logs.String())
		}
		cancel()
		<-done
	})
}

func TestProcessMeasuresItself(t *testing.T) {
	t.Parallel()
	m := newMeter(func() (int64, int64) { return 0, 0 })
	for n := 0; ; n++ { // burn until the clocks of the operating system have moved
		if s := m.sample(); s.CPU > 0 {
			if s.CPU > 4 || s.Scheduler < 0 {
				t.Errorf("sample %+v", s)
			}
			return
		}
		if n > 1e7 {
			t.Fatal("no CPU time was used")
		}
	}
}
