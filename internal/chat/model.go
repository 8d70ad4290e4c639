// Package chat owns the chat turn: a visitor's message goes to a model, the model's answer comes back while
// it is written, tools run in between, and everything goes on record. A turn runs as a Run, which outlives
// the request that began it and can be followed by any number of readers, early or late.
//
// It knows no HTTP: internal/api and internal/widget translate. It writes events only through internal/log.
package chat

import (
	"context"

	"parley/internal/openai"
)

// Model writes the next message of a conversation. It calls onText with each piece of text, on the calling
// goroutine, and returns an *openai.ChatError, or the context's cause when ctx ended first. With an error the
// answer holds what had arrived. Implementations are safe for concurrent use.
type Model interface {
	Complete(ctx context.Context, req openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error)
}
