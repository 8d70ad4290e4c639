package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

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
