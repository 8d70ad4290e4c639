package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// wire carries the requests of one session: it adds the tool's headers, bounds what comes back and follows
// redirects within the same server only, because the headers may be credentials.
type wire struct {
	client *http.Client
	header map[string]string
}

// RoundTrip makes a request through the client that leads out.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	t := tripOf(req.Context())
	req = req.Clone(req.Context())
	for name, value := range w.header {
		req.Header.Set(name, value)
	}
	for hop := 0; ; hop++ {
		t.departs(req)
		resp, err := w.client.Do(req)
		if err != nil {
			return nil, t.fails(err)
		}
		t.arrives(req, resp.StatusCode)
		next, err := redirect(req, resp, hop)
		if err != nil {
			_ = resp.Body.Close()
			return nil, t.fails(err)
		}
		if next == nil {
			return t.bound(resp)
		}
		_ = resp.Body.Close()
		req = next
	}
}

// redirect makes the request that follows a redirect, nil when there is none.
func redirect(req *http.Request, resp *http.Response, hop int) (*http.Request, error) {
	if resp.StatusCode < 300 || resp.StatusCode > 399 {
		return nil, nil
	}
	to, err := resp.Location()
	same := err == nil && to.Scheme == req.URL.Scheme && strings.EqualFold(to.Host, req.URL.Host)
	if !same || hop == maxRedirects || resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		return nil, &Failure{Kind: FailureRedirected, Status: resp.StatusCode}
	}
	next := req.Clone(req.Context())
	next.URL, next.Host = &url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path, RawPath: to.RawPath, RawQuery: to.RawQuery}, ""
	if req.GetBody != nil {
		if next.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return next, nil
}

// trip is what is known of the requests of one operation. Its context carries it to the wire.
type trip struct {
	cancel context.CancelFunc

	mu     sync.Mutex
	sent   bool // a POST left
	status int  // of the answer to the last POST; 0 = none came
	err    error
}

type tripKey struct{}

// withTrip makes the context of an operation.
func withTrip(ctx context.Context) (context.Context, *trip) {
	t := &trip{}
	ctx, t.cancel = context.WithCancel(ctx)
	return context.WithValue(ctx, tripKey{}, t), t
}

func tripOf(ctx context.Context) *trip {
	if t, ok := ctx.Value(tripKey{}).(*trip); ok {
		return t
	}
	return &trip{cancel: func() {}}
}

func (t *trip) departs(req *http.Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = t.sent || req.Method == http.MethodPost
}

func (t *trip) arrives(req *http.Request, status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if req.Method == http.MethodPost {
		t.status = status
	}
}

// fails keeps the first error of the way: what comes out of the protocol tells less.
func (t *trip) fails(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	return err
}

func (t *trip) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// bound makes a body that is too large an error of this operation only: a whole answer is read here, and a stream
// is given up by canceling the operation, so that others of the session go on.
func (t *trip) bound(resp *http.Response) (*http.Response, error) {
	body := &bounded{ReadCloser: resp.Body, left: MaxBody, trip: t}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media == "text/event-stream" {
		resp.Body = body
		return resp, nil
	}
	whole, err := io.ReadAll(body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, t.fails(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	return resp, nil
}

type bounded struct {
	io.ReadCloser
	left int
	trip *trip
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		err := b.trip.fails(&Failure{Kind: FailureTooLarge})
		b.trip.cancel()
		return 0, err
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// isEnded reports whether an operation was out of time or given up.
func isEnded(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// explain says why an operation failed.
func (t *trip) explain(err error) error {
	if way := t.failure(); way != nil {
		if f, ok := errors.AsType[*Failure](way); ok {
			return f
		}
		if isEnded(way) {
			return way
		}
		return &Failure{Kind: FailureUnreachable, err: way}
	}
	if isEnded(err) {
		return err
	}
	t.mu.Lock()
	status := t.status
	t.mu.Unlock()
	plain := status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests || status >= 500
	if said, ok := errors.AsType[*jsonrpc.Error](err); ok && !plain {
		return &Failure{Kind: FailureRefused, Said: said.Message, err: err}
	}
	if status >= 400 {
		return &Failure{Kind: FailureStatus, Status: status, err: err}
	}
	return &Failure{Kind: FailureProtocol, err: err}
}

// untouched reports whether a server cannot have acted on a failed call: it was not sent, or refused because the
// session was unknown, which servers say by 404 and, some, by 400.
func (t *trip) untouched(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !isEnded(err) && (!t.sent || t.status == http.StatusNotFound || t.status == http.StatusBadRequest)
}

// broken reports whether a session must not be used again. An answer that the server gave, even a refusal, and a
// call that was given up leave it whole.
func (t *trip) broken(err error) bool {
	if isEnded(err) {
		return false
	}
	f, ok := errors.AsType[*Failure](err)
	return !ok || f.Kind != FailureRefused && f.Kind != FailureTooLarge && f.Kind != FailureNeedsInput
}

// refuseRequests answers every request of a server but ping: nobody here samples, fills forms or shows folders.
func refuseRequests(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		if method == "ping" || strings.HasPrefix(method, "notifications/") {
			return next(ctx, method, req)
		}
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("%s is not supported", method)}
	}
}
