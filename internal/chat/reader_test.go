package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func testRun() *Run {
	r := newRun("org", "agent", "conversation")
	_, r.cancel = context.WithCancelCause(context.Background())
	return r
}

func drain(r *Run, after int64) (events []Event) {
	rd := r.reader(after)
	defer r.leave(rd)
	events, _ = rd.take()
	return events
}

func show(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		switch d := e.Data.(type) {
		case DeltaData:
			fmt.Fprintf(&b, "%d:%s ", e.ID, d.Text)
		default:
			fmt.Fprintf(&b, "%d<%s> ", e.ID, e.Type)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestReplay(t *testing.T) {
	t.Parallel()
	r := testRun()
	r.addText("Let mé")
	r.addText(" see.")
	r.add(EventToolStarted, ToolData{"a", "f"})
	r.add(EventToolCompleted, ToolData{"a", "f"})
	r.addText("\n\n")
	if got := show(drain(r, 0)); got != "11:Let mé see. 12<tool.started> 13<tool.completed>" {
		t.Errorf("text that has no id of its own yet must wait: %q", got)
	}
	r.addText("Noon")
	r.add(EventMessageCompleted, MessageData{"m", "…"})
	r.end(time.Now(), Result{Status: StatusCompleted}, nil)
	for after, want := range map[int64]string{
		-1:  "11:Let mé see. 12<tool.started> 13<tool.completed> 17:\n\nNoon 18<message.completed> 19<run.completed>",
		0:   "11:Let mé see. 12<tool.started> 13<tool.completed> 17:\n\nNoon 18<message.completed> 19<run.completed>",
		6:   "11: see. 12<tool.started> 13<tool.completed> 17:\n\nNoon 18<message.completed> 19<run.completed>",
		11:  "12<tool.started> 13<tool.completed> 17:\n\nNoon 18<message.completed> 19<run.completed>",
		12:  "13<tool.completed> 17:\n\nNoon 18<message.completed> 19<run.completed>",
		13:  "17:\n\nNoon 18<message.completed> 19<run.completed>",
		15:  "17:on 18<message.completed> 19<run.completed>",
		17:  "18<message.completed> 19<run.completed>",
		18:  "19<run.completed>",
		19:  "",
		999: "",
	} {
		if got := show(drain(r, after)); got != want {
			t.Errorf("after %d: %q, want %q", after, got, want)
		}
	}
}

// An answer that is shorter than the events before it still arrives whole, and ids still increase.
func TestShortAnswer(t *testing.T) {
	t.Parallel()
	r := testRun()
	for range 3 {
		r.add(EventToolStarted, ToolData{"a", "f"})
	}
	r.addText("5")
	r.add(EventMessageCompleted, MessageData{"m", "5"})
	r.end(time.Now(), Result{Status: StatusCompleted}, nil)
	if got := show(drain(r, 3)); got != "4:5 5<message.completed> 6<run.completed>" {
		t.Errorf("got %q", got)
	}
	if got := show(drain(r, 4)); got != "5<message.completed> 6<run.completed>" {
		t.Errorf("got %q", got)
	}
}

// Everybody gets the same text, whenever they come and however slowly they read, and nobody delays the run.
func TestManyReaders(t *testing.T) {
	t.Parallel()
	r := testRun()
	stuck := r.Subscribe(t.Context(), 0) // never read
	fast := r.Events()
	var want strings.Builder
	for i := range 1000 {
		s := fmt.Sprintf("wörd%d ", i)
		want.WriteString(s)
		r.addText(s)
	}
	late := r.Subscribe(t.Context(), 3)
	r.end(time.Now(), Result{Status: StatusCompleted, Text: want.String()}, nil)
	if _, text := collect(t, fast); text != want.String() {
		t.Error("the fast reader got another text")
	}
	if events, text := collect(t, late); text != string([]rune(want.String())[3:]) || len(events) != 2 {
		t.Errorf("the late reader got %d events", len(events))
	}
	if result, err := r.Wait(t.Context()); err != nil || result.Text != want.String() {
		t.Errorf("result %+v, %v", result, err)
	}
	if _, text := collect(t, stuck); text != want.String() {
		t.Error("the slow reader got another text")
	}
	if n := len(r.readers); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

// A sink that has failed is left, at the latest with the next beat, and a silent run beats.
func TestPourLeavesABrokenSink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := testRun()
		r.addText("one")
		to := &brittle{beats: 3}
		r.Pour(t.Context(), 0, to, time.Minute)
		if to.sent != 1 || to.beats != 0 || len(r.readers) != 0 {
			t.Errorf("sent %d, %d beats to go, %d readers left", to.sent, to.beats, len(r.readers))
		}
		r.end(time.Now(), Result{}, errors.New("x"))
	})
}

// brittle is a sink that breaks at its last beat.
type brittle struct{ sent, beats int }

func (b *brittle) Send(int64, string, any) { b.sent++ }
func (b *brittle) Beat()                   { b.beats-- }
func (b *brittle) Err() error {
	if b.beats > 0 {
		return nil
	}
	return errors.New("broken")
}

func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	r := testRun()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// FuzzReplay builds a run from bytes and reads it in two parts, torn anywhere: nothing is lost or doubled.
func FuzzReplay(f *testing.F) {
	f.Add([]byte("ab\x00\x00c\x00def"), 2)
	f.Add([]byte("\x00\x00\x00a"), 4)
	f.Fuzz(func(t *testing.T, plan []byte, tear int) {
		r := testRun()
		for _, b := range plan {
			if b == 0 {
				r.add(EventToolStarted, ToolData{})
			} else {
				r.addText(string(rune(b)) + "é")
			}
		}
		r.end(time.Now(), Result{}, nil)
		all := drain(r, 0)
		chars := int64(0)
		for i, e := range all {
			if i > 0 && e.ID <= all[i-1].ID {
				t.Fatalf("ids: %s", show(all))
			}
			if d, ok := e.Data.(DeltaData); ok {
				chars += int64(utf8.RuneCountInString(d.Text))
				if e.ID < chars || i == 0 && e.ID != chars {
					t.Fatalf("delta ids: %s", show(all))
				}
			}
		}
		k := max(tear, -tear) % len(all)
		if k < 0 {
			k = 0
		}
		if again := show(drain(r, all[k].ID)); again != show(all[k+1:]) {
			t.Fatalf("after %d: %q, want %q", all[k].ID, again, show(all[k+1:]))
		}
	})
}

// BenchmarkDelta measures one delta on its way through a run with 1 and with 100 readers.
func BenchmarkDelta(b *testing.B) {
	for _, readers := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			r := testRun()
			gone := make(chan struct{}, readers)
			for range readers {
				ch := r.Subscribe(ctx, 0)
				go func() {
					for range ch {
					}
					gone <- struct{}{}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				r.addText("word ")
				if len(r.text) > 1<<16 { // an answer of usual size, again and again
					r.mu.Lock()
					r.text, r.chars = r.text[:0], 0
					for rd := range r.readers {
						rd.offset = 0
					}
					r.mu.Unlock()
				}
			}
			cancel()
			for range readers {
				<-gone
			}
		})
	}
}
