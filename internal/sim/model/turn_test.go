package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley/internal/sim/speech"
)

// quick generates as fast as a test wants.
var quick = Options{Speed: 200, FirstDelta: -1, TranscriptionDelay: 1}

func TestTurn(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, quick))
	c.send(fmt.Sprintf(phoneSession, "true", "true"))
	c.until("session.updated")
	c.seen = nil
	c.hear(caller())
	done := c.until("response.done")
	want := []string{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
		"conversation.item.added", "conversation.item.done", "response.created", "rate_limits.updated", "response.output_item.added",
		"conversation.item.added", "response.content_part.added", "response.output_audio_transcript.delta", "response.output_audio.delta"}
	order := slices.DeleteFunc(c.types(), func(s string) bool { return strings.HasPrefix(s, "conversation.item.input_audio") })
	if !slices.Equal(order[:len(want)], want) {
		t.Errorf("order begins %v, want %v", order[:len(want)], want)
	}
	end := []string{"response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
		"conversation.item.done", "response.output_item.done", "response.done"}
	if got := order[len(order)-len(end):]; !slices.Equal(got, end) {
		t.Errorf("order ends %v, want %v", got, end)
	}
	r := done["response"].(map[string]any)
	if r["status"] != "completed" {
		t.Errorf("status %v", r["status"])
	}
	var words, b64 strings.Builder
	for _, m := range c.seen {
		switch m["type"] {
		case "response.output_audio_transcript.delta":
			words.WriteString(m["delta"].(string))
		case "response.output_audio.delta":
			b64.WriteString(strings.TrimRight(m["delta"].(string), "="))
		}
	}
	if words.String() != lines[0] {
		t.Errorf("transcript %q", words.String())
	}
	clip := speech.Say(lines[0])
	usage := r["usage"].(map[string]any)["output_token_details"].(map[string]any)
	if got := int(usage["audio_tokens"].(float64)); got != clip.Ms()/50 {
		t.Errorf("billed %d audio tokens for %d ms", got, clip.Ms())
	}
}
