package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test.
const patience = 60 * time.Second

// script answers the requests of a test's model, one function each; the last one serves all further ones.
type script struct {
	mu       sync.Mutex
	answers  []answerFunc
	requests []openai.ChatRequest
}

type answerFunc func(ctx context.Context, req openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error)

func (m *script) Complete(ctx context.Context, req openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
	m.mu.Lock()
	m.requests = append(m.requests, req)
	answer := m.answers[0]
	if len(m.answers) > 1 {
		m.answers = m.answers[1:]
	}
	m.mu.Unlock()
	return answer(ctx, req, onText)
}

func (m *script) request(i int) openai.ChatRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests[i]
}

func (m *script) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.requests)
}

// says answers in words.
func says(pieces ...string) answerFunc {
	return func(_ context.Context, _ openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
		for _, p := range pieces {
			onText(p)
		}
		u := parley.Usage{InputTextTokens: 1000, InputTokens: 1000, OutputTextTokens: 100, OutputTokens: 100, TotalTokens: 1100}
		return openai.ChatAnswer{ID: "c", Text: strings.Join(pieces, ""), FinishReason: "stop", Usage: &u, FirstByte: time.Millisecond}, nil
	}
}

// asks calls tools, after some words.
func asks(text string, calls ...openai.ChatToolCall) answerFunc {
	return func(_ context.Context, _ openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
		if text != "" {
			onText(text)
		}
		return openai.ChatAnswer{ID: "c", Text: text, ToolCalls: calls, FinishReason: "stop", FirstByte: time.Millisecond}, nil
	}
}

// fails says something and breaks off.
func fails(text string, err error) answerFunc {
	return func(_ context.Context, _ openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
		a := openai.ChatAnswer{Text: text}
		if text != "" {
			onText(text)
			a.FirstByte = time.Millisecond
		}
		return a, err
	}
}

// hangs says something and then nothing until the turn is canceled. It reports on started.
func hangs(text string, started chan<- struct{}) answerFunc {
	return func(ctx context.Context, _ openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
		onText(text)
		started <- struct{}{}
		<-ctx.Done()
		return openai.ChatAnswer{Text: text, FirstByte: time.Millisecond}, context.Cause(ctx)
	}
}

func timeCall(id string) openai.ChatToolCall {
	return openai.ChatToolCall{ID: id, Name: "current_time", Arguments: "{}"}
}

// bench is everything a turn needs, on a real database.
type bench struct {
	st    *store.Store
	svc   *Service
	model *script
	agent parley.Agent
}

func newBench(t testing.TB, st *store.Store, change func(*Options), answers ...answerFunc) *bench {
	t.Helper()
	org := storetest.Organization(t, st)
	b := &bench{st: st, model: &script{answers: answers}}
	b.agent = b.addAgent(t, org.ID, nil)
	l := log.New(st, event.NewBus(), log.Options{})
	o := Options{
		Store: st, Log: l, Model: b.model, Tools: tool.New(tool.Options{}), Owner: "test",
		Endpoint: func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: "http://model.test/v1", Simulated: true}, nil
		},
	}
	if change != nil {
		change(&o)
	}
	b.svc = New(o)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever still runs is canceled
		_ = b.svc.Close(ctx)
		ctx, cancel = context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("closing the log: %v", err)
		}
	})
	return b
}

func (b *bench) addAgent(t testing.TB, orgID string, change func(*parley.Agent)) parley.Agent {
	t.Helper()
	a := storetest.NewAgent(orgID, parley.AgentChat)
	a.Instructions, a.ToolIDs, a.Model = "Be brief.", []string{"current_time"}, "gpt-4o"
	if change != nil {
		change(&a)
	}
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, orgID, a) })
	return a
}

func (b *bench) start(t testing.TB, conversationID, message string) *Run {
	t.Helper()
	run, err := b.svc.Start(t.Context(), b.agent.OrgID, Request{AgentID: b.agent.ID, ConversationID: conversationID, Message: message})
	if err != nil {
		t.Fatalf("starting a run: %v", err)
	}
	return run
}

func (b *bench) say(t testing.TB, conversationID, message string) Result {
	t.Helper()
	r, err := wait(t, b.start(t, conversationID, message))
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return r
}

func wait(t testing.TB, run *Run) (Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return run.Wait(ctx)
}

func (b *bench) events(t testing.TB, conversationID string) []parley.Event {
	t.Helper()
	events, err := b.st.ListEvents(t.Context(), b.agent.OrgID, conversationID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d has seq %d", i, e.Seq)
		}
	}
	return events
}

func types(events []parley.Event) string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Type
	}
	return strings.Join(names, " ")
}

// collect reads a run to its end and checks what holds for every run.
func collect(t testing.TB, ch <-chan Event) (events []Event, text string) {
	t.Helper()
	timeout := time.After(patience)
	last := int64(-1)
	for {
		select {
		case e, ok := <-ch:
			if !ok {
				if n := len(events); n == 0 || events[n-1].Type != EventRunCompleted {
					t.Fatalf("the stream ended without run.completed: %+v", events)
				}
				return events, text
			}
			if e.ID <= last {
				t.Fatalf("ids do not increase: %d after %d", e.ID, last)
			}
			last = e.ID
			if e.Type == EventDelta {
				text += e.Data.(DeltaData).Text
			}
			events = append(events, e)
		case <-timeout:
			t.Fatal("the run does not end")
		}
	}
}

func TestTurn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st, nil, says("Hel", "lo ✓"), asks("Let me see.", timeCall("a")), says("Noon."), says("Bye"))
		run := b.start(t, "", "Hi")
		events, text := collect(t, run.Events())
		first, err := wait(t, run)
		if err != nil {
			t.Fatal(err)
		}
		if first.Text != "Hello ✓" || text != first.Text || first.Status != StatusCompleted || first.MessageID == "" || !first.Simulated || first.Usage.TotalTokens != 1100 {
			t.Errorf("result %+v, streamed %q", first, text)
		}
		for _, e := range events {
			if e.Type == EventDelta && e.ID > int64(utf8.RuneCountInString(first.Text)) {
				t.Errorf("delta id %d", e.ID)
			}
		}
		if got := b.model.request(0); outline(got.Messages) != "system:Be brief. user:Hi" || len(got.Tools) != 1 {
			t.Errorf("request %+v", got)
		}

		second := b.say(t, first.ConversationID, "What time is it?")
		if second.Text != "Let me see.\n\nNoon." || len(second.ToolCalls) != 1 || second.ToolCalls[0].Outcome != "ok" {
			t.Errorf("result %+v", second)
		}
		third := b.say(t, first.ConversationID, "Bye")
		if third.ConversationID != first.ConversationID || third.RunID == second.RunID {
			t.Errorf("result %+v", third)
		}
		want := "system:Be brief. user:Hi assistant:Hello ✓ user:What time is it? assistant:Let me see.[a] tool:a assistant:Noon. user:Bye"
		if got := outline(b.model.request(3).Messages); got != want {
			t.Errorf("the model read %s\nwant %s", got, want)
		}

		log := b.events(t, first.ConversationID)
		wantTypes := "conversation.started run.started message.user model.connected message.assistant usage turn.latency run.completed " +
			"run.started message.user message.assistant tool.started tool.completed message.assistant usage turn.latency run.completed " +
			"run.started message.user message.assistant usage turn.latency run.completed"
		if got := types(log); got != wantTypes {
			t.Errorf("log\n%s\nwant\n%s", got, wantTypes)
		}
		if d := decode[parley.ModelConnectedData](log[3]); !d.Simulated || d.Notice == "" {
			t.Errorf("model.connected %+v", d)
		}
		conv, err := st.FindConversation(t.Context(), b.agent.OrgID, first.ConversationID)
		if err != nil {
			t.Fatal(err)
		}
		if conv.Status != parley.ConversationActive || !conv.Simulated || conv.Test || conv.Channel != parley.ChannelChat || conv.AgentName != b.agent.Name {
			t.Errorf("conversation %+v", conv)
		}
		if exact := parley.Project(log).Summary; conv.Summary == nil || *conv.Summary != exact {
			t.Errorf("summary %+v, want %+v", conv.Summary, exact)
		}
		if conv.Summary.Cost != 0 {
			t.Error("the simulated model costs something")
		}
	})
}

// outline writes messages on one line; tool results without their text.
func outline(messages []openai.ChatMessage) string {
	var parts []string
	for _, m := range messages {
		s := m.Role + ":" + m.Text
		if m.Role == "tool" {
			s = "tool:" + m.ToolCallID
		}
		for _, c := range m.ToolCalls {
			s += "[" + c.ID + "]"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func TestCost(t *testing.T) {
	t.Parallel()
	b := newBench(t, storetest.SQLite(t), func(o *Options) {
		o.Endpoint = func(context.Context, string) (openai.Endpoint, error) { return openai.Endpoint{}, nil }
	}, says("Hi"))
	r := b.say(t, "", "Hi")
	conv, err := b.st.FindConversation(t.Context(), b.agent.OrgID, r.ConversationID)
	if err != nil {
		t.Fatal(err)
	}
	if conv.Simulated || r.Simulated || conv.Summary.Cost != 3500 || conv.Summary.Prices != parley.PriceVersion {
		t.Errorf("conversation %+v, summary %+v", conv, conv.Summary)
	}
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newBench(t, st, nil, says("ok"))
		org := b.agent.OrgID
		other := storetest.Organization(t, st)
		off := b.addAgent(t, org, func(a *parley.Agent) { a.Status = parley.AgentInactive })
		second := b.addAgent(t, org, nil)
		voice := storetest.Agent(t, st, org, parley.AgentVoice)
		call := storetest.Conversation(t, st, voice)
		conv := b.say(t, "", "Hi").ConversationID

		for name, c := range map[string]struct {
			org  string
			req  Request
			code parley.Code
		}{
			"empty message":            {org, Request{AgentID: b.agent.ID, Message: " \n"}, parley.CodeInvalid},
			"long message":             {org, Request{AgentID: b.agent.ID, Message: strings.Repeat("é", MaxMessage+1)}, parley.CodeInvalid},
			"invalid UTF-8":            {org, Request{AgentID: b.agent.ID, Message: "a\xff"}, parley.CodeInvalid},
			"NUL":                      {org, Request{AgentID: b.agent.ID, Message: "a\x00"}, parley.CodeInvalid},
			"unknown agent":            {org, Request{AgentID: parley.NewID(), Message: "x"}, parley.CodeNotFound},
			"not an id":                {org, Request{AgentID: "x", Message: "x"}, parley.CodeNotFound},
			"another's agent":          {other.ID, Request{AgentID: b.agent.ID, Message: "x"}, parley.CodeNotFound},
			"voice agent":              {org, Request{AgentID: voice.ID, Message: "x"}, parley.CodeInvalid},
			"inactive agent":           {org, Request{AgentID: off.ID, Message: "x"}, parley.CodeUnavailable},
			"unknown conversation":     {org, Request{AgentID: b.agent.ID, ConversationID: parley.NewID(), Message: "x"}, parley.CodeNotFound},
			"conversation not an id":   {org, Request{AgentID: b.agent.ID, ConversationID: "x", Message: "x"}, parley.CodeNotFound},
			"other agent's chat":       {org, Request{AgentID: second.ID, ConversationID: conv, Message: "x"}, parley.CodeNotFound},
			"a phone call as the chat": {org, Request{AgentID: b.agent.ID, ConversationID: call.ID, Message: "x"}, parley.CodeNotFound},
		} {
			if _, err := b.svc.Start(t.Context(), c.org, c.req); parley.ErrorCode(err) != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
		if n := b.svc.Active(); n != 0 {
			t.Errorf("%d places are still taken", n)
		}

		run, err := b.svc.Start(t.Context(), org, Request{AgentID: off.ID, Message: "x", Test: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := wait(t, run)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := st.FindConversation(t.Context(), org, r.ConversationID); err != nil || !c.Test {
			t.Errorf("test conversation %+v (%v)", c, err)
		}
		if _, total, err := st.ListConversations(t.Context(), org, parley.ConversationFilter{Channel: parley.ChannelChat, Limit: 10}); err != nil || total != 2 {
			t.Errorf("%d chats on record (%v), want 2: refusals must leave nothing", total, err)
		}
	})
}

func TestFailures(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	for name, c := range map[string]struct {
		answers []answerFunc
		text    string
		code    parley.Code
		typ     string // of the log's error
	}{
		"refused key":  {[]answerFunc{fails("", &openai.ChatError{Kind: openai.ChatAuth, Message: "provider text"})}, "", parley.CodeUnavailable, "auth"},
		"interrupted":  {[]answerFunc{fails("Half an", &openai.ChatError{Kind: openai.ChatInterrupted, Message: "provider text"})}, "Half an", parley.CodeUnavailable, "interrupted"},
		"second round": {[]answerFunc{asks("See", timeCall("a")), fails("", &openai.ChatError{Kind: openai.ChatUnavailable, Message: "provider text"})}, "See", parley.CodeUnavailable, "unavailable"},
		"no answer":    {[]answerFunc{says()}, "", parley.CodeUnavailable, "no_answer"},
		"our bug":      {[]answerFunc{fails("x", errors.New("provider text"))}, "x", parley.CodeInternal, "internal"},
		"panic": {[]answerFunc{func(context.Context, openai.ChatRequest, func(string)) (openai.ChatAnswer, error) {
			panic("provider text")
		}}, "", parley.CodeInternal, "internal"},
		"cut at the limit": {[]answerFunc{func(_ context.Context, _ openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
			on("Long")
			return openai.ChatAnswer{Text: "Long", FinishReason: "length", FirstByte: 1}, nil
		}}, "Long", parley.CodeUnavailable, "length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, st, nil, c.answers...)
			run := b.start(t, "", "Hi")
			events, text := collect(t, run.Events())
			r, err := wait(t, run)
			if parley.ErrorCode(err) != c.code || r.Status != StatusFailed || r.Text != c.text || text != c.text {
				t.Fatalf("result %+v, %v", r, err)
			}
			n := len(events)
			failure, ok := events[n-2].Data.(ErrorData)
			if !ok || failure.Type != string(c.code) || failure.Message == "" || strings.Contains(failure.Message, "provider") {
				t.Errorf("events %+v", events)
			}
			if events[n-1].Data != (DoneData{StatusFailed}) || strings.Contains(fmt.Sprint(events), EventMessageCompleted) {
				t.Errorf("events %+v", events)
			}
			record := b.events(t, r.ConversationID)
			found := false
			for _, e := range record {
				if e.Type == parley.EventError {
					found = decode[parley.ErrorData](e).Type == c.typ
				}
				if e.Type == parley.EventMessageAssistant && name == "interrupted" && decode[parley.MessageAssistantData](e).Complete {
					t.Error("half an answer is recorded as complete")
				}
			}
			if !found || decode[parley.RunData](record[len(record)-1]).Status != StatusFailed {
				t.Errorf("log %s", types(record))
			}
			if name == "panic" { // the record of what was written before a panic is not kept
				return
			}
			b.model.answers = []answerFunc{says("Better.")}
			if r := b.say(t, r.ConversationID, "Again"); r.Text != "Better." {
				t.Errorf("after a failure: %+v", r)
			}
		})
	}
}

func TestToolLimits(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)

	t.Run("rounds", func(t *testing.T) {
		t.Parallel()
		n := 0
		b := newBench(t, st, nil, func(_ context.Context, req openai.ChatRequest, on func(string)) (openai.ChatAnswer, error) {
			if n++; req.NoTools {
				on("Enough.")
				return openai.ChatAnswer{Text: "Enough.", FinishReason: "stop", FirstByte: 1}, nil
			}
			call := openai.ChatToolCall{ID: fmt.Sprint("c", n), Name: "current_time", Arguments: fmt.Sprintf(`{"timezone":"Etc/GMT+%d"}`, n)}
			return openai.ChatAnswer{ToolCalls: []openai.ChatToolCall{call}, FinishReason: "tool_calls", FirstByte: 1}, nil
		})
		r := b.say(t, "", "Loop")
		if r.Text != "Enough." || b.model.count() != maxRounds || len(r.ToolCalls) != maxRounds-1 {
			t.Errorf("%d requests, result %+v", b.model.count(), r)
		}
	})
	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		var calls []openai.ChatToolCall
		for i := range 30 {
			calls = append(calls, openai.ChatToolCall{ID: fmt.Sprint("c", i), Name: "current_time", Arguments: fmt.Sprintf(`{"timezone":"zone%d"}`, i)})
		}
		b := newBench(t, st, nil, asks("", calls...), says("Done."))
		r := b.say(t, "", "Many")
		refused := 0
		for _, c := range r.ToolCalls {
			if strings.HasPrefix(*c.Result, "Not run") {
				refused++
			}
		}
		if len(r.ToolCalls) != 30 || refused != 10 || !b.model.request(1).NoTools {
			t.Errorf("%d calls, %d refused, NoTools %v", len(r.ToolCalls), refused, b.model.request(1).NoTools)
		}
		if got := outline(b.model.request(1).Messages); !strings.Contains(got, "tool:c0 tool:c1 ") || !strings.HasSuffix(got, "tool:c29") {
			t.Errorf("results out of order: %s", got)
		}
	})
	t.Run("the same call", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, st, nil, asks("", timeCall("a"), timeCall("b"), timeCall("c"), timeCall("d")), says("Done."))
		refused := 0
		for _, c := range b.say(t, "", "Same").ToolCalls {
			if c.Outcome != tool.OutcomeOK {
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("%d refused, want 1", refused)
		}
	})
	t.Run("not offered and not JSON", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, st, nil, asks("", openai.ChatToolCall{ID: "a", Name: "rm", Arguments: "{}"}, openai.ChatToolCall{ID: "b", Name: "current_time", Arguments: `{"timezone`}),
			says("Sorry."), says("Again."))
		r := b.say(t, "", "Break")
		outcomes := map[string]string{}
		for _, c := range r.ToolCalls {
			outcomes[c.ID] = c.Outcome
		}
		if outcomes["a"] != tool.OutcomeUnknownTool || outcomes["b"] != tool.OutcomeInvalidArguments {
			t.Errorf("outcomes %v", outcomes)
		}
		b.say(t, r.ConversationID, "Again")
		for _, m := range b.model.request(2).Messages {
			for _, c := range m.ToolCalls {
				if c.Arguments != "{}" {
					t.Errorf("the model reads arguments %q", c.Arguments)
				}
			}
		}
	})
}

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
		run.Stop()
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
			if err := tx.FinishRun(ctx, b.agent.OrgID, run.ID, store.RunFailed, time.Now()); err != nil {
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
	run.Stop()
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
	run.Stop()
	if _, err := wait(t, run); err != nil {
		t.Fatal(err)
	}
}
