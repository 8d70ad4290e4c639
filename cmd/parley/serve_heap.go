package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much garbage may pile up before it is collected, in percent of what lives. Live calls make next to none, and
// every call's memory would count twice for nothing; requests of the API make much, and would be collected for all
// the time.
const (
	leanHeap  = 25  // where it begins, and returns to
	roomyHeap = 100 // Go's own
	heapEvery = 2 * time.Second
	// Shares of one processor that collecting takes: from dearGC on there is more room, below cheapGC less. They are
	// further apart than a step changes them.
	dearGC  = 0.03
	cheapGC = 0.005
)

// headroom is the percentage after a time in which collecting took a share of one processor.
func headroom(percent int, share float64) int {
	switch {
	case share >= dearGC:
		return min(2*percent, roomyHeap)
	case share < cheapGC:
		return max(percent/2, leanHeap)
	}
	return percent
}

// keepHeapLean keeps the heap's headroom small while collecting is cheap. An operator who sets GOGC decides himself.
func (a *app) keepHeapLean(context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	before := debug.SetGCPercent(leanHeap)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(heapEvery)
		defer tick.Stop()
		percent, spent := leanHeap, gcSeconds()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			now := gcSeconds()
			next := headroom(percent, (now-spent)/heapEvery.Seconds())
			if spent = now; next != percent {
				percent = next
				debug.SetGCPercent(percent)
			}
		}
	}()
	a.onClose("heap watch", func(context.Context) error {
		close(quit)
		<-done
		debug.SetGCPercent(before)
		return nil
	})
	return nil
}

// gcSeconds is the processor time that collecting has taken from others so far.
func gcSeconds() (sum float64) {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}, {Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"}, {Name: "/cpu/classes/gc/pause:cpu-seconds"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindFloat64 {
			sum += s.Value.Float64()
		}
	}
	return sum
}
