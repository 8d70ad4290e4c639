package log_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// block keeps the one writer of a SQLite store busy until release is called: a database that does not keep up.
func block(t *testing.T, st *store.Store) (release func()) {
	t.Helper()
	held, free, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := st.Write(context.Background(), func(*store.Tx) error {
			close(held)
			<-free
			return nil
		})
		if err != nil {
			t.Errorf("blocking: %v", err)
		}
	}()
	await(t, "the writer", held)
	release = sync.OnceFunc(func() {
		close(free)
		<-ended
	})
	t.Cleanup(release)
	return release
}

// big is a fact of 64 KiB.
var big = parley.DTMFData{Digit: strings.Repeat("x", 64<<10)}

func TestConversationEndsAtItsBound(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id, w := h.open(t)
	otherID, other := h.open(t)
	release := block(t, h.st)

	facts, telemetry := 0, 0
	for ; w.Err() == nil && facts < 100; facts++ {
		w.Fact("fact", big)
		w.Telemetry("telemetry", big)
		telemetry++
	}
	await(t, "the bound", w.Done())
	if !errors.Is(w.Err(), log.ErrOverBound) {
		t.Fatalf("err = %v", w.Err())
	}
	if s := h.log.Stats(); s.PendingBytes < 3<<20 || s.PendingBytes > 4<<20 || s.Dropped == 0 || s.Lost != 0 {
		t.Errorf("at the bound: %+v", s)
	}
	w.Fact("last words", nil)
	other.Fact("fact", nil)
	ended := make(chan error, 1)
	go func() { ended <- w.Intent(context.Background(), "ended", nil) }()
	for range 100 { // nobody listens to Done: the hard bound holds
		w.Fact("too much", big)
	}
	s := h.log.Stats()
	if s.PendingBytes > 4<<20+1<<10 || s.Lost == 0 {
		t.Errorf("at the hard bound: %+v", s)
	}
	if other.Err() != nil || h.log.Backlogged() {
		t.Errorf("one conversation alone: %v, backlogged %v", other.Err(), h.log.Backlogged())
	}
	release()
	if err := <-ended; err != nil && !errors.Is(err, log.ErrOverBound) {
		t.Errorf("the end could not be appended: %v", err)
	}
	h.close(t)

	var kept, gaps, last int
	var dropped int64
	for _, e := range h.events(t, id) {
		switch e.Type {
		case "fact":
			kept++
		case "last words":
			last++
		case parley.EventGap:
			var gap parley.GapData
			if err := json.Unmarshal(e.Data, &gap); err != nil {
				t.Fatal(err)
			}
			gaps++
			dropped += gap.Dropped
		}
	}
	if kept != facts || last != 1 {
		t.Errorf("%d of %d facts were kept, %d last words", kept, facts, last)
	}
	if final := h.log.Stats(); gaps == 0 || dropped != final.Dropped || final.Dropped >= int64(telemetry) {
		t.Errorf("%d gaps say %d events were dropped; %d of %d were", gaps, dropped, final.Dropped, telemetry)
	}
	if got := types(h.events(t, otherID)); got != "fact" {
		t.Errorf("the other conversation is %q", got)
	}
}

func TestBackloggedAtAQuarterOfTheProcessBound(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	var writers []*log.Writer
	for range 6 {
		_, w := h.open(t)
		writers = append(writers, w)
	}
	release := block(t, h.st)
	for i, w := range writers {
		if i == 4 && h.log.Backlogged() {
			t.Errorf("backlogged at %d bytes", h.log.Stats().PendingBytes)
		}
		for range 50 { // 3.2 MiB
			w.Fact("fact", big)
		}
	}
	if !h.log.Backlogged() {
		t.Errorf("not backlogged at %d bytes", h.log.Stats().PendingBytes)
	}
	release()
	h.close(t)
	if s := h.log.Stats(); h.log.Backlogged() || s.Lost != 0 || s.PendingBytes != 0 || s.Rows != 300 {
		t.Errorf("afterwards: %+v", s)
	}
}

func TestIntentFailsAtItsDeadlineAndIsNotWrittenLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id, w := h.open(t)
	release := block(t, h.st)
	w.Fact("before", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := w.Intent(ctx, "intent", nil, func(context.Context, *store.Tx) error {
		t.Error("an abandoned intent's function ran")
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("err = %v", err)
	}
	w.Fact("after", nil)
	release()
	h.close(t)
	if got := types(h.events(t, id)); got != "before after" {
		t.Errorf("log is %q", got)
	}
}

func TestWaitingConversationsComeFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	_, busy := h.open(t)
	id, w := h.open(t)
	release := block(t, h.st)
	for range 2000 {
		busy.Fact("fact", nil)
	}
	at := make(chan int64, 1)
	go func() {
		if err := w.Intent(context.Background(), "intent", nil); err != nil {
			t.Error(err)
		}
		at <- h.log.Stats().Rows
	}()
	release()
	if rows := <-at; rows >= 2000 {
		t.Errorf("the intent waited for %d facts of another conversation", rows)
	}
	h.close(t)
	if n := len(h.events(t, id)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id, w := h.open(t)
	release := block(t, h.st)
	for range 3 {
		w.Fact("fact", nil)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := h.log.Close(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events") {
		t.Errorf("err = %v", err)
	}
	w.Fact("late", nil)
	if err := w.Intent(t.Context(), "late", nil); !errors.Is(err, log.ErrClosed) {
		t.Errorf("intent on a closed log: %v", err)
	}
	release()
	if n := len(h.events(t, id)); n != 0 {
		t.Errorf("%d events were written after Close had given up", n)
	}
}

func BenchmarkFact(b *testing.B) {
	h := newHouse(b, storetest.SQLite(b))
	_, w := h.open(b)
	data := parley.PlayoutPositionData{ItemID: "item_0123456789", HeardMs: 12345}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Fact(parley.EventPlayoutPosition, data)
		if i%2000 == 1999 { // stay below the bound; the commit counts as well
			if err := w.Intent(b.Context(), "flush", nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkIntent(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		b.Run(name, func(b *testing.B) {
			h := newHouse(b, open(b))
			_, w := h.open(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Intent(b.Context(), "intent", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
