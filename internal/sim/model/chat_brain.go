package model

import (
	"fmt"
	"strings"
)

// DefaultChatBrain repeats what it was told, asks a tool for the time, and says that it is simulated.
type DefaultChatBrain struct{}

// Reply implements ChatBrain.
func (DefaultChatBrain) Reply(t ChatTurn) ChatReply {
	last := t.Messages[len(t.Messages)-1]
	if last.Role == "tool" {
		return ChatReply{Text: fmt.Sprintf("You are talking to Parley's simulated model. The tool answered: %s", speakable(last.Text))}
	}
	if t.Forced != "" {
		return ChatReply{Calls: []Call{{t.Forced, minimalArguments(t.Tools, t.Forced)}}}
	}
	if asksTime(last.Text) {
		for _, tool := range t.Tools {
			if tool.Name == "current_time" {
				return ChatReply{Calls: []Call{{tool.Name, minimalArguments(t.Tools, tool.Name)}}}
			}
		}
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
