package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"parley/internal/leg"
	"parley/internal/ws"
)

// RealtimeOptions say where a Realtime session is opened.
type RealtimeOptions struct {
	BaseURL string // such as https://api.openai.com/v1; the scheme becomes ws or wss
	Key     string // sent as a bearer token, never logged
	Model   string
}

// realtimeEvents is how many decoded events may wait for the session. The session never waits for anything
// slower than memory, so this only rides out its scheduling; a full channel makes the reader wait, and TCP the
// model. An event is 200 bytes and every call has this many.
const realtimeEvents = 16

// Realtime is the model leg of one call: a WebSocket that speaks OpenAI's Realtime protocol (GA) with
// audio/pcmu in both directions. Methods that send belong to one goroutine (the session's) and never block;
// Close may be called by any.
type Realtime struct {
	conn   *ws.Conn
	events chan leg.ModelEvent
	done   chan struct{}
	once   sync.Once
	reader sync.WaitGroup
	err    error // why events was closed; read after that

	scratch []byte
	nextID  int

	// Of the reader: the ids of the newest audio, so that each delta does not make its own, and where its audio is.
	responseID, itemID string
	buffers            leg.Buffers
}

// DialRealtime opens a session. A refusal by the server is a *leg.ModelFailure (for example type
// invalid_request_error, code invalid_api_key); anything else is a transport error. ctx bounds the dialing
// only. The caller must Close the result.
func DialRealtime(ctx context.Context, opt RealtimeOptions) (*Realtime, error) {
	address, err := realtimeURL(opt.BaseURL, opt.Model)
	if err != nil {
		return nil, err
	}
	c, resp, err := ws.Dial(ctx, dialClient, address, http.Header{"Authorization": {"Bearer " + opt.Key}})
	if err != nil {
		return nil, refusal(resp, err, opt.Key)
	}
	r := &Realtime{
		conn:   ws.New(c, ws.Options{ReadLimit: 16 << 20, QueueBytes: 4 << 20, PingEvery: 20 * time.Second, WriteTimeout: 10 * time.Second}),
		events: make(chan leg.ModelEvent, realtimeEvents),
		done:   make(chan struct{}), buffers: leg.NewBuffers(realtimeEvents),
	}
	r.reader.Add(1)
	go r.read()
	return r, nil
}

// dialClient has no keep-alive pool: every session is its own connection.
var dialClient = ws.Client(&http.Transport{
	Proxy:                 http.ProxyFromEnvironment, // the operator's own provider address, unlike tools'
	DisableKeepAlives:     true,
	TLSHandshakeTimeout:   10 * time.Second,
	ResponseHeaderTimeout: 10 * time.Second,
})

func realtimeURL(base, model string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/") + "/realtime")
	if err != nil {
		return "", fmt.Errorf("model base URL: %w", err)
	}
	switch u.Scheme {
	case "https":
		u.Scheme = "wss"
	case "http":
		u.Scheme = "ws"
	default:
		return "", fmt.Errorf("model base URL: scheme %q is not http or https", u.Scheme)
	}
	u.RawQuery = url.Values{"model": {model}}.Encode()
	return u.String(), nil
}

// refusal turns a failed upgrade into what the server said about it, without the key, which it may quote.
func refusal(resp *http.Response, err error, key string) error {
	if resp == nil {
		return fmt.Errorf("connect to the model: %w", err)
	}
	fail := &leg.ModelFailure{Type: "http_error", Code: fmt.Sprintf("http_%d", resp.StatusCode), RetryAfter: retryHeader(resp.Header)}
	if resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		_ = resp.Body.Close()
		var said struct {
			Error struct{ Type, Code, Message string }
		}
		if json.Unmarshal(body, &said) == nil && said.Error.Type != "" {
			fail.Type, fail.Message = said.Error.Type, said.Error.Message
			if key != "" {
				fail.Message = strings.ReplaceAll(fail.Message, key, "[key]")
			}
			if said.Error.Code != "" {
				fail.Code = said.Error.Code
			}
			fail.RetryAfter = max(fail.RetryAfter, retryHint(fail.Message))
		}
	}
	return fail
}

// Events delivers what the model says, in order. It is closed when the session is over; Err then says why.
func (r *Realtime) Events() <-chan leg.ModelEvent { return r.events }

// Err says why Events was closed; nil after our own Close.
func (r *Realtime) Err() error { return r.err }

// Close ends the session and its goroutines. It returns at once and may be called more than once.
func (r *Realtime) Close() {
	r.once.Do(func() {
		close(r.done)
		r.conn.Close()
		// The reader hangs in Read until the socket is gone; the goodbye is bounded by the write watchdog.
	})
}

// Wait returns when both goroutines of the session have ended; call it after Close.
func (r *Realtime) Wait() {
	r.reader.Wait()
	<-r.conn.Done()
}

func (r *Realtime) read() {
	defer r.reader.Done()
	defer close(r.events)
	for {
		raw, err := r.conn.Read()
		if err != nil {
			r.finish(err)
			return
		}
		if !r.deliver(raw) {
			r.drain()
			return
		}
	}
}

// deliver passes a message on; false when nobody listens any more. What it needs of stack is not kept while the reader
// waits.
//
//go:noinline
func (r *Realtime) deliver(raw []byte) bool {
	var ev leg.ModelEvent
	if !r.fastAudio(raw, &ev) && !decodeRealtime(raw, &ev) {
		return true
	}
	select {
	case r.events <- ev:
		return true
	case <-r.done:
		return false
	}
}

// drain reads on until the socket is closed, so that the closing handshake can complete.
func (r *Realtime) drain() {
	for {
		if _, err := r.conn.Read(); err != nil {
			r.finish(nil)
			return
		}
	}
}

func (r *Realtime) finish(err error) {
	select {
	case <-r.done:
	default:
		if err == nil {
			err = errors.New("closed")
		}
		r.err = fmt.Errorf("model connection: %w", err)
	}
}
