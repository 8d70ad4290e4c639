package limit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2)
		var now, most atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				release, err := s.Acquire(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); {
					old = most.Load()
				}
				time.Sleep(time.Millisecond) // of the bubble: the others have come as far as they can
				now.Add(-1)
				release()
			})
		}
		wg.Wait()
		if most.Load() > 2 || len(s.keys) != 0 {
			t.Errorf("%d at once; %d keys remembered", most.Load(), len(s.keys))
		}
	})
}

func TestSlotsOfOthers(t *testing.T) {
	t.Parallel()
	s := NewSlots(1)
	release, err := s.Acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := s.Acquire(t.Context(), "b"); err != nil {
		t.Error(err)
	} else {
		other()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Acquire(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("beyond the slots: %v", err)
	}
	release()
	if len(s.keys) != 0 {
		t.Errorf("%d keys remembered", len(s.keys))
	}
}
