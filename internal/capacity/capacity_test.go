package capacity

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const promise = 30 * time.Second

// TestSlotsComeBackAfterEveryKindOfEnd fills a process with one slot and looks whether the slot is free again, for
// every way in which a call can end.
func TestSlotsComeBackAfterEveryKindOfEnd(t *testing.T) {
	cases := map[string]struct {
		call func(c *Capacity)
		free bool
	}{
		"ringing":                            {func(*Capacity) {}, false},
		"never answered":                     {func(*Capacity) { time.Sleep(promise) }, true},
		"canceled by the carrier":            {func(c *Capacity) { c.Forget("a") }, true},
		"talking":                            {func(c *Capacity) { c.Enter("a", "o"); time.Sleep(time.Hour) }, false},
		"ended":                              {func(c *Capacity) { c.Enter("a", "o"); c.Leave("a") }, true},
		"final status, then the session":     {func(c *Capacity) { c.Enter("a", "o"); c.Forget("a"); c.Leave("a") }, true},
		"session, then the final status":     {func(c *Capacity) { c.Enter("a", "o"); c.Leave("a"); c.Forget("a") }, true},
		"final status while talking":         {func(c *Capacity) { c.Enter("a", "o"); c.Forget("a") }, false},
		"detached and gone":                  {func(c *Capacity) { c.Enter("a", "o"); c.Leave("a") }, true},
		"resumed":                            {func(c *Capacity) { c.Enter("a", "o"); c.Leave("a"); c.Expect("a", "o") }, false},
		"resumed, but never came back":       {func(c *Capacity) { c.Enter("a", "o"); c.Leave("a"); c.Expect("a", "o"); time.Sleep(promise) }, true},
		"replaced by another stream":         {func(c *Capacity) { c.Enter("a", "o"); c.Expect("a", "o"); c.Enter("a", "o"); c.Leave("a") }, false},
		"replaced and both ended":            {func(c *Capacity) { c.Enter("a", "o"); c.Enter("a", "o"); c.Leave("a"); c.Leave("a") }, true},
		"old session ends before the new":    {func(c *Capacity) { c.Enter("a", "o"); c.Expect("a", "o"); c.Leave("a") }, false},
		"webhook repeated, then ended":       {func(c *Capacity) { c.Admit("a", "o"); c.Enter("a", "o"); c.Leave("a") }, true},
		"a promise does not end a long call": {func(c *Capacity) { c.Enter("a", "o"); c.Expect("a", "o"); time.Sleep(time.Hour) }, false},
	}
	for name, tc := range cases {
		synctest.Test(t, func(t *testing.T) {
			c := New(Options{Max: 1, Promise: promise})
			if r := c.Admit("a", "o"); r != Admitted {
				t.Fatalf("%s: the first call: %s", name, r)
			}
			tc.call(c)
			want := Full
			if tc.free {
				want = Admitted
			}
			if got := c.Exhausted(); got != want {
				t.Errorf("%s: %q before the next call, want %q", name, got, want)
			}
			if got := c.Admit("b", "o"); got != want {
				t.Errorf("%s: the next call: %q, want %q", name, got, want)
			}
			if tc.free && c.Used() != 1 || c.Refused().Get("full") != map[bool]int64{true: 0, false: 1}[tc.free] {
				t.Errorf("%s: %d used, %d refused", name, c.Used(), c.Refused().Get("full"))
			}
		})
	}
}

func TestKnownCallsAreNotRefused(t *testing.T) {
	t.Parallel()
	c := New(Options{Max: 1, Promise: promise})
	c.Admit("a", "o")
	if r := c.Admit("a", "o"); r != Admitted {
		t.Errorf("the same webhook again: %s", r)
	}
	c.Expect("b", "o") // resumes on this process, which is full
	c.Enter("b", "o")
	c.Enter("c", "o") // its ticket was given by another process
	if c.Used() != 3 || c.Admit("d", "o") != Full {
		t.Errorf("%d used", c.Used())
	}
}

func TestOrganizationsHaveTheirShare(t *testing.T) {
	t.Parallel()
	c := New(Options{Max: 3, MaxEach: 2, Promise: promise})
	for i, want := range []Refusal{Admitted, Admitted, Organization} {
		if got := c.Admit(fmt.Sprint("a", i), "one"); got != want {
			t.Errorf("call %d of one: %q, want %q", i, got, want)
		}
	}
	if c.Exhausted() != Admitted || c.Admit("b", "two") != Admitted || c.Admit("c", "two") != Full {
		t.Error("another organization did not get the last slot")
	}
}

func TestOverloadRefusesOnlyWithoutAConfiguredLimit(t *testing.T) {
	t.Parallel()
	over := func() bool { return true }
	measured, configured := New(Options{Promise: promise, Overloaded: over}), New(Options{Max: 9, Promise: promise, Overloaded: over})
	if measured.Exhausted() != Admitted || measured.Admit("a", "o") != Admitted {
		t.Error("a process without calls refused the first one")
	}
	if measured.Exhausted() != Overloaded || measured.Admit("b", "o") != Overloaded || measured.Admit("a", "o") != Admitted {
		t.Error("an overloaded process took another call")
	}
	configured.Admit("a", "o")
	if configured.Admit("b", "o") != Admitted {
		t.Error("the measurement overruled the configured limit")
	}
}

func TestCapacityIsExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	c := New(Options{Max: 10, Promise: promise})
	var wg sync.WaitGroup
	admitted := make(chan string, 100)
	for i := range 100 {
		wg.Go(func() {
			if id := fmt.Sprint(i); c.Admit(id, "o") == Admitted {
				c.Enter(id, "o")
				admitted <- id
			}
		})
	}
	wg.Wait()
	close(admitted)
	if len(admitted) != 10 {
		t.Fatalf("%d admitted", len(admitted))
	}
	for id := range admitted {
		wg.Go(func() { c.Leave(id) })
	}
	wg.Wait()
	if c.Used() != 0 {
		t.Errorf("%d slots leaked", c.Used())
	}
}
