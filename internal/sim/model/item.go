package model

import (
	"slices"
	"strings"
)

// item is one entry of the conversation.
type item struct {
	id        string
	body      map[string]any // as the client made it; nil for the server's own
	kind      string         // of the server's own: user, assistant, function_call
	status    string         // completed, incomplete, in_progress
	spoken    bool           // assistant audio
	words     string         // transcript or text so far
	audioMs   int            // assistant audio sent, or what truncation left of it
	userMs    int            // caller's audio
	truncated bool
	call      Call
	callID    string
	out       bool // belongs to an out-of-band response, not to the conversation
}

func (c *Conn) find(id string) *item {
	if i := slices.IndexFunc(c.items, func(o *item) bool { return o.id == id }); i >= 0 {
		return c.items[i]
	}
	return nil
}

// called tells whether the conversation has a function call with this id.
func (c *Conn) called(callID string) bool {
	return slices.ContainsFunc(c.items, func(o *item) bool {
		return o.callID == callID || o.body != nil && o.body["type"] == "function_call" && o.body["call_id"] == callID
	})
}

// previous is the id of the item before it, nil for the first.
func (c *Conn) previous(it *item) any {
	if i := slices.Index(c.items, it); i > 0 {
		return c.items[i-1].id
	}
	return nil
}

// announce sends conversation.item.added or .done.
func (c *Conn) announce(typ string, it *item) {
	if !it.out {
		c.send(typ, members{"previous_item_id": c.previous(it), "item": it.json()})
	}
}

// json is the item as server events show it; audio bytes are never included.
func (it *item) json() map[string]any {
	m := map[string]any{"id": it.id, "object": "realtime.item", "status": it.status}
	switch {
	case it.body != nil:
		for k, v := range it.body {
			if k != "id" && k != "object" && k != "status" {
				m[k] = v
			}
		}
		if parts := contents(it.body); len(parts) > 0 {
			m["content"] = withoutAudio(parts)
		}
	case it.kind == "function_call":
		m["type"], m["name"], m["call_id"], m["arguments"] = "function_call", it.call.Name, it.callID, it.call.Arguments
		if it.status == "in_progress" {
			m["arguments"] = ""
		}
	case it.kind == "user":
		m["type"], m["role"] = "message", "user"
		m["content"] = []any{map[string]any{"type": "input_audio", "transcript": nil}}
	default:
		m["type"], m["role"] = "message", "assistant"
		switch {
		case it.status == "in_progress" && it.words == "":
			m["content"] = []any{}
		case it.spoken:
			m["content"] = []any{map[string]any{"type": "output_audio", "transcript": it.words}}
		default:
			m["content"] = []any{map[string]any{"type": "output_text", "text": it.words}}
		}
	}
	return m
}

func contents(body map[string]any) []any {
	parts, _ := body["content"].([]any)
	return parts
}

func withoutAudio(parts []any) []any {
	out := make([]any, 0, len(parts))
	for _, p := range parts {
		kept := map[string]any{}
		for k, v := range p.(map[string]any) {
			if k != "audio" {
				kept[k] = v
			}
		}
		out = append(out, kept)
	}
	return out
}

func (it *item) role() string {
	if it.body != nil {
		return stringAt(it.body, "role")
	}
	return it.kind
}

// typed is the text of a message that the client created.
func (it *item) typed() string {
	var b strings.Builder
	for _, p := range contents(it.body) {
		b.WriteString(stringAt(p, "text"))
	}
	return b.String()
}

// tokens estimates what the item costs as input: a user's audio 10 and the model's 20 tokens a second, text
// four characters a token.
func (it *item) tokens() (text, audio int) {
	switch {
	case it.kind == "user" || it.userMs > 0:
		return textTokens(it.typed()), it.userMs / 100
	case it.spoken:
		return textTokens(it.words), it.audioMs / 50
	case it.body != nil:
		return textTokens(it.typed() + stringAt(it.body, "output") + stringAt(it.body, "arguments") + stringAt(it.body, "name")), 0
	}
	return textTokens(it.words + it.call.Name + it.call.Arguments), 0
}

func textTokens(s string) int { return (len(s) + 3) / 4 }
