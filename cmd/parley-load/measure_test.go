package main

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	cases := []struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 50, 7},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{1, 2}, 50, 1},
		{[]time.Duration{1, 2, 3}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
		{hundred, 0, 1},
	}
	for _, c := range cases {
		if got := percentile(c.of, c.p); got != c.want {
			t.Errorf("percentile %v of %d times = %d, want %d", c.p, len(c.of), got, c.want)
		}
	}
}

func TestSpreadSortsWithoutChangingItsInput(t *testing.T) {
	t.Parallel()
	in := []time.Duration{3 * time.Millisecond, time.Millisecond, 2500 * time.Microsecond}
	if got, want := spreadOf(in), (spread{Count: 3, P50: 2.5, P99: 3, Max: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if in[0] != 3*time.Millisecond {
		t.Error("the input was sorted")
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	// A name with a space and a parenthesis moves naive field numbers.
	raw := []byte("4242 (par) ley) S 1 4242 4242 0 -1 4194560 900 0 0 0 150 75 0 0 20 0 9 0 100 1000000 2000 18446744073709551615\n")
	if got, err := parseStat(raw); err != nil || got != 2250*time.Millisecond {
		t.Errorf("got %v, %v, want 2.25s", got, err)
	}
	for _, bad := range []string{"", "1 parley S 1", "1 (parley) S 1 2 3", "1 (parley) S 1 2 3 4 5 6 7 8 9 10 x 75"} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}

func TestParseMachine(t *testing.T) {
	t.Parallel()
	got, err := parseMachine([]byte("cpu  100 20 30 4000 500 6 7 80 9 1\ncpu0 1 1 1 1 1 1 1 1 0 0\n"))
	if want := (machine{busy: 1630 * time.Millisecond, stolen: 800 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 seven 8"} {
		if got, err := parseMachine([]byte(bad)); err == nil {
			t.Errorf("%q gave %+v", bad, got)
		}
	}
}

func TestParseRSS(t *testing.T) {
	t.Parallel()
	if got, err := parseRSS([]byte("Name:\tparley\nVmHWM:\t  99 kB\nVmRSS:\t   50176 kB\nThreads:\t9\n")); err != nil || got != 50176<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, bad := range []string{"", "Name:\tzombie\n", "VmRSS:\tmany kB\n"} {
		if got, err := parseRSS([]byte(bad)); err == nil {
			t.Errorf("%q gave %d", bad, got)
		}
	}
}

// TestOwnProcess reads the real files: the kernel's format, not our idea of it.
func TestOwnProcess(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc on this system")
	}
	p := process{os.Getpid()}
	if d, err := p.cpu(); err != nil || d < 0 || d > time.Hour {
		t.Errorf("cpu %v, %v", d, err)
	}
	if m, err := machineCPU(); err != nil || m.busy <= 0 {
		t.Errorf("machine %+v, %v", m, err)
	}
	if n, err := p.rss(); err != nil || n < 1<<20 {
		t.Errorf("rss %d, %v", n, err)
	}
	if open, sockets, err := p.files(); err != nil || open < 3 || sockets > open {
		t.Errorf("%d files, %d sockets, %v", open, sockets, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	peak := p.peakRSS(ctx)
	cancel()
	if n := <-peak; n < 1<<20 {
		t.Errorf("peak %d", n)
	}
}

func TestGauge(t *testing.T) {
	t.Parallel()
	page := []byte("# HELP go_goroutines x\n# TYPE go_goroutines gauge\ngo_goroutines_max 9\ngo_goroutines 15\nbig 1.5e+06\n")
	if got, err := gauge(page, "go_goroutines"); err != nil || got != 15 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := gauge(page, "big"); err != nil || got != 1.5e6 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := gauge(page, "process_open_fds"); err == nil {
		t.Error("a missing metric was found")
	}
}

func TestStandingWithin(t *testing.T) {
	t.Parallel()
	before := standing{Goroutines: 15, Files: 20, Sockets: 1}
	for _, s := range []standing{{16, 20, 1}, {15, 21, 1}, {15, 20, 2}} {
		if s.within(before) {
			t.Errorf("%+v counts as no more than %+v", s, before)
		}
	}
	if !(standing{14, 20, 1}).within(before) || !before.within(before) {
		t.Error("no more counts as more")
	}
}

func TestPollStopsAtFinalErrors(t *testing.T) {
	t.Parallel()
	tries := 0
	err := poll(t.Context(), func() error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return final{os.ErrProcessDone}
	})
	if !errors.Is(err, os.ErrProcessDone) || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
