package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
)

// How much of a log is read for one turn, newest first. What a turn costs must not grow with what was said
// before: once the budget is full, older events are not read.
const (
	windowEvents = 300
	maxWindows   = 4
)

// tail is the end of a conversation's log before the turn.
type tail struct {
	events []parley.Event
	whole  bool // it begins with the first event
}

// readTail reads enough of the log to fill the budget.
func readTail(ctx context.Context, st *store.Store, orgID, conversationID string, lastSeq int64, budget int) (tail, error) {
	var t tail
	size := 0
	for range maxWindows {
		if lastSeq <= 0 {
			break
		}
		after := max(lastSeq-windowEvents, 0)
		events, err := st.ListEvents(ctx, orgID, conversationID, after, int(lastSeq-after))
		if err != nil {
			return tail{}, err
		}
		t.events = append(events, t.events...)
		for _, e := range events {
			switch e.Type {
			case parley.EventMessageUser, parley.EventMessageAssistant, parley.EventToolStarted, parley.EventToolCompleted:
				size += len(e.Data)
			}
		}
		lastSeq = after
		if size > budget {
			break
		}
	}
	t.whole = lastSeq <= 0
	return t, nil
}

// connected reports whether the log already says which kind of model answers.
func (t tail) connected(simulated bool) bool {
	if !t.whole {
		return true
	}
	return slices.ContainsFunc(t.events, func(e parley.Event) bool {
		return e.Type == parley.EventModelConnected && decode[parley.ModelConnectedData](e).Simulated == simulated
	})
}

// unknownOutcome is what a model learns about a tool that started and never reported: it is not run again.
const unknownOutcome = "The outcome of this call is unknown: it was started, but no result was recorded."

// historyMessages turns a log into what the model reads: whole exchanges, from a visitor's message to the one
// after, the newest that fit into budget bytes (text weighs the same in bytes as in tokens, roughly, in every
// script). Tool calls and their results belong to one exchange, so a cut never separates them. The newest
// exchange is kept however long it is.
func historyMessages(events []parley.Event, budget int) []openai.ChatMessage {
	exchanges := readExchanges(events)
	first, size := len(exchanges), 0
	for first > 0 {
		size += weight(exchanges[first-1])
		if size > budget && first < len(exchanges) {
			break
		}
		first--
	}
	return slices.Concat(exchanges[first:]...)
}

func weight(messages []openai.ChatMessage) int {
	n := 0
	for _, m := range messages {
		n += len(m.Text) + 16
		for _, c := range m.ToolCalls {
			n += len(c.Name) + len(c.Arguments) + 32
		}
	}
	return n
}

// exchange is being read from a log.
type exchange struct {
	messages []openai.ChatMessage
	calls    []openai.ChatToolCall // of the assistant message that is still open
	results  map[string]string     // what they returned
}

// readExchanges splits a log at the visitor's messages. Events before the first one are of an exchange whose
// beginning was not read: they are left out.
func readExchanges(events []parley.Event) [][]openai.ChatMessage {
	var all [][]openai.ChatMessage
	var x *exchange
	for _, e := range events {
		if e.Type == parley.EventMessageUser {
			if x != nil {
				all = append(all, x.close())
			}
			x = &exchange{results: map[string]string{}}
			x.messages = append(x.messages, openai.ChatMessage{Role: "user", Text: decode[parley.MessageUserData](e).Text})
			continue
		}
		if x != nil {
			x.apply(e)
		}
	}
	if x != nil {
		all = append(all, x.close())
	}
	return all
}

func (x *exchange) apply(e parley.Event) {
	switch e.Type {
	case parley.EventMessageAssistant:
		d := decode[parley.MessageAssistantData](e)
		text := d.Text
		if !d.Complete {
			text += "—" // the model sees that it was cut off
		}
		x.flush()
		x.messages = append(x.messages, openai.ChatMessage{Role: "assistant", Text: text})
	case parley.EventRunStarted:
		if decode[parley.RunData](e).Replaces != "" { // the message is answered again
			x.calls = nil
			clear(x.results)
			x.messages = x.messages[:1]
		}
	case parley.EventToolStarted:
		if len(x.results) > 0 { // all calls of one message start before any of them ends
			x.flush()
		}
		d := decode[parley.ToolStartedData](e)
		x.calls = append(x.calls, openai.ChatToolCall{ID: d.CallID, Name: d.Name, Arguments: objectArguments(d.Arguments)})
	case parley.EventToolCompleted:
		d := decode[parley.ToolCompletedData](e)
		x.results[d.CallID] = d.Result
	}
}

// flush writes the open calls as one assistant message, merged with the text that came with them, and their
// results in the same order.
func (x *exchange) flush() {
	if len(x.calls) == 0 {
		return
	}
	if n := len(x.messages) - 1; x.messages[n].Role == "assistant" && len(x.messages[n].ToolCalls) == 0 {
		x.messages[n].ToolCalls = x.calls
	} else {
		x.messages = append(x.messages, openai.ChatMessage{Role: "assistant", ToolCalls: x.calls})
	}
	for _, c := range x.calls {
		result, ok := x.results[c.ID]
		if !ok {
			result = unknownOutcome
		}
		x.messages = append(x.messages, openai.ChatMessage{Role: "tool", ToolCallID: c.ID, Text: result})
	}
	x.calls = nil
	clear(x.results)
}

func (x *exchange) close() []openai.ChatMessage {
	x.flush()
	return x.messages
}

// objectArguments gives recorded arguments back to a model: some servers parse them and refuse anything but
// an object.
func objectArguments(raw json.RawMessage) string {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		return string(raw)
	}
	return "{}"
}

// historyBudget is how many bytes of history a model gets: about half of its context window, the rest being
// for instructions, tools and the answer. Unknown models count as modern ones; if one is not, the provider
// says so and the turn halves the budget.
func historyBudget(model string) int {
	switch model {
	case "gpt-4":
		return 14_000
	case "gpt-3.5-turbo":
		return 28_000
	}
	return 200_000
}

// decode reads an event's data; our own writer made it, so a failure leaves the zero value.
func decode[T any](e parley.Event) T {
	var d T
	_ = json.Unmarshal(e.Data, &d)
	return d
}
