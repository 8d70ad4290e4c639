package model

import (
	"bytes"
	"encoding/base64"
	"slices"
)

// handle serves one client event. Whatever is wrong with it is answered with an error event.
func (c *Conn) handle(raw []byte) {
	if done, err := c.fastAppend(raw); done {
		if err != nil {
			c.sendError(err, "")
		}
		return
	}
	m, err := parseObject(raw)
	if err != nil {
		c.sendError(refuse("invalid_json", "", "Could not parse the event as JSON: expected one JSON object in a text message."), "")
		return
	}
	id := stringAt(m, "event_id")
	if len(id) > 512 {
		id = ""
	}
	if err := anyEvent(m, ""); err != nil {
		c.sendError(err, id)
		return
	}
	if err := c.dispatch(m); err != nil {
		c.sendError(err, id)
	}
}

func (c *Conn) dispatch(m map[string]any) *apiError {
	switch stringAt(m, "type") {
	case "session.update":
		return c.updateSession(m["session"].(map[string]any))
	case "input_audio_buffer.append":
		return c.append([]byte(stringAt(m, "audio")))
	case "input_audio_buffer.commit":
		return c.commitByClient()
	case "input_audio_buffer.clear":
		c.input.clear()
		c.send("input_audio_buffer.cleared", members{})
	case "conversation.item.create":
		return c.createItem(m)
	case "conversation.item.delete":
		return c.deleteItem(stringAt(m, "item_id"))
	case "conversation.item.retrieve":
		return c.retrieveItem(stringAt(m, "item_id"))
	case "conversation.item.truncate":
		return c.truncateItem(stringAt(m, "item_id"), intAt(m, "content_index"), intAt(m, "audio_end_ms"))
	case "response.create":
		params, _ := m["response"].(map[string]any)
		return c.createResponse(params)
	case "response.cancel":
		return c.cancelByClient(stringAt(m, "response_id"))
	}
	return nil
}

var appendHead = []byte(`{"type":"input_audio_buffer.append","audio":"`)

// fastAppend serves the append events of a phone, fifty a second and caller, without building a map. It takes
// only {"type":"input_audio_buffer.append","audio":"…"}; the rest goes the strict way.
func (c *Conn) fastAppend(raw []byte) (bool, *apiError) {
	rest, ok := bytes.CutPrefix(raw, appendHead)
	if !ok {
		return false, nil
	}
	audio, ok := bytes.CutSuffix(rest, []byte(`"}`))
	if !ok || bytes.ContainsAny(audio, "\"\\\r\n") { // the decoder would skip line breaks, JSON forbids them
		return false, nil
	}
	return true, c.append(audio)
}

// append decodes audio and lets the voice activity detection hear it.
func (c *Conn) append(b64 []byte) *apiError {
	n := base64.StdEncoding.DecodedLen(len(b64))
	if cap(c.scratch) < n {
		c.scratch = make([]byte, n)
	}
	n, err := base64.StdEncoding.Decode(c.scratch[:n], b64)
	if err != nil {
		return refuse("invalid_value", "audio", "Invalid 'audio'. Expected base64-encoded audio bytes, but got an invalid value.")
	}
	c.hear(c.scratch[:n])
	return nil
}

// createItem adds a client's item at the end, at the root or after a named item.
func (c *Conn) createItem(m map[string]any) *apiError {
	body := m["item"].(map[string]any)
	it := &item{id: stringAt(body, "id"), body: body, status: "completed"}
	if it.id == "" {
		it.id = c.srv.id("item")
	} else if c.find(it.id) != nil {
		return refuse("item_create_duplicate_item_id", "item.id", "Error adding item: an item with id '%s' already exists.", it.id)
	}
	switch stringAt(body, "type") {
	case "function_call_output":
		if !c.called(stringAt(body, "call_id")) {
			return refuse("invalid_tool_call_id", "item.call_id", "Tool call ID '%s' not found in conversation.", stringAt(body, "call_id"))
		}
	case "function_call":
		if stringAt(body, "call_id") == "" {
			body["call_id"] = c.srv.id("call")
		}
	}
	for i, part := range contents(body) {
		if audio := stringAt(part, "audio"); audio != "" {
			raw, err := base64.StdEncoding.DecodeString(audio)
			if err != nil {
				return refuse("invalid_value", "item.content", "Invalid 'item.content[%d].audio'. Expected base64-encoded audio bytes, but got an invalid value.", i)
			}
			it.userMs += len(raw) / c.cfg.in.bytesPerMs
		}
	}
	at := len(c.items)
	if before := stringAt(m, "previous_item_id"); before == "root" {
		at = 0
	} else if before != "" {
		at = 1 + slices.IndexFunc(c.items, func(o *item) bool { return o.id == before })
		if at == 0 {
			return refuse("item_create_invalid_previous_item_id", "previous_item_id", "Error adding item: the previous item with id '%s' does not exist.", before)
		}
	}
	c.items = slices.Insert(c.items, at, it)
	c.announce("conversation.item.added", it)
	c.announce("conversation.item.done", it)
	return nil
}

func (c *Conn) deleteItem(id string) *apiError {
	it := c.find(id)
	if it == nil {
		return refuse("item_delete_invalid_item_id", "item_id", "Error deleting item: the item with id '%s' does not exist.", id)
	}
	if it.status == "in_progress" { // assumed; a bridge that waits for response.done is right either way
		return refuse("item_delete_in_progress", "item_id", "Error deleting item: the item with id '%s' is still being generated.", id)
	}
	c.items = slices.DeleteFunc(c.items, func(o *item) bool { return o == it })
	c.send("conversation.item.deleted", members{"item_id": id})
	return nil
}

func (c *Conn) retrieveItem(id string) *apiError {
	it := c.find(id)
	if it == nil {
		return refuse("item_retrieve_invalid_item_id", "item_id", "Error retrieving item: the item with id '%s' does not exist.", id)
	}
	c.send("conversation.item.retrieved", members{"item": it.json()}) // audio is not kept, so it is left out
	return nil
}

// truncateItem forgets the audio after endMs and, as the real API does, all words of the item. The messages
// are OpenAI's own, as reported by users.
func (c *Conn) truncateItem(id string, index, endMs int) *apiError {
	it := c.find(id)
	switch {
	case it == nil:
		return refuse("item_truncate_invalid_item_id", "item_id", "Error truncating item: the item with id '%s' does not exist.", id)
	case !it.spoken || it.audioMs == 0:
		return refuse("invalid_value", "item_id", "Only model output audio messages can be truncated.")
	case index != 0:
		return refuse("invalid_value", "content_index", "Only the first content part (content_index 0) can be truncated.")
	case endMs > it.audioMs:
		return refuse("invalid_value", "audio_end_ms", "Audio content of %dms is already shorter than %dms", it.audioMs, endMs)
	}
	it.audioMs, it.words, it.truncated = endMs, "", true
	c.send("conversation.item.truncated", members{"item_id": id, "content_index": index, "audio_end_ms": endMs})
	return nil
}
