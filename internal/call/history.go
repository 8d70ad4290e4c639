package call

import (
	"parley"
	"parley/internal/leg"
)

// What a joining model is told where the record has nothing.
const (
	lostWords   = "(The caller said something here, but it was lost when the connection broke.)"
	lostOutcome = `{"error":"The connection broke while the tool was running: its outcome is unknown. It may have had its effect. Do not call it again, unless it only reads."}`
)

// history turns a record into what a joining model is told: what was said, of the agent's words only what was heard,
// and the tools that were called, with their results. A tool without a result is not run again.
func history(rec parley.Record) []leg.HistoryItem {
	var items []leg.HistoryItem
	calls := rec.ToolCalls
	for i, m := range rec.Messages {
		for len(calls) > 0 && calls[0].At.Before(m.At) {
			items, calls = append(items, toolItems(calls[0])...), calls[1:]
		}
		text := m.Text
		switch {
		case m.Role == "assistant" && m.HeardText != nil && m.Interrupted:
			if text = *m.HeardText; text != "" {
				text += "—"
			}
		case m.Role == "user" && text == "" && i == len(rec.Messages)-1:
			text = lostWords
		}
		if text != "" && (m.Role == "user" || m.Role == "assistant") {
			items = append(items, leg.HistoryItem{Role: m.Role, Text: text})
		}
	}
	for _, c := range calls {
		items = append(items, toolItems(c)...)
	}
	return items
}

func toolItems(c parley.ToolCall) []leg.HistoryItem {
	result := lostOutcome
	if c.Result != nil {
		result = *c.Result
	}
	return []leg.HistoryItem{
		{Kind: leg.HistoryToolCall, CallID: c.ID, Name: c.Name, Arguments: arguments(c)},
		{Kind: leg.HistoryToolResult, CallID: c.ID, Text: result},
	}
}

// arguments are those that the model gave: on record, what was not JSON is a string.
func arguments(c parley.ToolCall) string {
	if len(c.Arguments) == 0 {
		return "{}"
	}
	return string(c.Arguments)
}
