package model

import (
	"fmt"
	"strings"
)

// DefaultChatBrain repeats what it was told, asks a tool for the time, calls a tool that is named with "use" before its
// name, and says that it is simulated.
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
	if name := namedTool(last.Text, t.Tools); name != "" {
		return ChatReply{Calls: []Call{{name, minimalArguments(t.Tools, name)}}}
	}
	return ChatReply{Text: fmt.Sprintf("You are talking to Parley's simulated model. You said: %s", firstRunes(last.Text, 2000))}
}

// namedTool finds the tool that a person wishes to be used: "use look_up_order".
func namedTool(text string, tools []Tool) string {
	for _, tool := range tools {
		_, after, ok := strings.Cut(strings.ToLower(text)+" ", "use "+strings.ToLower(tool.Name))
		if ok && strings.Trim(after[:1], " .,!?\n") == "" {
			return tool.Name
		}
	}
	return ""
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
