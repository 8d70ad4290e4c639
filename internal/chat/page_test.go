package chat

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

// pageBench is a bench whose agent has a client tool, show_product, of some seconds.
func pageBench(t *testing.T, st *store.Store, seconds int, answers ...answerFunc) *bench {
	t.Helper()
	b := newBench(t, st, func(o *Options) { o.Tools = tool.New(tool.Options{Store: st}) }, answers...)
	tl := parley.Tool{
		ID: parley.NewID(), OrgID: b.agent.OrgID, Name: "Show product", FunctionName: "show_product", Description: "D", Kind: parley.ToolClient,
		Parameters: json.RawMessage(`{"type":"object"}`), Access: parley.AccessWrite, Client: &parley.ClientTool{TimeoutSeconds: seconds},
		CreatedAt: storetest.Now(), UpdatedAt: storetest.Now(),
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateTool(ctx, b.agent.OrgID, store.SealedTool{Tool: tl})
	})
	b.agent = b.addAgent(t, b.agent.OrgID, func(a *parley.Agent) { a.ToolIDs = []string{tl.ID, "current_time"} })
	return b
}

func (b *bench) startOnPage(t *testing.T, tools ...string) *Run {
	t.Helper()
	run, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, Message: "Show it", ClientTools: tools})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func showCall(id string) openai.ChatToolCall {
	return openai.ChatToolCall{ID: id, Name: "show_product", Arguments: `{"sku": 7}`}
}

// requested follows a run until the page is asked to run a tool.
func requested(t *testing.T, s *Service, run *Run) ToolRequestedData {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	events, err := s.Follow(ctx, run.OrgID, run.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for e := range events {
		if d, ok := e.Data.(ToolRequestedData); ok {
			return d
		}
	}
	t.Fatal("the page is not asked")
	return ToolRequestedData{}
}

func lastResult(b *bench) string {
	messages := b.model.request(b.model.count() - 1).Messages
	return messages[len(messages)-1].Text
}

func TestThePageRunsATool(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := pageBench(t, st, 30, asks("", showCall("a")), says("There it is."))
		run := b.startOnPage(t, "other", "show_product")
		d := requested(t, b.svc, run)
		if d.ID != "a" || d.Name != "show_product" || string(d.Arguments) != `{"sku": 7}` || !parley.IsID(d.RequestID) {
			t.Errorf("requested %+v", d)
		}
		for range 2 { // the answer to the first may have been lost
			if mine, err := b.svc.ClaimTool(t.Context(), run.OrgID, run.ID, d.RequestID, "one"); err != nil || !mine {
				t.Errorf("the first page: %v %v", mine, err)
			}
		}
		if mine, err := b.svc.ClaimTool(t.Context(), run.OrgID, run.ID, d.RequestID, "two"); err != nil || mine {
			t.Errorf("the second page: %v %v", mine, err)
		}
		answer := PageAnswer{RequestID: d.RequestID, Claim: "two", Result: json.RawMessage(`1`)}
		if err := b.svc.AnswerTool(t.Context(), run.OrgID, run.ID, answer); !parley.IsConflict(err) {
			t.Errorf("another page's answer: %v", err)
		}
		answer.Claim, answer.Result = "one", json.RawMessage(`{"shown":true,"note":"a\u0000\u202eb"}`)
		for range 2 { // sent again, it is as if it had been sent once
			if err := b.svc.AnswerTool(t.Context(), run.OrgID, run.ID, answer); err != nil {
				t.Fatal(err)
			}
		}
		res, err := wait(t, run)
		if err != nil || res.Text != "There it is." || res.ToolCalls[0].Outcome != tool.OutcomeOK {
			t.Fatalf("%+v %v", res, err)
		}
		if got := lastResult(b); !strings.HasPrefix(got, `{"note":`) || !strings.HasSuffix(got, `"result":{"shown":true,"note":"ab"}}`) {
			t.Errorf("the model sees %q", got)
		}
		if err := b.svc.AnswerTool(t.Context(), run.OrgID, run.ID, answer); err != nil {
			t.Errorf("sent once more after the end: %v", err)
		}
		if mine, err := b.svc.ClaimTool(t.Context(), run.OrgID, run.ID, d.RequestID, "one"); err != nil || mine {
			t.Errorf("a page that comes back claims: %v %v", mine, err)
		}
	})
}

// TestTheAnswerComesByAnotherProcess: pages follow and answer wherever they are led, and the run goes on where it is.
func TestTheAnswerComesByAnotherProcess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := pageBench(t, st, 30, asks("Let me see. ", showCall("a")), says("Done."))
		n := b.neighbor(t, "neighbor", says("never"))
		if st.Shared() {
			listenFor(t, b, n)
		}
		run := b.startOnPage(t, "show_product")
		d := requested(t, n.svc, run)
		if mine, err := n.svc.ClaimTool(t.Context(), run.OrgID, run.ID, d.RequestID, "c"); err != nil || !mine {
			t.Fatalf("claim: %v %v", mine, err)
		}
		err := n.svc.AnswerTool(t.Context(), run.OrgID, run.ID, PageAnswer{RequestID: d.RequestID, Claim: "c", Result: json.RawMessage(`"shown"`)})
		if err != nil {
			t.Fatal(err)
		}
		if !st.Shared() { // one file, one process: nobody tells it
			b.svc.o.Log.Bus().Publish(d.RequestID, 1)
		}
		res, err := wait(t, run)
		if err != nil || res.ToolCalls[0].Outcome != tool.OutcomeOK || !strings.HasSuffix(lastResult(b), `"result":"shown"}`) {
			t.Errorf("%+v %v", res, err)
		}
		stored, err := n.svc.Recall(t.Context(), run.OrgID, run.ID)
		if err == nil {
			_, err = wait(t, stored)
		}
		if err != nil || show(drain(stored, 0)) != show(drain(run, 0)) {
			t.Errorf("stored %q, was %q, %v", show(drain(stored, 0)), show(drain(run, 0)), err)
		}
	})
}

// listenFor lets processes hear each other, as a server's do.
func listenFor(t *testing.T, all ...*bench) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{}, len(all))
	for _, b := range all {
		go func() {
			b.svc.o.Log.Bus().Listen(ctx, b.st, b.svc.log)
			done <- struct{}{}
		}()
	}
	t.Cleanup(func() {
		cancel()
		for range all {
			<-done
		}
	})
}

func TestAPageThatFails(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := pageBench(t, st, 30, asks("", showCall("a")), says("Sorry."))
		run := b.startOnPage(t, "show_product")
		d := requested(t, b.svc, run)
		err := b.svc.AnswerTool(t.Context(), run.OrgID, run.ID, PageAnswer{RequestID: d.RequestID, Failure: "sold out\u202e\x00" + strings.Repeat("é", 2000)})
		if err != nil {
			t.Fatal(err)
		}
		res, err := wait(t, run)
		got := lastResult(b)
		if err != nil || res.ToolCalls[0].Outcome != tool.OutcomeError || !strings.Contains(got, `"sold out`) || len(got) > 1200 || strings.Contains(got, "\u202e") {
			t.Errorf("%+v %v: %.100q", res, err, got)
		}
	})
}

// TestAPageThatDoesNotAnswer: the call ends in time, with the truth, and what comes later is refused.
func TestAPageThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := pageBench(t, st, 1, asks("", showCall("a")), says("No answer."), asks("", showCall("b")), says("never"))
		run := b.startOnPage(t, "show_product")
		d := requested(t, b.svc, run)
		res, err := wait(t, run)
		if err != nil || res.ToolCalls[0].Outcome != tool.OutcomeTimeout || !strings.Contains(lastResult(b), "unknown") {
			t.Errorf("%+v %v", res, err)
		}
		// late answers when nobody waits any more.
		late := func(run *Run, d ToolRequestedData) {
			t.Helper()
			err := b.svc.AnswerTool(t.Context(), run.OrgID, run.ID, PageAnswer{RequestID: d.RequestID, Result: json.RawMessage(`1`)})
			if !parley.IsConflict(err) {
				t.Errorf("a late answer: %v", err)
			}
		}
		late(run, d)

		stopped := b.startOnPage(t, "show_product")
		d = requested(t, b.svc, stopped)
		if err := b.svc.Stop(t.Context(), stopped.OrgID, stopped.ID); err != nil {
			t.Fatal(err)
		}
		if res, err = wait(t, stopped); err != nil || res.Status != StatusStopped {
			t.Errorf("stopped: %+v %v", res, err)
		}
		late(stopped, d)
	})
}

// TestOnlyPagesAreOfferedClientTools: the model sees those that the page has, and none without a page.
func TestOnlyPagesAreOfferedClientTools(t *testing.T) {
	t.Parallel()
	b := pageBench(t, storetest.SQLite(t), 30, asks("", showCall("a")), says("Hm."))
	res := b.say(t, "", "Show it")
	if tools := b.model.request(0).Tools; len(tools) != 1 || tools[0].FunctionName != "current_time" || res.ToolCalls[0].Outcome != tool.OutcomeUnknownTool {
		t.Errorf("without a page: %v %+v", tools, res.ToolCalls)
	}
	if _, err := wait(t, b.startOnPage(t, "another")); err != nil {
		t.Fatal(err)
	}
	if tools := b.model.request(2).Tools; len(tools) != 1 {
		t.Errorf("another page: %v", tools)
	}
	run := b.startOnPage(t, "show_product", "unknown")
	if _, err := wait(t, run); err != nil {
		t.Fatal(err)
	}
	if tools := b.model.request(3).Tools; len(tools) != 2 {
		t.Errorf("its page: %v", tools)
	}
	retry := func(tools ...string) int {
		t.Helper()
		again, err := b.svc.Retry(t.Context(), run.OrgID, RetryRequest{RunID: run.ID, ClientTools: tools})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wait(t, again); err != nil {
			t.Fatal(err)
		}
		run = again
		return len(b.model.request(b.model.count() - 1).Tools)
	}
	if n := retry(); n != 1 {
		t.Errorf("again on a page without: %d tools", n)
	}
	if n := retry("show_product"); n != 2 {
		t.Errorf("again on its page: %d tools", n)
	}
}

// TestARatingMeanwhile: a rating while another process answers is kept at once and logged afterwards, once.
func TestARatingMeanwhile(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		started := make(chan struct{}, 1)
		b := newBench(t, st, nil, says("Hello."), hangs("Well", started))
		first := b.say(t, "", "Hi")
		run := b.start(t, first.ConversationID, "More")
		<-started
		n := b.neighbor(t, "neighbor", says("never"))
		f := parley.Feedback{MessageID: first.MessageID, Rating: parley.RatingDown, Comment: "no", At: storetest.Now()}
		if err := n.svc.Rate(t.Context(), b.agent.OrgID, first.ConversationID, f); err != nil {
			t.Fatal(err)
		}
		kept, err := st.ListFeedback(t.Context(), b.agent.OrgID, first.ConversationID)
		if err != nil || len(kept) != 1 || kept[0] != f {
			t.Errorf("kept %+v %v", kept, err)
		}
		if err := n.svc.logRatings(t.Context()); err != nil {
			t.Errorf("while it is answered: %v", err)
		}
		if err := b.svc.Stop(t.Context(), b.agent.OrgID, run.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := wait(t, run); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := n.svc.logRatings(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		}
		if got := types(b.events(t, first.ConversationID)); strings.Count(got, parley.EventMessageRated) != 1 {
			t.Errorf("the log has %s", got)
		}
	})
}
