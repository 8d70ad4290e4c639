package chat

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

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
