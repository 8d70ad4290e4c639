package limit

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if runAsNode() {
		return
	}
	goleak.VerifyTestMain(m)
}

// virtual is a clock that tests move.
type virtual struct{ ns atomic.Int64 }

func (v *virtual) now() time.Time          { return time.Unix(1e9, v.ns.Load()) }
func (v *virtual) advance(d time.Duration) { v.ns.Add(int64(d)) }

// patient is New for tests that are about no deadline: the machine may be busy.
func patient(o Options) *Limiter {
	l := New(o)
	l.shared.deadline = time.Minute
	return l
}

func take(t testing.TB, l *Limiter, key string, perMinute int) Decision {
	t.Helper()
	d, err := l.Take(t.Context(), key, perMinute)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// In any window, whatever the requests' times, no more than limit + limit × seconds / 60 pass.
func TestNoWindowHasMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + r.IntN([]int{3, 60, 700}[seed%3])
		interval := time.Minute / time.Duration(limit)
		clock := &virtual{}
		l := New(Options{Now: clock.now})
		var allowed []int64
		for range 3000 {
			switch r.IntN(3) {
			case 0:
				clock.advance(time.Duration(r.Int64N(int64(2 * interval))))
			case 1:
				if r.IntN(200) == 0 {
					clock.advance(time.Duration(r.Int64N(int64(2 * time.Minute))))
				}
			}
			if take(t, l, "a", limit).Allowed {
				allowed = append(allowed, clock.ns.Load())
			}
		}
		for i := range allowed {
			for j := i + limit; j < len(allowed); j++ {
				theory := float64(limit) + float64(limit)*float64(allowed[j]-allowed[i])/6e10
				if float64(j-i+1) > theory+1e-6 {
					t.Fatalf("seed %d, limit %d: %d requests in %v", seed, limit, j-i+1, time.Duration(allowed[j]-allowed[i]))
				}
			}
		}
	}
}

func TestWholeLimitPassesAtOnceAndAgainAfterReset(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 7, 59, 600, 99_999} {
		clock := &virtual{}
		l := New(Options{Now: clock.now})
		for round := range 2 {
			for n := range limit {
				d := take(t, l, "a", limit)
				if !d.Allowed || d.Limit != limit || d.Remaining != limit-n-1 || (d.RetryAfter == 0) != (d.Remaining > 0) {
					t.Fatalf("limit %d, round %d, request %d: %+v", limit, round, n, d)
				}
			}
			d := take(t, l, "a", limit)
			if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 0 || d.Reset < time.Minute || d.Reset > time.Minute+time.Millisecond {
				t.Fatalf("limit %d: %+v", limit, d)
			}
			clock.advance(d.Reset)
		}
	}
}

// A client that waits for as long as it was told, or for as long as the header says, is not refused again.
func TestSequentialClientIsNeverRefusedTwice(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 7, 60, 600, 601, 7000, 1_000_003} {
		clock := &virtual{}
		l := New(Options{Now: clock.now})
		refusals := 0
		for n := 0; n < 2*limit+100 && refusals < 200; n++ {
			d := take(t, l, "a", limit)
			if d.Allowed {
				continue
			}
			refusals++
			wait := d.RetryAfter
			if refusals%2 == 0 {
				wait = time.Duration(retryAfterHeader(t, d)) * time.Second
			}
			clock.advance(wait)
			if again := take(t, l, "a", limit); !again.Allowed {
				t.Fatalf("limit %d: refused for %v, and then %+v", limit, wait, again)
			}
		}
		if refusals == 0 {
			t.Errorf("limit %d: never refused", limit)
		}
	}
}

func TestChangedLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	clock := &virtual{}
	l := New(Options{Now: clock.now})
	for range 600 {
		take(t, l, "a", 600)
	}
	clock.advance(15 * time.Second) // a quarter is back
	for _, c := range []struct{ limit, remaining int }{{600, 149}, {6000, 1489}, {60, 13}} {
		if d := take(t, l, "a", c.limit); !d.Allowed || d.Limit != c.limit || d.Remaining != c.remaining {
			t.Errorf("with a limit of %d: %+v", c.limit, d)
		}
	}
	for take(t, l, "a", 60).Allowed {
	}
	if slow, fast := take(t, l, "a", 60), take(t, l, "a", 6000); fast.RetryAfter >= slow.RetryAfter {
		t.Errorf("raising the limit did not help: %v, then %v", slow.RetryAfter, fast.RetryAfter)
	}
}

func TestOddLimitsAndClocks(t *testing.T) {
	t.Parallel()
	clock := &virtual{}
	l := New(Options{Now: clock.now})
	if a, b := take(t, l, "zero", 0), take(t, l, "zero", -5); !a.Allowed || a.Limit != 1 || b.Allowed {
		t.Errorf("%+v, %+v", a, b)
	}
	if d := take(t, l, "much", 1<<40); !d.Allowed || d.Limit != maxPerMinute {
		t.Errorf("%+v", d)
	}
	for range 10 {
		take(t, l, "back", 10)
	}
	clock.advance(-24 * time.Hour)
	if d := take(t, l, "back", 10); d.Allowed || d.Reset > time.Minute {
		t.Errorf("a clock set back: %+v", d)
	}
	if !take(t, l, "other", 1).Allowed {
		t.Error("keys are not apart")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	clock := &virtual{}
	l := New(Options{Now: clock.now})
	for range 100 {
		take(t, l, "guilty", 100)
	}
	for n := range 2 * maxKeys {
		take(t, l, fmt.Sprint(n), 100)
		if got := len(l.own.buckets.entries); got > maxKeys || got != len(l.own.buckets.index) {
			t.Fatalf("%d keys are held, %d found", got, len(l.own.buckets.index))
		}
	}
	if take(t, l, "guilty", 100).Allowed {
		t.Error("a flood of keys made an empty bucket forgotten")
	}
	clock.advance(2 * time.Minute) // all are full again: few new ones sweep them away
	for n := range maxKeys / 4 {
		take(t, l, fmt.Sprint("new", n), 100)
	}
	if got := len(l.own.buckets.entries); got > maxKeys/4+1 {
		t.Errorf("%d full buckets were kept", got-maxKeys/4)
	}
}
