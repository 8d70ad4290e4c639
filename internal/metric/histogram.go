package metric

import (
	"math"
	"slices"
	"sync/atomic"
)

// Histogram counts values by size with plain atomics: an owner observes, a Registry reads. Make it with
// NewHistogram. Safe for concurrent use and without a lock.
type Histogram struct {
	bounds []float64 // upper, ascending
	counts []atomic.Int64
	sum    atomic.Uint64 // bits of a float64
}

// NewHistogram makes a histogram with these upper bounds, ascending; larger values are counted beyond the last.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Int64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Count is how many values were observed.
func (h *Histogram) Count() int64 {
	n, _, _ := h.read()
	return int64(n)
}

// read returns what Prometheus wants: the cumulative counts under each bound.
func (h *Histogram) read() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(h.bounds))
	for i := range h.counts {
		count += uint64(h.counts[i].Load())
		if i < len(h.bounds) {
			buckets[h.bounds[i]] = count
		}
	}
	return count, math.Float64frombits(h.sum.Load()), buckets
}
