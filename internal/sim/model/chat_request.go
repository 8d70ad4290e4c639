package model

import (
	"slices"
	"strings"
)

var chatTool = object(map[string]field{
	"type": need(enum("function")),
	"function": need(object(map[string]field{ // nested, unlike in Realtime
		"name": need(toolName), "description": may(text(0)), "parameters": may(anyObject), "strict": may(nullable(boolean)),
	})),
})

var textParts = either(text(0), list(variants("type", map[string]check{
	"text": object(map[string]field{"type": need(text(0)), "text": need(text(0))}),
}), 1, 1000))

var userParts = either(text(0), list(variants("type", map[string]check{
	"text":      object(map[string]field{"type": need(text(0)), "text": need(text(0))}),
	"image_url": object(map[string]field{"type": need(text(0)), "image_url": need(anyObject)}),
}), 1, 1000))

var toolCall = object(map[string]field{
	"id": need(text(0)), "type": need(enum("function")),
	"function": need(object(map[string]field{"name": need(toolName), "arguments": need(text(0))})),
})

func plain(c check) check {
	return object(map[string]field{"role": need(text(0)), "content": need(c), "name": may(text(64))})
}

var chatMessage = variants("role", map[string]check{
	"system":    plain(textParts),
	"developer": plain(textParts),
	"user":      plain(userParts),
	"assistant": object(map[string]field{
		"role": need(text(0)), "content": may(nullable(textParts)), "refusal": may(nullable(text(0))), "name": may(text(64)),
		"tool_calls": may(list(toolCall, 1, 128)),
	}),
	"tool": object(map[string]field{"role": need(text(0)), "content": need(textParts), "tool_call_id": need(text(0))}),
})

var chatShape = object(map[string]field{
	"model": need(text(0)), "messages": need(list(chatMessage, 1, 2048)),
	"stream": may(nullable(boolean)),
	"stream_options": may(nullable(object(map[string]field{
		"include_usage": may(boolean), "include_obfuscation": may(boolean),
	}))),
	"tools": may(list(chatTool, 1, 128)),
	"tool_choice": may(either(enum("none", "auto", "required"), object(map[string]field{
		"type": need(enum("function")), "function": need(object(map[string]field{"name": need(toolName)})),
	}))),
	"parallel_tool_calls":   may(boolean),
	"temperature":           may(nullable(decimal(0, 2))),
	"top_p":                 may(nullable(decimal(0, 1))),
	"n":                     may(nullable(integer(1, 1))), // the real one takes more; nobody here asks
	"stop":                  may(nullable(either(text(0), list(text(0), 1, 4)))),
	"seed":                  may(nullable(integer(-1<<62, 1<<62))),
	"user":                  may(text(0)),
	"metadata":              may(nullable(metadata)),
	"store":                 may(nullable(boolean)),
	"max_tokens":            may(nullable(integer(1, unbounded))),
	"max_completion_tokens": may(nullable(integer(1, unbounded))),
	"presence_penalty":      may(nullable(decimal(-2, 2))),
	"frequency_penalty":     may(nullable(decimal(-2, 2))),
	"logit_bias":            may(nullable(anyObject)),
	"response_format":       may(anyObject),
	"reasoning_effort":      may(nullable(enum("none", "minimal", "low", "medium", "high", "xhigh", "max"))),
	"verbosity":             may(nullable(enum("low", "medium", "high"))),
	"service_tier":          may(nullable(enum("auto", "default", "flex", "scale", "priority"))),
	"safety_identifier":     may(text(0)),
	"prompt_cache_key":      may(text(0)),
})

// checkChat refuses what the real API refuses with 400.
func checkChat(body map[string]any) *apiError {
	if err := chatShape(body, ""); err != nil {
		return err
	}
	if stringAt(body, "model") == "" {
		return refuse("", "", "you must provide a model parameter")
	}
	if body["stream_options"] != nil && body["stream"] != true {
		return refuse("", "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	if body["tools"] == nil {
		for _, name := range []string{"tool_choice", "parallel_tool_calls"} {
			if _, given := body[name]; given {
				return refuse("", name, "Invalid value for '%s': '%s' is only allowed when 'tools' are specified.", name, name)
			}
		}
	}
	return checkPairs(body["messages"].([]any))
}

// checkPairs demands that every tool call is answered before anything else is said, and that every answer
// belongs to a call.
func checkPairs(messages []any) *apiError {
	var open []string
	for i, m := range messages {
		if stringAt(m, "role") == "tool" {
			at := slices.Index(open, stringAt(m, "tool_call_id"))
			if at < 0 {
				return refuse("", "messages", "Invalid parameter: messages[%d] with role 'tool' must be a response to a preceeding message with 'tool_calls'.", i)
			}
			open = slices.Delete(open, at, at+1)
			continue
		}
		if len(open) > 0 {
			return unanswered(open)
		}
		calls, _ := member(m, "tool_calls").([]any)
		for _, c := range calls {
			open = append(open, stringAt(c, "id"))
		}
		if stringAt(m, "role") == "assistant" && len(calls) == 0 && member(m, "content") == nil {
			return refuse("", "messages", "Invalid value for 'content': expected a string, got null.")
		}
	}
	if len(open) > 0 {
		return unanswered(open)
	}
	return nil
}

func unanswered(ids []string) *apiError {
	return refuse("", "messages", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", "))
}

func chatTurn(body map[string]any) ChatTurn {
	t := ChatTurn{Model: stringAt(body, "model")}
	for _, m := range body["messages"].([]any) {
		words := stringAt(m, "content")
		parts, _ := member(m, "content").([]any)
		for _, p := range parts {
			words += stringAt(p, "text")
		}
		t.Messages = append(t.Messages, ChatMessage{Role: stringAt(m, "role"), Text: words})
	}
	tools, _ := body["tools"].([]any)
	for _, v := range tools {
		if body["tool_choice"] != "none" {
			parameters, _ := member(v, "function", "parameters").(map[string]any)
			t.Tools = append(t.Tools, Tool{Name: stringAt(v, "function", "name"), Parameters: parameters})
		}
	}
	if t.Forced = stringAt(body, "tool_choice", "function", "name"); body["tool_choice"] == "required" {
		t.Forced = t.Tools[0].Name
	}
	return t
}
