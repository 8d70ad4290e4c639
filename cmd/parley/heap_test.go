package main

import (
	"runtime"
	"testing"
)

func TestHeadroom(t *testing.T) {
	t.Parallel()
	percent := leanHeap
	for i, c := range []struct {
		share float64
		want  int
	}{
		{0, leanHeap},                                            // calls only
		{0.01, leanHeap},                                         // a call is placed now and then
		{0.2, 2 * leanHeap}, {0.1, roomyHeap}, {0.05, roomyHeap}, // requests
		{0.02, roomyHeap}, // it stays while it is worth something
		{0.004, roomyHeap / 2}, {0.01, roomyHeap / 2}, {0, leanHeap}, {0, leanHeap},
	} {
		if percent = headroom(percent, c.share); percent != c.want {
			t.Fatalf("step %d, a share of %v: %d %%, want %d %%", i, c.share, percent, c.want)
		}
	}
}

func TestCollectingIsMeasured(t *testing.T) {
	t.Parallel()
	before := gcSeconds()
	runtime.GC()
	if after := gcSeconds(); after <= before {
		t.Errorf("%v s before a collection, %v s after it", before, after)
	}
}
