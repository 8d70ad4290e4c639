package chat

import (
	"context"
	"strings"
	"testing"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func (b *bench) retry(t *testing.T, runID string) Result {
	t.Helper()
	run, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: runID})
	if err != nil {
		t.Fatalf("retrying: %v", err)
	}
	r, err := wait(t, run)
	if err != nil {
		t.Fatalf("retried run: %v", err)
	}
	return r
}

func brief(m Messages) string {
	var out []string
	for _, m := range m.Messages {
		out = append(out, m.Role+":"+m.Text+":"+m.Status)
	}
	if m.Active != nil {
		out = append(out, "active")
	}
	return strings.Join(out, " ")
}

// An answer that is given again takes the place of the one before: for the visitor, and for the model.
func TestRetry(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		broken := &openai.ChatError{Kind: openai.ChatInterrupted, Message: "x"}
		b := newBench(t, st, nil, says("One"), asks("Let me see", timeCall("a")), fails("Tw", broken), says("Two"), says("Deux"), says("Three"))
		first := b.say(t, "", "1")
		run := b.start(t, first.ConversationID, "2")
		if _, err := wait(t, run); err == nil {
			t.Fatal("the second run did not fail")
		}
		shown := func(want string) {
			t.Helper()
			got, err := b.svc.Messages(t.Context(), b.agent.OrgID, first.ConversationID)
			if err != nil || brief(got) != want {
				t.Errorf("the visitor sees %s, %v; want %s", brief(got), err, want)
			}
		}
		shown("user:1:completed assistant:One:completed user:2:completed assistant:Let me see\n\nTw:failed")
		if _, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: first.RunID}); !parley.IsConflict(err) {
			t.Errorf("an older answer: %v", err)
		}
		two := b.retry(t, run.ID)
		deux := b.retry(t, two.RunID)
		shown("user:1:completed assistant:One:completed user:2:completed assistant:Deux:completed")
		for _, i := range []int{3, 4} {
			if got := outline(b.model.request(i).Messages); got != "system:Be brief. user:1 assistant:One user:2" {
				t.Errorf("the model reads %s", got)
			}
		}
		b.say(t, first.ConversationID, "3")
		if got := outline(b.model.request(5).Messages); got != "system:Be brief. user:1 assistant:One user:2 assistant:Deux user:3" {
			t.Errorf("afterwards the model reads %s", got)
		}
		if _, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: deux.RunID}); !parley.IsConflict(err) {
			t.Errorf("an answer that was followed by a message: %v", err)
		}
		if _, err := b.svc.Retry(t.Context(), parley.NewID(), RetryRequest{RunID: deux.RunID}); !parley.IsNotFound(err) {
			t.Errorf("another organization: %v", err)
		}
		if _, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: deux.RunID, VisitorID: "v2"}); !parley.IsNotFound(err) {
			t.Errorf("another visitor: %v", err)
		}
	})
}

func TestMessagesOfAnActiveRun(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 1)
	b := newBench(t, storetest.SQLite(t), nil, says("One"), hangs("Tw", started))
	conv := b.say(t, "", "1").ConversationID
	run := b.start(t, conv, "2")
	<-started
	got, err := b.svc.Messages(t.Context(), b.agent.OrgID, conv)
	if err != nil || brief(got) != "user:1:completed assistant:One:completed user:2:completed active" || got.Active.RunID != run.ID {
		t.Errorf("%s, %v", brief(got), err)
	}
	if _, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: run.ID}); !parley.IsConflict(err) {
		t.Errorf("retrying a running one: %v", err)
	}
	if err := b.svc.Stop(t.Context(), b.agent.OrgID, run.ID); err != nil {
		t.Fatal(err)
	}
	if r, err := wait(t, run); err != nil || r.Status != StatusStopped {
		t.Errorf("%+v, %v", r, err)
	}
	got, err = b.svc.Messages(t.Context(), b.agent.OrgID, conv)
	if err != nil || brief(got) != "user:1:completed assistant:One:completed user:2:completed assistant:Tw:stopped" {
		t.Errorf("%s, %v", brief(got), err)
	}
	if err := b.svc.Stop(t.Context(), b.agent.OrgID, run.ID); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
	if err := b.svc.Stop(t.Context(), b.agent.OrgID, parley.NewID()); !parley.IsNotFound(err) {
		t.Errorf("stopping nothing: %v", err)
	}
}

// A retry that its claim refuses changes nothing.
func TestRefusedRetry(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t), nil, says("One"), says("Two"))
	r := b.say(t, "", "1")
	over := parley.Errorf(parley.CodeRateLimited, "enough for today")
	_, err := b.svc.Retry(t.Context(), b.agent.OrgID, RetryRequest{RunID: r.RunID, Claim: func(context.Context, *store.Tx, string) error { return over }})
	if parley.ErrorCode(err) != parley.CodeRateLimited || b.model.count() != 1 {
		t.Errorf("%v, the model was asked %d times", err, b.model.count())
	}
	if got := b.retry(t, r.RunID); got.Text != "Two" {
		t.Errorf("afterwards: %+v", got)
	}
}
