package main

import (
	"math"
	"slices"
	"time"
)

// spread is a distribution of times, in milliseconds.
type spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50Ms"`
	P99   float64 `json:"p99Ms"`
	Max   float64 `json:"maxMs"`
}

func spreadOf(times []time.Duration) spread {
	s := slices.Sorted(slices.Values(times))
	return spread{Count: len(s), P50: ms(percentile(s, 50)), P99: ms(percentile(s, 99)), Max: ms(percentile(s, 100))}
}

// percentile returns the smallest of the sorted times that at least p percent do not exceed (nearest rank); 0
// for none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// ms is a time in milliseconds, rounded to microseconds.
func ms(d time.Duration) float64 { return round(float64(d)/float64(time.Millisecond), 3) }

// round cuts a figure to so many decimals, for JSON.
func round(v float64, decimals int) float64 {
	f := math.Pow10(decimals)
	return math.Round(v*f) / f
}
