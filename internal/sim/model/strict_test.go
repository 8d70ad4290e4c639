package model

import (
	"fmt"
	"strings"
	"testing"
)

// refusals are client events that the real API refuses, with the code and the parameter it names.
var refusals = []struct{ name, raw, code, param string }{
	{"not JSON", `{"type":`, "invalid_json", ""},
	{"an array", `[]`, "invalid_json", ""},
	{"no type", `{}`, "missing_required_parameter", "type"},
	{"unknown type", `{"type":"response.make"}`, "invalid_value", "type"},
	{"WebRTC only", `{"type":"output_audio_buffer.clear"}`, "invalid_value", "type"},
	{"unknown member", `{"type":"response.create","respnse":{}}`, "unknown_parameter", "respnse"},
	{"long event id", `{"type":"response.create","event_id":"` + strings.Repeat("x", 513) + `"}`, "string_above_max_length", "event_id"},
	{"session without type", `{"type":"session.update","session":{"instructions":"x"}}`, "missing_required_parameter", "session.type"},
	{"session type", `{"type":"session.update","session":{"type":"chat"}}`, "invalid_value", "session.type"},
	{"beta modalities", `{"type":"session.update","session":{"type":"realtime","modalities":["audio"]}}`, "unknown_parameter", "session.modalities"},
	{"temperature", `{"type":"session.update","session":{"type":"realtime","temperature":0.8}}`, "unknown_parameter", "session.temperature"},
	{"both modalities", `{"type":"session.update","session":{"type":"realtime","output_modalities":["audio","text"]}}`, "invalid_array_length", "session.output_modalities"},
	{"instructions of a wrong type", `{"type":"session.update","session":{"type":"realtime","instructions":1}}`, "invalid_type", "session.instructions"},
	{"too fast", `{"type":"session.update","session":{"type":"realtime","audio":{"output":{"speed":1.6}}}}`, "decimal_above_max_value", "session.audio.output.speed"},
	{"too slow", `{"type":"session.update","session":{"type":"realtime","audio":{"output":{"speed":0.2}}}}`, "decimal_below_min_value", "session.audio.output.speed"},
	{"pcmu with a rate", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu","rate":8000}}}}}`, "unknown_parameter", "session.audio.input.format.rate"},
	{"pcm of another rate", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcm","rate":16000}}}}}`, "integer_below_min_value", "session.audio.input.format.rate"},
	{"beta format", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":"g711_ulaw"}}}}`, "invalid_type", "session.audio.input.format"},
	{"unknown voice", `{"type":"session.update","session":{"type":"realtime","audio":{"output":{"voice":"nova"}}}}`, "invalid_value", "session.audio.output.voice"},
	{"threshold", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":{"type":"server_vad","threshold":2}}}}}`, "decimal_above_max_value", "session.audio.input.turn_detection.threshold"},
	{"idle timeout", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":{"type":"server_vad","idle_timeout_ms":1000}}}}}`, "integer_below_min_value", "session.audio.input.turn_detection.idle_timeout_ms"},
	{"semantic with a threshold", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":{"type":"semantic_vad","threshold":0.5}}}}}`, "unknown_parameter", "session.audio.input.turn_detection.threshold"},
	{"another model", `{"type":"session.update","session":{"type":"realtime","model":"gpt-4o"}}`, "invalid_value", "session.model"},
	{"nested tool", `{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function","function":{"name":"x"}}]}}`, "unknown_parameter", "session.tools[0].function"},
	{"tool name", `{"type":"session.update","session":{"type":"realtime","tools":[{"type":"function","name":"a b"}]}}`, "invalid_value", "session.tools[0].name"},
	{"max tokens", `{"type":"session.update","session":{"type":"realtime","max_output_tokens":5000}}`, "integer_above_max_value", "session.max_output_tokens"},
	{"keywords of a model without them", `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"transcription":{"model":"whisper-1","keywords":["a"]}}}}}`, "invalid_value", "session.audio.input.transcription"},
	{"audio missing", `{"type":"input_audio_buffer.append"}`, "missing_required_parameter", "audio"},
	{"audio not base64", `{"type":"input_audio_buffer.append","audio":"%%"}`, "invalid_value", "audio"},
	{"empty commit", `{"type":"input_audio_buffer.commit"}`, "input_audio_buffer_commit_empty", ""},
	{"cancel of nothing", `{"type":"response.cancel"}`, "response_cancel_not_active", ""},
	{"delete of nothing", `{"type":"conversation.item.delete","item_id":"x"}`, "item_delete_invalid_item_id", "item_id"},
	{"retrieve of nothing", `{"type":"conversation.item.retrieve","item_id":"x"}`, "item_retrieve_invalid_item_id", "item_id"},
	{"truncate of nothing", `{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":0}`, "item_truncate_invalid_item_id", "item_id"},
	{"truncate at a fraction", `{"type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":1.5}`, "invalid_type", "audio_end_ms"},
	{"truncate without an end", `{"type":"conversation.item.truncate","item_id":"x","content_index":0}`, "missing_required_parameter", "audio_end_ms"},
	{"assistant audio", `{"type":"conversation.item.create","item":{"type":"message","role":"assistant","content":[{"type":"output_audio","audio":""}]}}`, "invalid_value", "item.content[0].type"},
	{"beta content", `{"type":"conversation.item.create","item":{"type":"message","role":"assistant","content":[{"type":"text","text":"x"}]}}`, "invalid_value", "item.content[0].type"},
	{"long item id", `{"type":"conversation.item.create","item":{"id":"` + strings.Repeat("x", 33) + `","type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}}`, "string_above_max_length", "item.id"},
	{"output without a call", `{"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"call_1","output":"x"}}`, "invalid_tool_call_id", "item.call_id"},
	{"after an unknown item", `{"type":"conversation.item.create","previous_item_id":"x","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}}`, "item_create_invalid_previous_item_id", "previous_item_id"},
	{"reference to nothing", `{"type":"response.create","response":{"input":[{"type":"item_reference","id":"x"}]}}`, "invalid_value", "response.input"},
	{"metadata", `{"type":"response.create","response":{"metadata":{"a":1}}}`, "invalid_type", "response.metadata.a"},
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	for i, r := range refusals {
		raw, id := r.raw, ""
		if rest, ok := strings.CutPrefix(raw, `{"type":"`); ok && !strings.Contains(raw, "event_id") && strings.HasSuffix(raw, "}") {
			id = fmt.Sprintf("mine_%d", i)
			raw = fmt.Sprintf(`{"event_id":%q,"type":"%s`, id, rest)
		}
		c.send(raw)
		m := c.next()
		e, ok := m["error"].(map[string]any)
		if !ok {
			t.Fatalf("%s: got %v, want an error", r.name, m)
		}
		param, _ := e["param"].(string)
		if e["code"] != r.code || param != r.param {
			t.Errorf("%s: got code %v, param %q, want %s, %q (%v)", r.name, e["code"], param, r.code, r.param, e["message"])
		}
		if got, _ := e["event_id"].(string); got != id {
			t.Errorf("%s: error names event %q, want %q", r.name, got, id)
		}
	}
}

func TestBadMemberRejectsWholeUpdate(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	c.send(`{"type":"session.update","session":{"type":"realtime","instructions":"new","audio":{"output":{"speed":9}}}}`)
	if m := c.next(); m["type"] != "error" {
		t.Fatalf("got %v", m)
	}
	c.send(`{"type":"session.update","session":{"type":"realtime","audio":{"output":{"speed":1.5}}}}`)
	s := c.until("session.updated")["session"].(map[string]any)
	if s["instructions"] == "new" {
		t.Error("a refused update was applied in part")
	}
	if voice := s["audio"].(map[string]any)["output"].(map[string]any)["voice"]; voice != "alloy" {
		t.Errorf("an update of the speed changed the voice to %v", voice)
	}
}

func FuzzHandle(f *testing.F) {
	for _, r := range refusals {
		f.Add([]byte(r.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseObject(raw)
		if err != nil {
			return
		}
		if anyEvent(m, "") == nil && stringAt(m, "type") == "" {
			t.Errorf("accepted an event without a type: %s", raw)
		}
		_ = checkChat(m)
	})
}
