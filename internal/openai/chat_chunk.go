package openai

import (
	"encoding/json"
	"errors"

	"parley"
)

// chatChunk is what we read of one event of a stream. The SDK's type has everything that a provider may send; decoding
// it takes 2.5 times as long and 7 kB for each word, eleven times as much (BenchmarkComplete).
type chatChunk struct {
	ID      string `json:"id"`
	Choices []struct {
		Index        int64     `json:"index"`
		Delta        chatDelta `json:"delta"`
		FinishReason string    `json:"finish_reason"`
	} `json:"choices"`
	Usage *chatTokens     `json:"usage"`
	Error json.RawMessage `json:"error"` // of a stream that fails half way
}

type chatDelta struct {
	Content   string         `json:"content"`
	Refusal   string         `json:"refusal"`
	ToolCalls []chatFragment `json:"tool_calls"`
}

// chatFragment is a piece of a tool call.
type chatFragment struct {
	Index    int64  `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// chatTokens is the provider's count.
type chatTokens struct {
	Prompt        int64 `json:"prompt_tokens"`
	Completion    int64 `json:"completion_tokens"`
	Total         int64 `json:"total_tokens"`
	PromptDetails struct {
		Audio  int64 `json:"audio_tokens"`
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Audio int64 `json:"audio_tokens"`
	} `json:"completion_tokens_details"`
}

// readChunk decodes an event. A member of an unexpected type is left out: compatible servers have their own ideas.
func readChunk(data []byte) (c chatChunk, err error) {
	err = json.Unmarshal(data, &c)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
		err = nil
	}
	if err == nil && len(c.Error) > 0 && string(c.Error) != "null" {
		err = &brokenStreamError{append([]byte(nil), data...)}
	}
	return c, err
}

// brokenStreamError is an event in which the provider says that it fails.
type brokenStreamError struct{ event []byte }

func (*brokenStreamError) Error() string { return "the model provider broke the answer off" }

// usage splits the provider's totals into text and audio.
func (t chatTokens) usage() parley.Usage {
	return parley.Usage{
		InputTextTokens:   t.Prompt - t.PromptDetails.Audio,
		InputAudioTokens:  t.PromptDetails.Audio,
		CachedTextTokens:  t.PromptDetails.Cached,
		OutputTextTokens:  t.Completion - t.CompletionDetails.Audio,
		OutputAudioTokens: t.CompletionDetails.Audio,
		InputTokens:       t.Prompt,
		OutputTokens:      t.Completion,
		TotalTokens:       t.Total,
	}
}
