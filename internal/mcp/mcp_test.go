package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a real server whose process can be "restarted": a new one, with no session of the old, at the same
// address.
type server struct {
	*httptest.Server
	inner    atomic.Pointer[http.Handler]
	requests atomic.Int64
	held     chan struct{} // closed: the function slow answers
	began    chan struct{} // one for each call of slow
	canceled chan struct{}
	seen     sync.Map // header names → last values
	options  *sdk.StreamableHTTPOptions
	once     sync.Once
}

func newServer(t *testing.T, o *sdk.StreamableHTTPOptions) *server {
	s := &server{held: make(chan struct{}), began: make(chan struct{}, 100), canceled: make(chan struct{}, 100), options: o}
	s.restart()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.seen.Store("X-Key", r.Header.Get("X-Key"))
		(*s.inner.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.release()
		s.Close()
	})
	return s
}

// release lets every call of slow end.
func (s *server) release() { s.once.Do(func() { close(s.held) }) }

func (s *server) restart() {
	at := s.functions()
	var h http.Handler = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return at }, s.options)
	s.inner.Store(&h)
}

func (s *server) functions() *sdk.Server {
	at := sdk.NewServer(&sdk.Implementation{Name: "shop"}, nil)
	object := json.RawMessage(`{"type":"object"}`)
	add := func(name string, run func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error)) {
		at.AddTool(&sdk.Tool{Name: name, InputSchema: object, Annotations: &sdk.ToolAnnotations{ReadOnlyHint: name == "echo", Title: "The " + name}}, run)
	}
	say := func(s string) *sdk.CallToolResult {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: s}}}
	}
	add("echo", func(_ context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return say(string(req.Params.Arguments)), nil
	})
	add("fails", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		res := say("no such order")
		res.IsError = true
		return res, nil
	})
	add("refuses", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return nil, errors.New("out of order")
	})
	add("large", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return say(strings.Repeat("x", 20<<20)), nil
	})
	add("many", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{StructuredContent: map[string]any{"price": 12.5}, Content: []sdk.Content{
			&sdk.TextContent{Text: `{ "price": 12.5 }`}, &sdk.TextContent{Text: "in euros"}, &sdk.ImageContent{Data: []byte("abc"), MIMEType: "image/png"},
			&sdk.AudioContent{Data: []byte("ab"), MIMEType: "audio/wav"}, &sdk.ResourceLink{URI: "file:///a", Name: "a"},
			&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///b", Text: "words"}},
			&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///c", Blob: []byte("1234")}},
		}}, nil
	})
	add("slow", func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		s.began <- struct{}{}
		select {
		case <-s.held:
			return say("done"), nil
		case <-ctx.Done():
			s.canceled <- struct{}{}
			return nil, ctx.Err()
		}
	})
	add("asks", func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		//lint:ignore SA1019 what a server may still do
		_, err := req.Session.CreateMessage(ctx, &sdk.CreateMessageParams{MaxTokens: 10}) //nolint:staticcheck // see above
		if err == nil {
			return say("the client sampled"), nil
		}
		return say("refused"), nil
	})
	return at
}

func (s *server) at() Server {
	return Server{Owner: "org", Tool: "tool", URL: s.URL + "/mcp", Client: s.Client(), Header: map[string]string{"X-Key": "k"}}
}

func newPool(t *testing.T, o Options) *Pool {
	p := NewPool(o)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// each runs a test against servers that answer with streams, with JSON, and without sessions.
func each(t *testing.T, test func(t *testing.T, s *server, p *Pool)) {
	for name, o := range map[string]sdk.StreamableHTTPOptions{"streams": {}, "json": {JSONResponse: true}, "stateless": {Stateless: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, &o)
			test(t, s, newPool(t, Options{}))
		})
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *server, p *Pool) {
		got, more, err := p.List(t.Context(), s.at())
		if err != nil || more || len(got) != 7 {
			t.Fatalf("%d functions, more %v, %v", len(got), more, err)
		}
		if f := got[1]; f.Name != "echo" || !f.ReadOnly || f.Title != "The echo" || string(f.Schema) != `{"type":"object"}` {
			t.Errorf("got %+v", f)
		}
		if v, _ := s.seen.Load("X-Key"); v != "k" {
			t.Errorf("header %v", v)
		}
	})
}

func TestCall(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *server, p *Pool) {
		for name, want := range map[string]Result{
			"echo": {Text: `{"a":1}`}, "fails": {Text: "no such order", IsError: true},
			"many": {Text: "{\"price\":12.5}\nin euros\n[an image of 3 bytes, image/png; it is not shown]\n[a sound of 2 bytes, audio/wav; it is not played]\n" +
				"[a link to a: file:///a]\n[the resource file:///b:]\nwords\n[the resource file:///c of 4 bytes, type unknown; it is not shown]"},
			"asks": {Text: "refused"},
		} {
			got, err := p.Call(t.Context(), s.at(), name, json.RawMessage(`{"a":1}`))
			if err != nil || got != want {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if _, err := p.Call(t.Context(), s.at(), "refuses", json.RawMessage(`{}`)); kind(err) != FailureRefused || !strings.Contains(err.Error(), "out of order") {
			t.Errorf("refuses: %v", err)
		}
		if _, err := p.Call(t.Context(), s.at(), "unknown", json.RawMessage(`{}`)); kind(err) != FailureRefused {
			t.Errorf("unknown: %v", err)
		}
	})
}

func kind(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Kind
	}
	return ""
}

// TestLargeAnswer: an answer beyond the bound fails its own call only, not one that waits on the same session.
func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *server, p *Pool) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if got, err := p.Call(t.Context(), s.at(), "slow", json.RawMessage(`{}`)); err != nil || got.Text != "done" {
				t.Errorf("slow: %+v, %v", got, err)
			}
		})
		<-s.began
		if _, err := p.Call(t.Context(), s.at(), "large", json.RawMessage(`{}`)); kind(err) != FailureTooLarge {
			t.Errorf("large: %v", err)
		}
		s.release()
		wg.Wait()
	})
}

// TestGivenUp: a call whose time is over is canceled at the server, and the session goes on.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *server, p *Pool) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-s.began
			cancel()
		}()
		if _, err := p.Call(ctx, s.at(), "slow", json.RawMessage(`{}`)); !errors.Is(err, context.Canceled) {
			t.Errorf("slow: %v", err)
		}
		if s.options.Stateless {
			s.release() // the function cannot be told
		} else {
			<-s.canceled
		}
		if _, err := p.Call(t.Context(), s.at(), "echo", json.RawMessage(`{}`)); err != nil {
			t.Error(err)
		}
	})
}

// TestRestart: a server that has forgotten the session is asked again on a new one, and one call runs once.
func TestRestart(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *server, p *Pool) {
		for range 3 {
			if _, err := p.Call(t.Context(), s.at(), "echo", json.RawMessage(`{}`)); err != nil {
				t.Fatal(err)
			}
			s.restart()
		}
	})
}

func TestSessionsAreKept(t *testing.T) {
	t.Parallel()
	s, p := newServer(t, nil), newPool(t, Options{})
	call := func(at Server) int64 {
		before := s.requests.Load()
		if _, err := p.Call(t.Context(), at, "echo", json.RawMessage(`{}`)); err != nil {
			t.Fatal(err)
		}
		return s.requests.Load() - before
	}
	call(s.at())
	if n := call(s.at()); n != 1 {
		t.Errorf("a call on a kept session took %d requests", n)
	}
	for what, change := range map[string]func(*Server){
		"owner": func(at *Server) { at.Owner = "other" }, "tool": func(at *Server) { at.Tool = "other" },
		"header": func(at *Server) { at.Header = map[string]string{"X-Key": "other"} },
	} {
		at := s.at()
		change(&at)
		if call(at) == 1 {
			t.Errorf("a session is shared in spite of another %s", what)
		}
	}
}

func TestIdleSessionsEnd(t *testing.T) {
	t.Parallel()
	s, p := newServer(t, nil), newPool(t, Options{Idle: time.Millisecond})
	if _, err := p.Call(t.Context(), s.at(), "echo", json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	for p.count() > 0 {
		select {
		case <-t.Context().Done():
			t.Fatal("the session stays")
		case <-time.After(time.Millisecond): // polled
		}
	}
	if _, err := p.Call(t.Context(), s.at(), "echo", json.RawMessage(`{}`)); err != nil {
		t.Error(err)
	}
}

func (p *Pool) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

func TestBoundOfSessions(t *testing.T) {
	t.Parallel()
	p := newPool(t, Options{})
	p.mu.Lock()
	p.each["org"], p.all = maxEach, maxEach
	p.mu.Unlock()
	if _, err := p.Call(t.Context(), Server{Owner: "org"}, "echo", nil); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
	p.mu.Lock()
	delete(p.each, "org")
	p.all = 0
	p.mu.Unlock()
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	s, p := newServer(t, nil), NewPool(Options{})
	done := make(chan error, 1)
	go func() {
		_, err := p.Call(t.Context(), s.at(), "slow", json.RawMessage(`{}`))
		done <- err
	}()
	<-s.began
	_ = p.Close()
	if err := <-done; err == nil {
		t.Error("the call went on")
	}
	if _, err := p.Call(t.Context(), s.at(), "echo", nil); err == nil {
		t.Error("a closed pool calls")
	}
	if _, _, err := p.List(t.Context(), s.at()); err == nil {
		t.Error("a closed pool lists")
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    string
	}{
		"401":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, FailureStatus},
		"404":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, FailureStatus},
		"503":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, FailureStatus},
		"html": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, FailureProtocol},
		"not json": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("{"))
		}, FailureProtocol},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/mcp", http.StatusTemporaryRedirect)
		}, FailureRedirected},
		"round": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/mcp", http.StatusTemporaryRedirect)
		}, FailureRedirected},
		"see other": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusSeeOther) }, FailureRedirected},
		"broken":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, FailureUnreachable},
		"bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(strings.Repeat(" ", MaxBody+1)))
		}, FailureTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := httptest.NewServer(c.handler)
			defer at.Close()
			p := newPool(t, Options{})
			s := Server{Owner: "org", Tool: "tool", URL: at.URL + "/mcp", Client: &http.Client{Transport: at.Client().Transport, CheckRedirect: asItIs}}
			if _, err := p.Call(t.Context(), s, "echo", json.RawMessage(`{}`)); kind(err) != c.kind || err.Error() == "" {
				t.Errorf("call: %v", err)
			}
			if _, _, err := p.List(t.Context(), s); kind(err) != c.kind {
				t.Errorf("list: %v", err)
			}
		})
	}
}

// TestRedirectWithin: many servers answer at /mcp/ only and say so.
func TestRedirectWithin(t *testing.T) {
	t.Parallel()
	s, p := newServer(t, nil), newPool(t, Options{})
	inner := *s.inner.Load()
	var moved http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusTemporaryRedirect)
			return
		}
		inner.ServeHTTP(w, r)
	})
	s.inner.Store(&moved)
	at := s.at()
	at.Client = &http.Client{Transport: s.Client().Transport, CheckRedirect: asItIs}
	if got, err := p.Call(t.Context(), at, "echo", json.RawMessage(`{"a":1}`)); err != nil || got.Text != `{"a":1}` {
		t.Errorf("%+v, %v", got, err)
	}
	if v, _ := s.seen.Load("X-Key"); v != "k" {
		t.Errorf("header %v", v)
	}
}
