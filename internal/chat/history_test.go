package chat

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/tool"
)

func userEvent(text string) parley.Event {
	return parley.NewEvent(parley.EventMessageUser, time.Now(), parley.MessageUserData{ItemID: "u", Text: text})
}

func assistantEvent(text string, complete bool) parley.Event {
	return parley.NewEvent(parley.EventMessageAssistant, time.Now(), parley.MessageAssistantData{ItemID: "a", Text: text, Complete: complete})
}

func startedEvent(id, arguments string) parley.Event {
	return parley.NewEvent(parley.EventToolStarted, time.Now(), parley.ToolStartedData{CallID: id, Name: "f", Arguments: tool.RecordedArguments(arguments)})
}

func completedEvent(id, result string) parley.Event {
	return parley.NewEvent(parley.EventToolCompleted, time.Now(), parley.ToolCompletedData{CallID: id, Name: "f", Result: result, Outcome: "ok"})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events []parley.Event
		want   string
	}{
		"empty":                {nil, ""},
		"words":                {[]parley.Event{userEvent("1"), assistantEvent("2", true), userEvent("3")}, "user:1 assistant:2 user:3"},
		"cut off":              {[]parley.Event{userEvent("1"), assistantEvent("2", false)}, "user:1 assistant:2—"},
		"begins in the middle": {[]parley.Event{completedEvent("a", "x"), assistantEvent("0", true), userEvent("1")}, "user:1"},
		"parallel calls, answered in another order": {[]parley.Event{userEvent("1"), startedEvent("a", "{}"), startedEvent("b", "{}"), completedEvent("b", "y"), completedEvent("a", "x"), assistantEvent("2", true)},
			"user:1 assistant:[a][b] tool:a tool:b assistant:2"},
		"two rounds": {[]parley.Event{userEvent("1"), assistantEvent("see", true), startedEvent("a", "{}"), completedEvent("a", "x"), startedEvent("b", "{}"), completedEvent("b", "y"), assistantEvent("2", true)},
			"user:1 assistant:see[a] tool:a assistant:[b] tool:b assistant:2"},
		"the same id again": {[]parley.Event{userEvent("1"), startedEvent("a", "{}"), completedEvent("a", "x"), startedEvent("a", "{}"), completedEvent("a", "y")},
			"user:1 assistant:[a] tool:a assistant:[a] tool:a"},
		"never answered": {[]parley.Event{userEvent("1"), startedEvent("a", "{}"), startedEvent("b", "{}"), completedEvent("b", "y"), userEvent("2")},
			"user:1 assistant:[a][b] tool:a tool:b user:2"},
		"answer to nothing": {[]parley.Event{userEvent("1"), completedEvent("z", "x"), assistantEvent("2", true)}, "user:1 assistant:2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := historyMessages(c.events, 1<<20)
			if outline(got) != c.want {
				t.Errorf("got %s, want %s", outline(got), c.want)
			}
			checkPairs(t, got)
		})
	}
}

// checkPairs fails unless every tool call is answered at once, and nothing else is.
func checkPairs(t *testing.T, messages []openai.ChatMessage) {
	t.Helper()
	var open []string
	for _, m := range messages {
		if m.Role == "tool" {
			if len(open) == 0 || open[0] != m.ToolCallID {
				t.Fatalf("tool %s answers none of %v", m.ToolCallID, open)
			}
			open = open[1:]
			continue
		}
		if len(open) > 0 {
			t.Fatalf("calls %v are not answered", open)
		}
		for _, c := range m.ToolCalls {
			open = append(open, c.ID)
		}
	}
	if len(open) > 0 {
		t.Fatalf("calls %v are not answered", open)
	}
}

func TestHistoryIsCutBetweenExchanges(t *testing.T) {
	t.Parallel()
	var events []parley.Event
	for i := range 50 {
		events = append(events, userEvent(fmt.Sprint("q", i)), startedEvent("a", `{"x":1}`), completedEvent("a", strings.Repeat("r", 1000)), assistantEvent("done", true))
	}
	for _, budget := range []int{0, 1, 1500, 10_000, 1 << 20} {
		got := historyMessages(events, budget)
		checkPairs(t, got)
		if got[0].Role != "user" || got[len(got)-1].Text != "done" {
			t.Fatalf("budget %d: begins with %s", budget, got[0].Role)
		}
		if size := weight(got); size > max(budget, 1200) {
			t.Errorf("budget %d: %d bytes", budget, size)
		}
	}
}

// Random logs, cut at random budgets: the provider's pairing rule is kept, and what is left is the end of the whole.
func TestHistoryOfRandomLogs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		plan := make([]byte, r.IntN(60))
		for i := range plan {
			plan[i] = byte(r.IntN(256))
		}
		events := plannedLog(plan)
		whole := historyMessages(events, 1<<30)
		cut := historyMessages(events, r.IntN(200))
		checkPairs(t, cut)
		if !strings.HasSuffix(outline(whole), outline(cut)) {
			t.Fatalf("seed %d: %s is not the end of %s", seed, outline(cut), outline(whole))
		}
		if len(whole) > 0 && len(cut) == 0 {
			t.Fatalf("seed %d: nothing is left of %s", seed, outline(whole))
		}
	}
}

// FuzzHistory reads logs of any shape: whatever they hold, the provider's pairing rule is kept.
func FuzzHistory(f *testing.F) {
	f.Add([]byte("usccau"), 100)
	f.Add([]byte("ussusccc"), 10)
	f.Fuzz(func(t *testing.T, plan []byte, budget int) {
		checkPairs(t, historyMessages(plannedLog(plan), budget))
	})
}

// plannedLog makes a log of any shape.
func plannedLog(plan []byte) (events []parley.Event) {
	for i, b := range plan {
		id := string(rune('a' + b%3))
		switch b % 5 {
		case 0:
			events = append(events, userEvent(fmt.Sprint(i)))
		case 1:
			events = append(events, assistantEvent(fmt.Sprint(i), b%8 == 1))
		case 2:
			events = append(events, startedEvent(id+fmt.Sprint(i/3), "{}"))
		case 3:
			events = append(events, completedEvent(id+fmt.Sprint(i/3), "r"))
		case 4:
			d := parley.RunData{RunID: fmt.Sprint(i)}
			if b%2 == 0 {
				d.Replaces = "before"
			}
			events = append(events, parley.NewEvent(parley.EventRunStarted, time.Now(), d))
		}
	}
	return events
}

func TestSummarizeLongConversation(t *testing.T) {
	t.Parallel()
	latency := func(ms int64) parley.Event {
		return parley.NewEvent(parley.EventTurnLatency, time.Now(), parley.TurnLatencyData{ResponseMs: ms})
	}
	usage := parley.NewEvent(parley.EventUsage, time.Now(), parley.UsageData{Usage: parley.Usage{TotalTokens: 7}, Cost: 3})
	before := &parley.Summary{MessageCount: 1000, Usage: parley.Usage{TotalTokens: 70}, Cost: 30, Prices: "v",
		Latency: parley.Latency{Turns: 500, P50Ms: 1, P95Ms: 2, MaxMs: 900}}
	window := tail{events: []parley.Event{userEvent("x"), latency(100), latency(200)}}
	got := summarize(before, window, []parley.Event{userEvent("q"), assistantEvent("a", true), usage, latency(300)})
	want := parley.Summary{MessageCount: 1002, Usage: parley.Usage{TotalTokens: 77}, Cost: 33, Prices: "v",
		Latency: parley.Latency{Turns: 501, P50Ms: 200, P95Ms: 200, MaxMs: 900}}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}
