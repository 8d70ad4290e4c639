package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley"
)

// Bounds of one answer: a provider that exceeds them is out of order, and memory is ours.
const (
	maxChatAnswer    = 1 << 20 // bytes of text and arguments
	maxChatToolCalls = 128
)

// chatStream is one attempt at one answer.
type chatStream struct {
	began          time.Time
	onText         func(string)
	patience, idle time.Duration // until the first byte of the stream, and between two
	key            string        // to keep it out of error texts

	answer ChatAnswer
	text   strings.Builder
	calls  []chatCall
	size   int
	opened bool // the provider accepted the request: from here on nothing is posted again
	body   *chatBody
}

// chatCall gathers the fragments of one tool call.
type chatCall struct {
	index     int64
	id, name  string
	arguments []byte
}

// run posts the request and reads the stream to its end. Errors are *ChatError.
func (s *chatStream) run(ctx context.Context, client *http.Client, at Endpoint, body []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(s.patience, func() { cancel(errSilent) })
	defer silence.Stop()

	err := s.post(ctx, client, at, body, silence)
	if err == nil {
		err = s.read()
		_ = s.body.Close()
	}
	s.answer.Text = s.text.String()
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return s.failure(err)
}

// post sends the request and opens the stream.
func (s *chatStream) post(ctx context.Context, client *http.Client, at Endpoint, body []byte, silence *time.Timer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(at.BaseURL, "/")+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("User-Agent", "Parley")
	if at.Key != "" {
		r.Header.Set("Authorization", "Bearer "+at.Key)
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	return s.open(resp, silence)
}

// open judges the response's head.
func (s *chatStream) open(resp *http.Response, silence *time.Timer) error {
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }()
		return refusedChat(resp, s.key)
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		_ = resp.Body.Close()
		return &ChatError{Kind: ChatInvalid, Status: resp.StatusCode,
			Message: fmt.Sprintf("the model provider answered with %q instead of an event stream; is the base URL right?", kind)}
	}
	s.opened = true
	s.body = &chatBody{body: resp.Body, silence: silence, idle: s.idle}
	return nil
}

// read gathers the answer. The end is only an end with a finish reason and [DONE].
func (s *chatStream) read() error {
	events := sse{r: s.body}
	defer s.gather()
	for {
		data, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return errCut
		case err != nil:
			return err
		case string(data) == "[DONE]":
			s.body.done = true
			if s.answer.FinishReason == "" {
				return errCut
			}
			return nil
		}
		var chunk chatChunk
		if err := json.Unmarshal(data, &chunk); err != nil {
			return fmt.Errorf("reading a part of the answer: %w", err)
		}
		if len(chunk.Error) > 0 && string(chunk.Error) != "null" {
			return &brokenError{bytes.Clone(data)}
		}
		if err := s.apply(&chunk); err != nil {
			return err
		}
	}
}

func (s *chatStream) apply(chunk *chatChunk) error {
	if chunk.ID != "" {
		s.answer.ID = chunk.ID
	}
	if chunk.Usage != nil {
		u := chatUsage(*chunk.Usage)
		s.answer.Usage = &u
	}
	for i := range chunk.Choices { // none in the usage chunk and in Azure's first chunk
		choice := &chunk.Choices[i]
		if choice.Index != 0 { // we never ask for several
			continue
		}
		// A refusal is the model's answer to the person, in the model's words.
		if err := s.say(choice.Delta.Content + choice.Delta.Refusal); err != nil {
			return err
		}
		for j := range choice.Delta.ToolCalls {
			if err := s.fragment(&choice.Delta.ToolCalls[j]); err != nil {
				return err
			}
		}
		if choice.FinishReason != "" {
			s.answer.FinishReason = choice.FinishReason
		}
	}
	return nil
}

func (s *chatStream) say(text string) error {
	if text == "" {
		return nil
	}
	if err := s.grow(len(text)); err != nil {
		return err
	}
	s.text.WriteString(text)
	s.onText(text)
	return nil
}

// fragment adds to the call of its index. The id and the name come with the first fragment only. A new id
// under a known index begins another call: some compatible servers number every call 0.
func (s *chatStream) fragment(f *chunkCall) error {
	if err := s.grow(len(f.Function.Arguments)); err != nil {
		return err
	}
	at := -1
	for i := len(s.calls) - 1; i >= 0 && at < 0; i-- {
		if s.calls[i].index == f.Index {
			at = i
		}
	}
	if at < 0 || f.Function.Name != "" && f.ID != "" && s.calls[at].id != "" && f.ID != s.calls[at].id {
		if len(s.calls) >= maxChatToolCalls {
			return errTooLong
		}
		at = len(s.calls)
		s.calls = append(s.calls, chatCall{index: f.Index})
	}
	c := &s.calls[at]
	if c.id == "" {
		c.id = f.ID
	}
	if c.name == "" {
		c.name = f.Function.Name
	}
	c.arguments = append(c.arguments, f.Function.Arguments...)
	return nil
}

// grow counts bytes against the bound and notes the first sign of an answer.
func (s *chatStream) grow(n int) error {
	if s.answer.FirstByte == 0 {
		s.answer.FirstByte = max(time.Since(s.began), 1)
	}
	if s.size += n; s.size > maxChatAnswer {
		return errTooLong
	}
	return nil
}

// gather puts the tool calls in order and gives an id to those without one.
func (s *chatStream) gather() {
	slices.SortStableFunc(s.calls, func(a, b chatCall) int { return int(a.index - b.index) })
	seen := map[string]bool{}
	for i := range s.calls {
		c := &s.calls[i]
		if c.id == "" || seen[c.id] {
			c.id = "call_" + strings.ReplaceAll(parley.NewID(), "-", "")
		}
		seen[c.id] = true
		s.answer.ToolCalls = append(s.answer.ToolCalls, ChatToolCall{ID: c.id, Name: c.name, Arguments: string(c.arguments)})
	}
}

// chatUsage splits the provider's totals into text and audio.
func chatUsage(u chunkUsage) parley.Usage {
	in, out := u.PromptTokensDetails, u.CompletionTokensDetails
	return parley.Usage{
		InputTextTokens:   u.PromptTokens - in.AudioTokens,
		InputAudioTokens:  in.AudioTokens,
		CachedTextTokens:  in.CachedTokens,
		OutputTextTokens:  u.CompletionTokens - out.AudioTokens,
		OutputAudioTokens: out.AudioTokens,
		InputTokens:       u.PromptTokens,
		OutputTokens:      u.CompletionTokens,
		TotalTokens:       u.TotalTokens,
	}
}
