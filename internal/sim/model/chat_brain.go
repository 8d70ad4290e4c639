package model

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// DefaultChatBrain calls the tool whose name's words are all in the message, asks one for the time, otherwise repeats
// what it was told, and says that it is simulated.
type DefaultChatBrain struct{}

// Reply implements ChatBrain.
func (DefaultChatBrain) Reply(t ChatTurn) ChatReply {
	last := t.Messages[len(t.Messages)-1]
	if last.Role == "tool" {
		return ChatReply{Text: fmt.Sprintf("You are talking to Parley's simulated model. The tool answered: %s", speakable(last.Text))}
	}
	if t.Forced != "" {
		return ChatReply{Calls: []Call{{t.Forced, argumentsFor(t.Tools, t.Forced, outputs(t.Messages))}}}
	}
	if asksTime(last.Text) {
		for _, tool := range t.Tools {
			if tool.Name == "current_time" {
				return ChatReply{Calls: []Call{{tool.Name, argumentsFor(t.Tools, tool.Name, nil)}}}
			}
		}
	}
	if name := named(t.Tools, last.Text); name != "" {
		return ChatReply{Calls: []Call{{name, argumentsFor(t.Tools, name, outputs(t.Messages))}}}
	}
	return ChatReply{Text: fmt.Sprintf("You are talking to Parley's simulated model. You said: %s", firstRunes(last.Text, 2000))}
}

func asksTime(s string) bool {
	s = strings.ToLower(s)
	for _, words := range []string{"what time", "the time", "what's the time", "current time", "what day", "today's date"} {
		if strings.Contains(s, words) {
			return true
		}
	}
	return false
}

// named returns the first function all of whose words stand in the message, as in "please book an order" for book_order.
func named(tools []Tool, message string) string {
	words := wordsOf(message)
	for _, t := range tools {
		name := wordsOf(t.Name)
		if len(name) > 0 && !slices.ContainsFunc(name, func(w string) bool { return !slices.Contains(words, w) }) {
			return t.Name
		}
	}
	return ""
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// outputs are what tools answered so far.
func outputs(messages []ChatMessage) (texts []string) {
	for _, m := range messages {
		if m.Role == "tool" {
			texts = append(texts, m.Text)
		}
	}
	return texts
}
