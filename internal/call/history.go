package call

import (
	"parley"
	"parley/internal/leg"
)

// lostWords stands for a turn of the caller whose words never came on record.
const lostWords = "(The caller said something here, but it was lost when the connection broke.)"

// history turns a record into what a joining model is told: what was said, and of the agent's words only
// what was heard.
func history(rec parley.Record) []leg.HistoryItem {
	var items []leg.HistoryItem
	for i, m := range rec.Messages {
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
	return items
}
