package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		started := make(chan struct{}, 1)
		b := newBench(t, st, nil, says("Hi"), hangs("Well", started), says("Next"))
		conv := b.say(t, "", "Hi").ConversationID
		run := b.start(t, conv, "Slow")
		<-started
		if _, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, ConversationID: conv, Message: "x"}); !parley.IsConflict(err) {
			t.Errorf("a second run: %v", err)
		}
		if got, ok := b.svc.Find(b.agent.OrgID, run.ID); !ok || got != run {
			t.Error("the run cannot be found")
		}
		if _, ok := b.svc.Find(parley.NewID(), run.ID); ok {
			t.Error("another organization finds the run")
		}
		run.cancel(errStopped)
		events, text := collect(t, run.Events())
		r, err := wait(t, run)
		if err != nil || r.Status != StatusStopped || r.Text != "Well" || text != "Well" || events[len(events)-1].Data != (DoneData{StatusStopped}) {
			t.Errorf("stopped run: %+v, %v, %+v", r, err, events)
		}
		if r := b.say(t, conv, "Next"); r.Text != "Next" {
			t.Errorf("after a stop: %+v", r)
		}
		if got := outline(b.model.request(2).Messages); !strings.Contains(got, "assistant:Well— user:Next") {
			t.Errorf("the model reads %s", got)
		}
	})
}

func TestConcurrentStarts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		started := make(chan struct{}, 8)
		b := newBench(t, st, nil, says("Hi"), hangs("Well", started))
		conv := b.say(t, "", "Hi").ConversationID
		errs := make(chan error, 8)
		for range 8 {
			go func() {
				_, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, ConversationID: conv, Message: "x"})
				errs <- err
			}()
		}
		won := 0
		for range 8 {
			if err := <-errs; err == nil {
				won++
			} else if !parley.IsConflict(err) {
				t.Errorf("unexpected %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d runs began, want 1", won)
		}
	})
}

// The client may leave at any time: what was accepted is answered.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := newBench(t, storetest.SQLite(t), nil, func(ctx context.Context, req openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
		<-release
		return says("Still here")(ctx, req, on)
	})
	ctx, cancel := context.WithCancel(t.Context())
	run, err := b.svc.Start(ctx, b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "Hi"})
	if err != nil {
		t.Fatal(err)
	}
	left := run.Subscribe(ctx, 0)
	cancel()
	close(release)
	for range left {
	}
	if r, err := wait(t, run); err != nil || r.Text != "Still here" {
		t.Errorf("result %+v, %v", r, err)
	}
}

func TestDeadlineAndClose(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	started := make(chan struct{}, 2)
	b := newBench(t, st, func(o *Options) { o.Deadline = 50 * time.Millisecond }, hangs("Well", started))
	r, err := wait(t, b.start(t, "", "Hi"))
	if parley.ErrorCode(err) != parley.CodeUnavailable || r.Status != StatusFailed || r.Text != "Well" {
		t.Errorf("deadline: %+v, %v", r, err)
	}
	<-started

	b = newBench(t, st, nil, hangs("Well", started))
	run := b.start(t, "", "Hi")
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan error, 1)
	go func() { closed <- b.svc.Close(ctx) }()
	cancel()
	if err := <-closed; !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	events, _ := collect(t, run.Events())
	if events[len(events)-1].Data != (DoneData{StatusFailed}) {
		t.Errorf("events %+v", events)
	}
	record := b.events(t, run.ConversationID)
	if last := record[len(record)-1]; decode[parley.RunData](last).Status != StatusFailed {
		t.Errorf("log %s", types(record))
	}
	if _, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "x"}); parley.ErrorCode(err) != parley.CodeUnavailable {
		t.Errorf("after Close: %v", err)
	}
}

// A run whose lease expired is replaced by the next message; the old one notices and touches nothing.
func TestLostLease(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		started := make(chan struct{}, 1)
		b := newBench(t, st, func(o *Options) { o.Lease = 300 * time.Millisecond }, says("Hi"), hangs("Old", started), says("New"))
		conv := b.say(t, "", "Hi").ConversationID
		run := b.start(t, conv, "Slow")
		<-started
		// Another process takes over, as after an expired lease.
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.FinishRun(ctx, b.agent.OrgID, run.ID, store.RunFailed, time.Now(), store.RunEnd{}); err != nil {
				return err
			}
			_, _, err := tx.RaiseEpoch(ctx, b.agent.OrgID, conv)
			return err
		})
		before := len(b.events(t, conv))
		r, err := wait(t, run)
		if parley.ErrorCode(err) != parley.CodeUnavailable || r.Status != StatusFailed {
			t.Errorf("lost run: %+v, %v", r, err)
		}
		if after := len(b.events(t, conv)); after != before {
			t.Errorf("the lost run wrote %d events", after-before)
		}
		if r := b.say(t, conv, "Next"); r.Text != "New" {
			t.Errorf("next run: %+v", r)
		}
	})
}

// Leases are renewed while a run lasts.
func TestLeaseIsRenewed(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	b := newBench(t, storetest.SQLite(t), func(o *Options) { o.Lease = 300 * time.Millisecond }, hangs("Well", started))
	run := b.start(t, "", "Hi")
	<-started
	first, err := b.st.FindRun(t.Context(), b.agent.OrgID, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		r, err := b.st.FindRun(t.Context(), b.agent.OrgID, run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if r.LeaseUntil.After(first.LeaseUntil.Add(time.Second)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the lease is not renewed")
		}
	}
	run.cancel(errStopped)
	if r, err := wait(t, run); err != nil || r.Status != StatusStopped {
		t.Errorf("result %+v, %v", r, err)
	}
}

// What a process that was killed left behind does not block the conversation.
func TestAfterCrash(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st, nil, says("Hi"), says("Next"))
		conv := b.say(t, "", "Hi").ConversationID
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			err := tx.CreateRun(ctx, b.agent.OrgID, store.Run{ID: parley.NewID(), ConversationID: conv, Owner: "dead", Status: store.RunRunning, LeaseUntil: time.Now().Add(-time.Second)})
			if err != nil {
				return err
			}
			epoch, seq, err := tx.RaiseEpoch(ctx, b.agent.OrgID, conv)
			if err != nil {
				return err
			}
			lost := []parley.Event{
				parley.NewEvent(parley.EventMessageUser, time.Now(), parley.MessageUserData{ItemID: "u", Text: "Lost?"}),
				parley.NewEvent(parley.EventToolStarted, time.Now(), parley.ToolStartedData{CallID: "z", Name: "current_time", Arguments: []byte("{}")}),
			}
			for i := range lost {
				lost[i].Seq = seq + 1 + int64(i)
			}
			return tx.AppendEvents(ctx, b.agent.OrgID, conv, epoch, lost)
		})
		b.say(t, conv, "Next")
		messages := b.model.request(1).Messages
		if got := outline(messages); !strings.Contains(got, "user:Lost? assistant:[z] tool:z user:Next") || !strings.Contains(fmt.Sprint(messages), unknownOutcome) {
			t.Errorf("the model reads %s", got)
		}
	})
}

func TestContextLength(t *testing.T) {
	t.Parallel()
	tooLong := &openai.ChatError{Kind: openai.ChatInvalid, Code: openai.ChatContextLength, Message: "too long"}
	long := strings.Repeat("word ", 2000)
	b := newBench(t, storetest.SQLite(t), nil, says("A"), says("B"), fails("", tooLong), fails("", tooLong), fails("", tooLong), fails("", tooLong), says("C"))
	conv := b.say(t, "", "1"+long).ConversationID
	b.say(t, conv, "2"+long)
	if r := b.say(t, conv, "3"); r.Text != "C" {
		t.Fatalf("result %+v", r)
	}
	before, after := len(b.model.request(2).Messages), len(b.model.request(6).Messages)
	if before != 6 || after != 4 {
		t.Errorf("%d messages, then %d", before, after)
	}
}

func TestMaxRuns(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	b := newBench(t, storetest.SQLite(t), func(o *Options) { o.MaxRuns = 1 }, hangs("Well", started), says("ok"))
	run := b.start(t, "", "Hi")
	<-started
	if _, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "x"}); parley.ErrorCode(err) != parley.CodeRateLimited {
		t.Errorf("over the limit: %v", err)
	}
	run.cancel(errStopped)
	if _, err := wait(t, run); err != nil {
		t.Fatal(err)
	}
}
