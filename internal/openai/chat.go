package openai

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"parley"
)

// Endpoint is where chat completions come from, and on whose account.
type Endpoint struct {
	BaseURL   string // such as https://api.openai.com/v1
	Key       string // sent as a bearer token, never logged; "" sends none (compatible servers without keys)
	Simulated bool   // the built-in simulated model: answers are labeled and cost nothing
}

// ChatMessage is one message of the conversation that a model continues.
type ChatMessage struct {
	Role       string // system, user, assistant, tool
	Text       string
	ToolCalls  []ChatToolCall // assistant: every one must be followed by a tool message with its id
	ToolCallID string         // tool
}

// ChatToolCall is a model's request to run a function. Arguments is what the model wrote: JSON if all went
// well, but nothing guarantees it.
type ChatToolCall struct {
	ID, Name, Arguments string
}

// ChatRequest asks for the next message of a conversation.
type ChatRequest struct {
	Endpoint Endpoint
	Model    string
	Messages []ChatMessage
	Tools    []parley.Tool
	NoTools  bool // the model sees Tools (they explain the history) but must answer in words
}

// ChatAnswer is a finished message of the model. With an error it holds what had arrived.
type ChatAnswer struct {
	ID           string // the provider's id of the completion
	Text         string
	ToolCalls    []ChatToolCall // in the order of their index; what to do next is decided by these, not by FinishReason
	FinishReason string         // stop, length, tool_calls, content_filter
	Usage        *parley.Usage  // nil when the provider did not say
	FirstByte    time.Duration  // from the call of Complete to the first text or tool call; 0 if there was none
}

// Complete reports whether the model ended its message by itself, rather than at a limit or a filter.
func (a ChatAnswer) Complete() bool {
	return a.FinishReason != "length" && a.FinishReason != "content_filter"
}

// ChatOptions of a Chat; zero members take the defaults.
type ChatOptions struct {
	Client   *http.Client  // NewChatClient()
	Patience time.Duration // until the first byte of an answer's stream, while the model may be thinking; 60 s
	Idle     time.Duration // longest silence of a provider from then on; 30 s
	Attempts int           // how often a request is sent before the first byte, in all; 3
	Backoff  time.Duration // before the second attempt, doubled for each further one, jittered; 250 ms
}

// Chat speaks streaming Chat Completions. It is safe for concurrent use and keeps nothing but its pool of
// connections.
type Chat struct {
	client   *http.Client
	patience time.Duration
	idle     time.Duration
	attempts int
	backoff  time.Duration
}

// maxRetryAfter is the longest wait that a provider may ask for and still be asked again: a person is waiting.
const maxRetryAfter = 5 * time.Second

// NewChat makes a Chat.
func NewChat(o ChatOptions) *Chat {
	c := &Chat{client: o.Client, patience: o.Patience, idle: o.Idle, attempts: o.Attempts, backoff: o.Backoff}
	if c.client == nil {
		c.client = NewChatClient()
	}
	if c.patience <= 0 {
		c.patience = 60 * time.Second
	}
	if c.idle <= 0 {
		c.idle = 30 * time.Second
	}
	if c.attempts <= 0 {
		c.attempts = 3
	}
	if c.backoff <= 0 {
		c.backoff = 250 * time.Millisecond
	}
	return c
}

// NewChatClient makes the HTTP client that suits long answers from one host: no overall timeout, a pool that
// keeps the connections of many simultaneous chats, and no redirects, which would carry a conversation
// somewhere that the operator did not name.
func NewChatClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        512,
			MaxIdleConnsPerHost: 512, // the default of 2 would cost a handshake for nearly every answer under load
			IdleConnTimeout:     90 * time.Second,
			ReadBufferSize:      2 << 10, // of each stream, which mostly waits for the next word
			WriteBufferSize:     2 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes idle connections; requests under way are not touched.
func (c *Chat) Close() { c.client.CloseIdleConnections() }

// Complete asks for one message and calls onText with each piece of its text, on the calling goroutine.
// onText must not block. The error is a *ChatError, or the context's cause when ctx ended first.
//
// A request is repeated only while nothing of an answer has arrived, for 429 with a short Retry-After, 5xx
// and connections that failed; never for a refused key, an empty account or a bad request, and nothing is
// posted again after the stream began.
func (c *Chat) Complete(ctx context.Context, req ChatRequest, onText func(string)) (ChatAnswer, error) {
	began := time.Now()
	body, err := streamBody(req)
	if err != nil {
		return ChatAnswer{}, &ChatError{Kind: ChatInvalid, Message: err.Error()}
	}
	for attempt := 1; ; attempt++ {
		s := &chatStream{began: began, onText: onText, patience: c.patience, idle: c.idle, key: req.Endpoint.Key}
		err := s.run(ctx, c.client, req.Endpoint, body)
		if err == nil {
			return s.answer, nil
		}
		if ctx.Err() != nil {
			return s.answer, context.Cause(ctx)
		}
		failure, ok := errors.AsType[*ChatError](err)
		if !ok || s.opened || !failure.retryable() || attempt >= c.attempts {
			return s.answer, err
		}
		if err := c.pause(ctx, attempt, failure.RetryAfter); err != nil {
			return s.answer, err
		}
	}
}

// pause waits between attempts: the provider's wish or our back-off, whichever is longer. The jitter (50 to
// 150 %) keeps the chats that failed together from coming back together.
func (c *Chat) pause(ctx context.Context, attempt int, wish time.Duration) error {
	wait := c.backoff << (attempt - 1)
	wait = max(wait/2+rand.N(wait), wish)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
