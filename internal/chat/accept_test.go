package chat

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// slowCommits opens a database whose every commit takes a while.
func slowCommits(t *testing.T, delay time.Duration) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "parley.db"), CommitDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// The model is asked while the message is being committed, and nothing that it says is there before.
func TestModelIsAskedDuringTheCommit(t *testing.T) {
	t.Parallel()
	asked, answered := make(chan struct{}), make(chan struct{})
	b := newBench(t, slowCommits(t, 500*time.Millisecond), nil, func(ctx context.Context, req openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
		close(asked)
		defer close(answered)
		return says("Hello")(ctx, req, on)
	})
	done := make(chan *Run, 1)
	go func() {
		run, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "Hi"})
		if err != nil {
			t.Error(err)
		}
		done <- run
	}()
	<-asked
	select {
	case <-done:
		t.Fatal("the message was accepted before the model was asked")
	default:
	}
	b.svc.mu.Lock()
	for _, r := range b.svc.runs {
		if text := r.answer(); text != "" {
			t.Errorf("%q can be read before the commit", text)
		}
	}
	b.svc.mu.Unlock()
	select {
	case <-answered:
		t.Error("the model's words did not wait for the commit")
	default:
	}
	run := <-done
	if r, err := wait(t, run); err != nil || r.Text != "Hello" || run.CommitWait < 400*time.Millisecond {
		t.Errorf("result %+v, %v, waited %v", r, err, run.CommitWait)
	}
}

// A message that cannot be committed leaves nothing, and the model is told to forget it.
func TestFailedCommitLeavesNothing(t *testing.T) {
	t.Parallel()
	canceled := make(chan error, 1)
	b := newBench(t, slowCommits(t, 2*time.Second), nil, func(ctx context.Context, _ openai.ChatRequest, _ func(string)) (openai.ChatAnswer, error) {
		<-ctx.Done()
		canceled <- context.Cause(ctx)
		return openai.ChatAnswer{}, context.Cause(ctx)
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // shorter than a commit takes
	defer cancel()
	if run, err := b.svc.Start(ctx, b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "Hi"}); err == nil {
		t.Fatalf("accepted as %s", run.ID)
	}
	if err := <-canceled; !errors.Is(err, errRetracted) {
		t.Errorf("the model was canceled with %v", err)
	}
	if _, n, err := b.st.ListConversations(t.Context(), b.agent.OrgID, parley.ConversationFilter{}); err != nil || n != 0 {
		t.Errorf("%d conversations are left, %v", n, err)
	}
	if b.svc.Active() != 0 || len(b.svc.runs) != 0 {
		t.Errorf("%d turns and %d runs are left", b.svc.Active(), len(b.svc.runs))
	}
}

// The model is not asked for a message that is refused, however it is refused.
func TestRefusedMessageAsksNobody(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st, nil, says("Hi"))
		over := parley.Errorf(parley.CodeRateLimited, "enough for today")
		for name, req := range map[string]Request{
			"claim":            {AgentID: b.agent.ID, Message: "x", Claim: func(context.Context, *store.Tx, string) error { return over }},
			"no conversation":  {AgentID: b.agent.ID, Message: "x", ConversationID: parley.NewID()},
			"another's":        {AgentID: b.agent.ID, Message: "x", ConversationID: b.say(t, "", "1").ConversationID, VisitorID: "v2"},
			"not an id at all": {AgentID: b.agent.ID, Message: "x", ConversationID: "1"},
		} {
			before := b.model.count()
			if _, err := b.svc.Start(t.Context(), b.agent.OrgID, req); err == nil {
				t.Errorf("%s: accepted", name)
			}
			if n := b.model.count() - before; n != 0 {
				t.Errorf("%s: the model was asked %d times", name, n)
			}
		}
	})
}

// The same message sent again, also while the first one is on its way, is one message.
func TestClientMessageID(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st, nil, says("Hi"))
		req := Request{AgentID: b.agent.ID, Message: "Hello", VisitorID: "v1", ClientMessageID: "m1", Origin: "https://example.com"}
		var mu sync.Mutex
		runs := map[*Run]bool{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				run, err := b.svc.Start(t.Context(), b.agent.OrgID, req)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				runs[run] = true
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(runs) != 1 {
			t.Fatalf("%d runs", len(runs))
		}
		var first *Run
		for first = range runs {
		}
		r, err := wait(t, first)
		if err != nil || b.model.count() != 1 {
			t.Fatalf("%v, the model was asked %d times", err, b.model.count())
		}
		conv, err := st.FindConversation(t.Context(), b.agent.OrgID, r.ConversationID)
		if err != nil || conv.VisitorID != "v1" || conv.Origin != "https://example.com" {
			t.Errorf("conversation %+v, %v", conv, err)
		}

		other := newBench(t, st, nil, says("never"))
		other.agent = b.agent
		again, err := other.svc.Start(t.Context(), b.agent.OrgID, req)
		if err != nil || again.ID != first.ID || again.UserMessageID != first.UserMessageID || other.model.count() != 0 {
			t.Errorf("in another process: %+v, %v", again, err)
		}
		different := req
		different.Message = "Bye"
		if _, err := b.svc.Start(t.Context(), b.agent.OrgID, different); !parley.IsConflict(err) || !strings.Contains(err.Error(), "clientMessageId") {
			t.Errorf("another text: %v", err)
		}
		stranger := req
		stranger.VisitorID = "v2"
		if run, err := b.svc.Start(t.Context(), b.agent.OrgID, stranger); err != nil || run.ID == first.ID {
			t.Errorf("another visitor: %v", err)
		}
		next := req
		next.ConversationID, next.ClientMessageID = r.ConversationID, "m2"
		run, err := b.svc.Start(t.Context(), b.agent.OrgID, next)
		if err != nil || run.ID == first.ID || run.ConversationID != r.ConversationID {
			t.Errorf("the next message: %v", err)
		}
	})
}
