package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"parley"
)

// Bounds of an Exporter.
const (
	queueCalls = 256 // calls that wait to be sent; more are dropped and counted
	attempts   = 4   // of one call
	firstPause = 500 * time.Millisecond
	longPause  = 30 * time.Second // at most what a collector may ask for with Retry-After
)

// Exporter sends traces to a collector, one call at a time. Make it with New; Close ends it. Safe for concurrent use.
type Exporter struct {
	cfg    Config
	logger *slog.Logger
	client *http.Client
	queue  chan ended
	quit   chan struct{} // closed: send what waits, once each
	done   chan struct{}

	sent, dropped atomic.Int64
}

// ended is a call that waits; its spans are smaller than its log.
type ended struct {
	callID string
	spans  []Span
}

// New starts an exporter.
func New(cfg Config, logger *slog.Logger) *Exporter {
	e := &Exporter{
		cfg: cfg, logger: logger, client: &http.Client{Timeout: cfg.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		queue: make(chan ended, queueCalls), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go e.run()
	return e
}

// Call takes the log of a call that has ended. It never blocks: when the collector does not keep up, the trace is
// dropped. Call nothing after Close.
func (e *Exporter) Call(conv parley.Conversation, events []parley.Event) {
	select {
	case e.queue <- ended{conv.ID, Spans(conv, events)}:
	default:
		e.dropped.Add(1)
	}
}

// Sent and Dropped count traces.
func (e *Exporter) Sent() int64 { return e.sent.Load() }

// Dropped counts the traces that did not reach the collector.
func (e *Exporter) Dropped() int64 { return e.dropped.Load() }

// Close sends what waits, as long as ctx allows.
func (e *Exporter) Close(ctx context.Context) error {
	close(e.quit)
	select {
	case <-e.done:
		e.client.CloseIdleConnections()
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sending the last traces: %w", ctx.Err())
	}
}

func (e *Exporter) run() {
	defer close(e.done)
	for {
		select {
		case c := <-e.queue:
			e.send(c)
			continue
		default:
		}
		select {
		case c := <-e.queue:
			e.send(c)
		case <-e.quit:
			for len(e.queue) > 0 {
				e.send(<-e.queue)
			}
			return
		}
	}
}

// send delivers one trace, or gives it up.
func (e *Exporter) send(c ended) {
	body, err := json.Marshal(e.request(c.spans))
	if err != nil {
		e.lose(c, err)
		return
	}
	pause := firstPause
	for n := 1; ; n++ {
		again, err := e.post(body, &pause)
		if err == nil {
			e.sent.Add(1)
			return
		}
		if !again || n == attempts || !e.wait(pause) {
			e.lose(c, err)
			return
		}
		pause *= 2
	}
}

// wait pauses before another attempt; false when the exporter is being closed.
func (e *Exporter) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.quit:
		return false
	}
}

func (e *Exporter) lose(c ended, err error) {
	e.dropped.Add(1)
	e.logger.Warn("trace not delivered", slog.String("call_id", c.callID), slog.Any("error", err))
}

// post sends one request; again reports whether another attempt makes sense, by the rules of OTLP/HTTP.
func (e *Exporter) post(body []byte, pause *time.Duration) (again bool, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, e.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range e.cfg.Headers {
		req.Header.Set(name, value)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // the connection can then be used again
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if s, convErr := strconv.Atoi(resp.Header.Get("Retry-After")); convErr == nil && s > 0 {
			*pause = min(time.Duration(s)*time.Second, longPause)
		}
		again = true
	}
	return again, fmt.Errorf("the collector answered %s", resp.Status)
}
