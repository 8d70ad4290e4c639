package chat

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// neighbor is another process on the same database.
func (b *bench) neighbor(t *testing.T, owner string, answers ...answerFunc) *bench {
	t.Helper()
	n := newBench(t, b.st, func(o *Options) { o.Owner = owner }, answers...)
	n.agent = b.agent
	return n
}

// babbles says random pieces of random characters.
func babbles(seed uint64) answerFunc {
	return func(ctx context.Context, req openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
		r := rand.New(rand.NewPCG(seed, 0))
		var pieces []string
		for range 1 + r.IntN(60) {
			piece := make([]rune, 1+r.IntN(40))
			for i := range piece {
				piece[i] = []rune("aé漢😀 \n")[r.IntN(6)]
			}
			pieces = append(pieces, string(piece))
		}
		return says(pieces...)(ctx, req, on)
	}
}

// A run that is read back from the store, by a process that never saw it, tells every reader the same as the run
// itself, wherever the reader goes on.
func TestStoredRunIsTheSame(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		calls := func(id string, n int) (out []openai.ChatToolCall) {
			for i := range n {
				out = append(out, openai.ChatToolCall{ID: fmt.Sprint(id, i), Name: "current_time", Arguments: fmt.Sprintf(`{"timezone":"Etc/GMT+%d"}`, i)})
			}
			return out
		}
		for name, answers := range map[string][]answerFunc{
			"long":          {babbles(1)},
			"tools":         {asks("Let mé see.", calls("a", 3)...), asks("", calls("b", 1)...), babbles(2)},
			"only tools":    {asks("", calls("a", 4)...), says("5")},
			"fails":         {asks("", calls("a", 2)...), fails("Half", &openai.ChatError{Kind: openai.ChatInterrupted})},
			"fails at once": {fails("", &openai.ChatError{Kind: openai.ChatAuth})},
			"NUL":           {says("a\x00b", "\xff", "c")},
		} {
			b := newBench(t, st, nil, answers...)
			run := b.start(t, "", "Hi")
			original, _ := wait(t, run)
			n := b.neighbor(t, "neighbor", says("never"))
			stored, err := n.svc.Recall(t.Context(), b.agent.OrgID, run.ID)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all := drain(run, 0)
			for after := int64(-1); after <= all[len(all)-1].ID+1; after++ {
				if got, want := show(drain(stored, after)), show(drain(run, after)); got != want {
					t.Fatalf("%s, after %d: %q, want %q", name, after, got, want)
				}
			}
			if fmt.Sprint(dataOf(drain(stored, 0))) != fmt.Sprint(dataOf(all)) {
				t.Errorf("%s: %v, want %v", name, dataOf(drain(stored, 0)), dataOf(all))
			}
			copied, _ := wait(t, stored)
			if copied.Text != original.Text || copied.MessageID != original.MessageID || copied.Usage != original.Usage || len(copied.ToolCalls) != len(original.ToolCalls) {
				t.Errorf("%s: result %+v, want %+v", name, copied, original)
			}
		}
	})
}

func dataOf(events []Event) (out []any) {
	for _, e := range events {
		out = append(out, e.Data)
	}
	return out
}

// An answer is stored once, whatever its length: chunks are added and never written again.
func TestChunksHoldTheAnswerOnce(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	var pieces []string
	for i := range 5000 {
		pieces = append(pieces, fmt.Sprint("word", i, " "))
	}
	b := newBench(t, st, nil, says(pieces...))
	r := b.say(t, "", "Hi")
	chunks, err := st.ListChunks(t.Context(), b.agent.OrgID, r.RunID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, c := range chunks {
		text.WriteString(c.Text)
	}
	if text.String() != r.Text {
		t.Errorf("%d characters are stored, want %d", text.Len(), len(r.Text))
	}
	if len(chunks) > len(pieces)/5 { // by length alone it is a hundredth
		t.Errorf("%d chunks for %d pieces", len(chunks), len(pieces))
	}
}

// talks says what it is told to say, until it is told to stop.
func talks(words <-chan string) answerFunc {
	return func(ctx context.Context, req openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
		var said []string
		for {
			select {
			case w, ok := <-words:
				if !ok {
					return says(said...)(ctx, req, func(string) {})
				}
				said = append(said, w)
				on(w)
			case <-ctx.Done():
				return openai.ChatAnswer{Text: strings.Join(said, ""), FirstByte: 1}, context.Cause(ctx)
			}
		}
	}
}

// next returns the next event of a reader.
func next(t *testing.T, events <-chan Event) Event {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return Event{}
}

// hear reads deltas until they make up a text.
func hear(t *testing.T, events <-chan Event, want string) (last Event) {
	t.Helper()
	got := ""
	for got != want {
		last = next(t, events)
		d, ok := last.Data.(DeltaData)
		if got += d.Text; !ok || !strings.HasPrefix(want, got) {
			t.Fatalf("got %q and %+v, want %q", got, last, want)
		}
	}
	return last
}

// A reader in another process gets the answer while it is written, shares it with others there, and may stop it.
func TestFollowElsewhere(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		words := make(chan string)
		b := newBench(t, st, nil, talks(words))
		run := b.start(t, "", "Hi")
		n := b.neighbor(t, "neighbor", says("never"))
		follow := func(after int64) <-chan Event {
			t.Helper()
			events, err := n.svc.Follow(t.Context(), b.agent.OrgID, run.ID, after)
			if err != nil {
				t.Fatal(err)
			}
			return events
		}
		early := follow(0)
		words <- "Once upon "
		if e := hear(t, early, "Once upon "); e.ID != 10 {
			t.Errorf("id %d", e.ID)
		}
		words <- "a time"
		hear(t, early, "a time")
		late := follow(5)
		hear(t, late, "upon a time")
		n.svc.mu.Lock()
		if n.svc.mirrors != 1 {
			t.Errorf("%d mirrors", n.svc.mirrors)
		}
		n.svc.mu.Unlock()
		if _, err := n.svc.Follow(t.Context(), parley.NewID(), run.ID, 0); !parley.IsNotFound(err) {
			t.Errorf("another organization: %v", err)
		}
		if err := n.svc.Stop(t.Context(), b.agent.OrgID, run.ID); err != nil {
			t.Fatal(err)
		}
		if !st.Shared() { // where there is no other process its keeper does not look
			if err := b.svc.stopWished(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, events := range []<-chan Event{early, late} {
			if e := next(t, events); e.Type != EventRunCompleted || e.Data != (DoneData{StatusStopped}) || e.ID != 17 {
				t.Errorf("the end: %+v", e)
			}
		}
		if r, err := wait(t, run); err != nil || r.Status != StatusStopped || r.Text != "Once upon a time" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// kill makes the runs of a process look as if it had died.
func (b *bench) kill(t *testing.T, owner string) {
	t.Helper()
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExpireRuns(ctx, owner)
		return err
	})
}

// stored waits until so much text of a run is in the store.
func (b *bench) stored(t *testing.T, runID string, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		chunks, err := b.st.ListChunks(t.Context(), b.agent.OrgID, runID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, c := range chunks {
			got.WriteString(c.Text)
		}
		if got.String() == text {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("stored: %q, want %q", got.String(), text)
		}
	}
}

// What a process that died had said is kept and shown as failed. A reader who had seen more than was stored gets the end
// and nothing twice.
func TestLostRun(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		words := make(chan string)
		b := newBench(t, st, nil, asks("See:", timeCall("a")), talks(words))
		run := b.start(t, "", "Hi")
		words <- "Once upon"
		b.stored(t, run.ID, "See:\n\nOnce upon")
		n := b.neighbor(t, "neighbor", says("Better"))
		b.kill(t, "test")
		const whole = "4:See: 5<tool.started> 6<tool.completed> 15:\n\nOnce upon 16777216<error> 16777217<run.completed>"
		for after, want := range map[int64]string{0: whole, 9: "15:e upon 16777216<error> 16777217<run.completed>", 99: "16777216<error> 16777217<run.completed>"} {
			events, err := n.svc.Follow(t.Context(), b.agent.OrgID, run.ID, after)
			if err != nil {
				t.Fatal(err)
			}
			got, _ := collect(t, events)
			if show(got) != want {
				t.Errorf("after %d: %q, want %q", after, show(got), want)
			}
			if end := got[len(got)-1]; end.Data != (DoneData{StatusFailed}) {
				t.Errorf("the end %+v", end)
			}
		}
		shown, err := n.svc.Messages(t.Context(), b.agent.OrgID, run.ConversationID)
		if err != nil || brief(shown) != "user:Hi:completed assistant:See:\n\nOnce upon:failed" {
			t.Errorf("the visitor sees %s, %v", brief(shown), err)
		}
		conv, err := st.FindConversation(t.Context(), b.agent.OrgID, run.ConversationID)
		if exact := parley.Project(b.events(t, run.ConversationID)).Summary; err != nil || conv.Summary == nil || *conv.Summary != exact {
			t.Errorf("summary %+v, want %+v, %v", conv.Summary, exact, err)
		}
		b.svc.renew() // the old owner, if it lives after all, learns it
		if r, err := wait(t, run); err == nil || r.Status != StatusFailed {
			t.Errorf("the old owner: %+v, %v", r, err)
		}
		if r := n.retry(t, run.ID); r.Text != "Better" {
			t.Errorf("retried: %+v", r)
		}
		if got := outline(n.model.request(0).Messages); got != "system:Be brief. user:Hi" {
			t.Errorf("the model reads %s", got)
		}
	})
}

// A run whose process died before it had said or done anything is begun again, once, and whoever follows it gets the
// answer.
func TestLostRunBeginsAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		silent := func(ctx context.Context, _ openai.ChatRequest, _ func(string)) (openai.ChatAnswer, error) {
			<-ctx.Done()
			return openai.ChatAnswer{}, context.Cause(ctx)
		}
		b := newBench(t, st, nil, says("One"), silent)
		conv := b.say(t, "", "1").ConversationID
		run := b.start(t, conv, "2")
		third := b.neighbor(t, "third", silent)
		mirrored, err := third.svc.Follow(t.Context(), b.agent.OrgID, run.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := b.neighbor(t, "neighbor", says("Two"))
		b.svc.forsake() // these do not look after lost runs
		third.svc.forsake()
		b.kill(t, "test")
		events, err := n.svc.Follow(t.Context(), b.agent.OrgID, run.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, text := collect(t, events)
		if text != "Two" || got[0].ID != attemptIDs+3 || got[len(got)-1].Data != (DoneData{StatusCompleted}) {
			t.Errorf("%s", show(got))
		}
		if got := outline(n.model.request(0).Messages); got != "system:Be brief. user:1 assistant:One user:2" {
			t.Errorf("the model reads %s", got)
		}
		// Somebody who had seen words of the first attempt that were never stored does not get both answers mixed.
		again, err := n.svc.Recall(t.Context(), b.agent.OrgID, run.ID)
		if err != nil || show(drain(again, 1)) != "16777220<message.completed> 16777221<run.completed>" {
			t.Errorf("%s, %v", show(drain(again, 1)), err)
		}
		for range mirrored {
			t.Error("the third process knew more than it could")
		}
		b.svc.renew()
		if _, err := wait(t, run); err == nil {
			t.Error("the old owner still answers")
		}
		record := b.events(t, conv)
		summary := parley.Project(record).Summary
		c, err := st.FindConversation(t.Context(), b.agent.OrgID, conv)
		if err != nil || *c.Summary != summary {
			t.Errorf("summary %+v, want %+v, %v", c.Summary, summary, err)
		}
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	asked := make(chan struct{}, 10)
	silent := func(ctx context.Context, _ openai.ChatRequest, _ func(string)) (openai.ChatAnswer, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return openai.ChatAnswer{}, context.Cause(ctx)
	}
	b := newBench(t, st, nil, silent)
	run := b.start(t, "", "Hi")
	<-asked
	b.kill(t, "test")
	<-asked // the keeper of the same process has begun it again
	b.kill(t, "test")
	events, err := b.neighbor(t, "neighbor", silent).svc.Follow(t.Context(), b.agent.OrgID, run.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, text := collect(t, events)
	if text != "" || got[len(got)-1].Data != (DoneData{StatusFailed}) {
		t.Errorf("%s", show(got))
	}
	if len(asked) > 0 {
		t.Error("it was begun a third time")
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	p := peers{}
	beat := int64(1)
	for range deadBeats {
		beat++
		if dead := p.look([]store.Process{{ID: "me", Beat: 1}, {ID: "lives", Beat: beat}, {ID: "hangs", Beat: 5}}, "me"); len(dead) > 0 {
			t.Fatalf("dead too early: %v", dead)
		}
	}
	if dead := p.look([]store.Process{{ID: "me", Beat: 1}, {ID: "lives", Beat: beat + 1}, {ID: "hangs", Beat: 5}}, "me"); !slices.Equal(dead, []string{"hangs"}) {
		t.Errorf("dead: %v", dead)
	}
	if dead := p.look([]store.Process{{ID: "hangs", Beat: 6}}, "me"); !slices.Equal(dead, []string{"lives"}) {
		t.Errorf("dead: %v", dead)
	}
}
