package openai

import (
	"encoding/json"
	"testing"

	sdk "github.com/openai/openai-go/v3"
)

const wordChunk = `{"id":"chatcmpl-CxY1","object":"chat.completion.chunk","created":1764019200,"model":"gpt-4o-2024-08-06","service_tier":"default",` +
	`"system_fingerprint":"fp_a1b2c3","choices":[{"index":0,"delta":{"content":" lorem"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x7Tq"}`

func TestChunkOfAnotherShape(t *testing.T) {
	t.Parallel()
	var c chatChunk
	if err := json.Unmarshal([]byte(`{"id":7,"choices":[{"index":0,"delta":{"content":"hi","refusal":null},"finish_reason":null}],"usage":null}`), &c); err != nil ||
		len(c.Choices) != 1 || c.Choices[0].Delta.Content != "hi" || c.Usage != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if json.Unmarshal([]byte(`{"choices":[`), &c) == nil {
		t.Error("half a chunk was read")
	}
}

func BenchmarkChunk(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c chatChunk
			if err := json.Unmarshal([]byte(wordChunk), &c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c sdk.ChatCompletionChunk
			if err := json.Unmarshal([]byte(wordChunk), &c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
