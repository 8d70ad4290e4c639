package capacity

import (
	"context"
	"log/slog"
	"math"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// Watch measures how late the process is, once a second. Make it with NewWatch; Run it. Safe for concurrent use.
type Watch struct {
	frames func() (sent, late int64) // counters
	logger *slog.Logger

	overloaded atomic.Bool
	last       atomic.Pointer[Sample]
}

// NewWatch makes a Watch. frames reads two counters of the process: frames sent to callers, and of those the late ones.
func NewWatch(frames func() (sent, late int64), logger *slog.Logger) *Watch {
	w := &Watch{frames: frames, logger: logger}
	w.last.Store(&Sample{})
	return w
}

// Overloaded reports whether the process should take no new call.
func (w *Watch) Overloaded() bool { return w.overloaded.Load() }

// Last returns the newest sample.
func (w *Watch) Last() Sample { return *w.last.Load() }

// Run measures until ctx is done.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var verdict load
	meter := newMeter(w.frames)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := meter.sample()
		w.last.Store(&s)
		before := verdict.overloaded
		verdict.observe(s)
		w.overloaded.Store(verdict.overloaded)
		if verdict.overloaded != before {
			w.logger.LogAttrs(ctx, slog.LevelWarn, "load changed", slog.Bool("overloaded", verdict.overloaded),
				slog.Duration("scheduler_p99", s.Scheduler), slog.Float64("late_frames", s.lateShare()), slog.Float64("cpu", s.CPU))
		}
	}
}

// meter makes samples from counters.
type meter struct {
	frames     func() (sent, late int64)
	sent, late int64
	at         time.Time
	cpu        time.Duration
	sched      []metrics.Sample
	counts     []uint64
}

func newMeter(frames func() (sent, late int64)) *meter {
	m := &meter{frames: frames, sched: []metrics.Sample{{Name: "/sched/latencies:seconds"}}}
	m.sample()
	return m
}

func (m *meter) sample() Sample {
	now, cpu := time.Now(), cpuTime()
	sent, late := m.frames()
	s := Sample{Frames: sent - m.sent, Late: late - m.late, Scheduler: m.scheduler()}
	if wall := now.Sub(m.at); wall > 0 && !m.at.IsZero() {
		s.CPU = float64(cpu-m.cpu) / (float64(wall) * float64(runtime.GOMAXPROCS(0)))
	}
	m.at, m.cpu, m.sent, m.late = now, cpu, sent, late
	return s
}

// scheduler is the 99th percentile of the waits since the last time.
func (m *meter) scheduler() time.Duration {
	metrics.Read(m.sched)
	if m.sched[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := m.sched[0].Value.Float64Histogram()
	if len(m.counts) != len(h.Counts) {
		m.counts = make([]uint64, len(h.Counts))
	}
	delta := make([]uint64, len(h.Counts))
	var total uint64
	for i, n := range h.Counts {
		delta[i] = n - m.counts[i]
		total += delta[i]
	}
	copy(m.counts, h.Counts)
	return quantile(h.Buckets, delta, total, schedQuantile)
}

// quantile returns the lower bound of the bucket that holds the q-quantile; bucket i is from bounds[i] to bounds[i+1].
func quantile(bounds []float64, counts []uint64, total uint64, q float64) time.Duration {
	if total == 0 {
		return 0
	}
	rest := uint64(math.Ceil(float64(total) * q))
	for i, n := range counts {
		if n >= rest {
			if math.IsInf(bounds[i], -1) {
				return 0
			}
			return time.Duration(bounds[i] * float64(time.Second))
		}
		rest -= n
	}
	return 0
}
