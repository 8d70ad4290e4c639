package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley"
)

// chunkLine is one SSE event with a chunk of the given choices and extra members.
func chunkLine(choices string, more ...string) string {
	return `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[` + choices + `]` + strings.Join(more, "") + "}\n\n"
}

func textChunk(s string) string {
	q, _ := json.Marshal(s)
	return chunkLine(`{"index":0,"delta":{"content":` + string(q) + `},"finish_reason":null}`)
}

func finishChunk(reason string) string {
	return chunkLine(`{"index":0,"delta":{},"finish_reason":"` + reason + `"}`)
}

func toolChunk(fragment string) string {
	return chunkLine(`{"index":0,"delta":{"tool_calls":[` + fragment + `]},"finish_reason":null}`)
}

const doneLine = "data: [DONE]\n\n"

// provider is a scripted model provider: each answer serves one request.
type provider struct {
	*httptest.Server
	requests atomic.Int64
	body     atomic.Value // []byte of the last request
}

func newProvider(t *testing.T, answers ...http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(p.requests.Add(1))
		raw, _ := io.ReadAll(r.Body)
		p.body.Store(raw)
		if r.URL.Path != "/v1/chat/completions" || r.Method != http.MethodPost {
			t.Errorf("request %s %s", r.Method, r.URL.Path)
		}
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func streams(lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for _, l := range lines {
			_, _ = io.WriteString(w, l)
			w.(http.Flusher).Flush()
		}
	}
}

func refuses(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func newTestChat(t *testing.T, o ChatOptions) *Chat {
	t.Helper()
	o.Backoff = time.Millisecond
	c := NewChat(o)
	t.Cleanup(c.Close)
	return c
}

func (p *provider) request() ChatRequest {
	return ChatRequest{
		Endpoint: Endpoint{BaseURL: p.URL + "/v1", Key: "sk-test-secret"},
		Model:    "gpt-4o",
		Messages: []ChatMessage{{Role: "system", Text: "Be brief."}, {Role: "user", Text: "Hi"}},
	}
}

func TestCompleteText(t *testing.T) {
	t.Parallel()
	p := newProvider(t, streams(
		chunkLine(``, `,"prompt_filter_results":[]`), // Azure begins so
		chunkLine(`{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}`, `,"usage":null,"obfuscation":"x"`),
		": comment\n\n", textChunk("Hel"), textChunk("lo \"data: [DONE]\" ✓"),
		finishChunk("stop"),
		chunkLine(``, `,"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0}}`),
		doneLine))
	var pieces []string
	a, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), p.request(), func(s string) { pieces = append(pieces, s) })
	if err != nil {
		t.Fatal(err)
	}
	if a.Text != `Hello "data: [DONE]" ✓` || len(pieces) != 2 || strings.Join(pieces, "") != a.Text {
		t.Errorf("text %q, pieces %q", a.Text, pieces)
	}
	want := parley.Usage{InputTextTokens: 20, CachedTextTokens: 8, OutputTextTokens: 7, InputTokens: 20, OutputTokens: 7, TotalTokens: 27}
	if a.Usage == nil || *a.Usage != want {
		t.Errorf("usage %+v", a.Usage)
	}
	if a.ID != "c1" || a.FinishReason != "stop" || !a.Complete() || a.FirstByte <= 0 || len(a.ToolCalls) != 0 {
		t.Errorf("answer %+v", a)
	}
}

func TestCompleteToolCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  []ChatToolCall
	}{
		"interleaved, finish_reason stop": {[]string{
			toolChunk(`{"index":1,"id":"b","type":"function","function":{"name":"two","arguments":""}}`),
			toolChunk(`{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":""}}`),
			toolChunk(`{"index":0,"function":{"arguments":"{\"x\""}}`),
			toolChunk(`{"index":1,"function":{"arguments":"{}"}}`),
			toolChunk(`{"index":0,"function":{"arguments":":1}"}}`),
			finishChunk("stop"), doneLine,
		}, []ChatToolCall{{"a", "one", `{"x":1}`}, {"b", "two", `{}`}}},
		"all numbered 0": {[]string{
			toolChunk(`{"index":0,"id":"a","type":"function","function":{"name":"one","arguments":"{}"}}`),
			toolChunk(`{"index":0,"id":"b","type":"function","function":{"name":"one","arguments":"{}"}}`),
			finishChunk("tool_calls"), doneLine,
		}, []ChatToolCall{{"a", "one", `{}`}, {"b", "one", `{}`}}},
		"id repeated in every fragment": {[]string{
			toolChunk(`{"index":0,"id":"a","function":{"name":"one","arguments":"{"}}`),
			toolChunk(`{"index":0,"id":"a","function":{"name":"one","arguments":"}"}}`),
			finishChunk("tool_calls"), doneLine,
		}, []ChatToolCall{{"a", "one", `{}`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, streams(c.lines...))
			a, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), p.request(), func(string) { t.Error("text") })
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(a.ToolCalls) != fmt.Sprint(c.want) || a.FirstByte <= 0 {
				t.Errorf("got %+v", a)
			}
		})
	}

	t.Run("missing and doubled ids", func(t *testing.T) {
		t.Parallel()
		p := newProvider(t, streams(
			toolChunk(`{"index":0,"function":{"name":"one","arguments":"{}"}},{"index":1,"id":"a","function":{"name":"one","arguments":"{}"}},{"index":2,"id":"a","function":{"name":"two","arguments":"{}"}}`),
			finishChunk("tool_calls"), doneLine))
		a, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), p.request(), func(string) {})
		if err != nil || len(a.ToolCalls) != 3 {
			t.Fatalf("%+v %v", a, err)
		}
		ids := map[string]bool{"": true}
		for _, c := range a.ToolCalls {
			if ids[c.ID] {
				t.Errorf("id %q is empty or doubled", c.ID)
			}
			ids[c.ID] = true
		}
	})
}

func TestCompleteRequest(t *testing.T) {
	t.Parallel()
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer sk-test-secret" {
			t.Errorf("Authorization %q", got)
		}
		streams(textChunk("ok"), finishChunk("stop"), doneLine)(w, r)
	})
	req := p.request()
	tool, _ := parley.BuiltinTool("current_time")
	req.Tools, req.NoTools = []parley.Tool{tool}, true
	req.Messages = append(req.Messages,
		ChatMessage{Role: "assistant", ToolCalls: []ChatToolCall{{"a", "current_time", "{}"}}},
		ChatMessage{Role: "tool", ToolCallID: "a", Text: "noon"},
		ChatMessage{Role: "assistant", Text: "Noon."},
		ChatMessage{Role: "user", Text: "Thanks"})
	if _, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), req, func(string) {}); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(p.body.Load().([]byte), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"tool_choice":"none",
		"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},
			{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"current_time","arguments":"{}"}}]},
			{"role":"tool","tool_call_id":"a","content":"noon"},{"role":"assistant","content":"Noon."},{"role":"user","content":"Thanks"}],
		"tools":[{"type":"function","function":{"name":"current_time","description":"`+tool.Description+`","parameters":`+string(tool.Parameters)+`}}]}`), &want); err != nil {
		t.Fatal(err)
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if !bytes.Equal(g, w) {
		t.Errorf("sent %s\nwant %s", g, w)
	}
}

func TestCompleteFailures(t *testing.T) {
	t.Parallel()
	ok := streams(textChunk("ok"), finishChunk("stop"), doneLine)
	for name, c := range map[string]struct {
		answers  []http.HandlerFunc
		kind     ChatErrorKind // "" = succeeds
		requests int64
		text     string
	}{
		"refused key": {[]http.HandlerFunc{refuses(401, `{"error":{"message":"Incorrect API key provided: sk-test-secret","type":"invalid_request_error","code":"invalid_api_key"}}`), ok}, ChatAuth, 1, ""},
		"no credit":   {[]http.HandlerFunc{refuses(429, `{"error":{"message":"You exceeded","type":"insufficient_quota","code":"insufficient_quota"}}`), ok}, ChatQuota, 1, ""},
		"limited, then fine": {[]http.HandlerFunc{
			refuses(429, `{"error":{"code":"rate_limit_exceeded"}}`, "Retry-After", "0"), ok}, "", 2, "ok"},
		"limited for long":   {[]http.HandlerFunc{refuses(429, `{"error":{"code":"rate_limit_exceeded"}}`, "Retry-After", "30"), ok}, ChatRateLimited, 1, ""},
		"limited for ever":   {[]http.HandlerFunc{refuses(429, `{}`, "Retry-After-Ms", "1")}, ChatRateLimited, 3, ""},
		"down, then fine":    {[]http.HandlerFunc{refuses(503, `<html>`), refuses(500, ``), ok}, "", 3, "ok"},
		"down":               {[]http.HandlerFunc{refuses(502, `{"error":null}`)}, ChatUnavailable, 3, ""},
		"bad request":        {[]http.HandlerFunc{refuses(400, `{"error":{"message":"no such model","code":"model_not_found"}}`), ok}, ChatInvalid, 1, ""},
		"number as code":     {[]http.HandlerFunc{refuses(404, `{"error":{"message":"x","code":404}}`), ok}, ChatInvalid, 1, ""},
		"redirect":           {[]http.HandlerFunc{refuses(302, ``, "Location", "http://127.0.0.1:1/"), ok}, ChatInvalid, 1, ""},
		"not a stream":       {[]http.HandlerFunc{refuses(200, `{"choices":[]}`), ok}, ChatInvalid, 1, ""},
		"error in stream":    {[]http.HandlerFunc{streams(textChunk("par"), `data: {"error":{"message":"overloaded sk-test-secret","type":"server_error"}}`+"\n\n"), ok}, ChatInterrupted, 1, "par"},
		"cut":                {[]http.HandlerFunc{streams(textChunk("par")), ok}, ChatInterrupted, 1, "par"},
		"cut after finish":   {[]http.HandlerFunc{streams(textChunk("par"), finishChunk("stop")), ok}, ChatInterrupted, 1, "par"},
		"done, no finish":    {[]http.HandlerFunc{streams(textChunk("par"), doneLine), ok}, ChatInterrupted, 1, "par"},
		"cut before a chunk": {[]http.HandlerFunc{streams(), ok}, ChatInterrupted, 1, ""},
		"torn connection": {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			streams(textChunk("par"))(w, r)
			panic(http.ErrAbortHandler)
		}, ok}, ChatInterrupted, 1, "par"},
		"not JSON in stream":               {[]http.HandlerFunc{streams("data: {\n\n"), ok}, ChatInterrupted, 1, ""},
		"too long":                         {[]http.HandlerFunc{streams(textChunk(strings.Repeat("a", maxChatAnswer)), textChunk("b"), finishChunk("stop"), doneLine), ok}, ChatInterrupted, 1, strings.Repeat("a", maxChatAnswer)},
		"connection torn before an answer": {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ok}, "", 2, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, c.answers...)
			a, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), p.request(), func(string) {})
			if a.Text != c.text {
				t.Errorf("text %.50q, want %.50q", a.Text, c.text)
			}
			if n := p.requests.Load(); n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
			if c.kind == "" {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			e, ok := errors.AsType[*ChatError](err)
			if !ok || e.Kind != c.kind {
				t.Fatalf("error %#v, want kind %s", err, c.kind)
			}
			if e.Message == "" || strings.Contains(e.Message, "secret") {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

func TestCompleteUnreachable(t *testing.T) {
	t.Parallel()
	p := newProvider(t, streams())
	req := p.request()
	req.Endpoint.BaseURL = strings.Replace(p.URL, "http://", "http://user:password@", 1) + "/v1"
	p.Close()
	_, err := newTestChat(t, ChatOptions{}).Complete(t.Context(), req, func(string) {})
	e, ok := errors.AsType[*ChatError](err)
	if !ok || e.Kind != ChatUnavailable || strings.Contains(e.Message, "password") {
		t.Errorf("error %v", err)
	}
}

func TestCompleteCanceledAndSilent(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 3)
	hang := func(w http.ResponseWriter, r *http.Request) {
		streams(textChunk("par"))(w, r)
		<-r.Context().Done()
		gone <- struct{}{}
	}
	p := newProvider(t, hang)
	mute := newProvider(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		gone <- struct{}{}
	})
	stop := errors.New("stopped by the visitor")
	ctx, cancel := context.WithCancelCause(t.Context())
	a, err := newTestChat(t, ChatOptions{}).Complete(ctx, p.request(), func(string) { cancel(stop) })
	if !errors.Is(err, stop) || a.Text != "par" {
		t.Errorf("canceled: %v, %q", err, a.Text)
	}
	a, err = newTestChat(t, ChatOptions{Idle: 50 * time.Millisecond}).Complete(t.Context(), p.request(), func(string) {})
	if e, ok := errors.AsType[*ChatError](err); !ok || e.Kind != ChatInterrupted || a.Text != "par" {
		t.Errorf("silent: %v, %q", err, a.Text)
	}
	_, err = newTestChat(t, ChatOptions{Patience: 50 * time.Millisecond, Attempts: 1}).Complete(t.Context(), mute.request(), func(string) {})
	if e, ok := errors.AsType[*ChatError](err); !ok || e.Kind != ChatUnavailable {
		t.Errorf("mute: %v", err)
	}
	for range 3 { // the provider must learn of it
		select {
		case <-gone:
		case <-time.After(10 * time.Second):
			t.Fatal("the provider still generates")
		}
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true // the requests come one after the other
		streams(textChunk("ok"), finishChunk("stop"), doneLine)(w, r)
	})
	c := newTestChat(t, ChatOptions{})
	for range 5 {
		if _, err := c.Complete(t.Context(), p.request(), func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Errorf("%d connections for 5 requests", len(seen))
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "2": 2 * time.Second, "0.5": 500 * time.Millisecond, "-3": 0, "soon": 0,
		now.Add(7 * time.Second).Format(http.TimeFormat):  7 * time.Second,
		now.Add(-7 * time.Second).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// FuzzSSE compares the reader with a simple one, whatever pieces the stream comes in.
func FuzzSSE(f *testing.F) {
	f.Add("data: {}\n\ndata: [DONE]\n\n", 3)
	f.Add(": hello\r\nevent: x\r\ndata: a\r\ndata:b\r\n\r\n\n", 1)
	f.Add("data:[DONE]", 64)
	f.Add("data: "+strings.Repeat("x", 3*sseBuffer)+"\n\ndata: y\n", 7)
	f.Fuzz(func(t *testing.T, stream string, size int) {
		var want []string
		var data []string
		lines := strings.Split(stream, "\n")
		for i, line := range lines {
			line, rest := strings.TrimSuffix(line, "\r"), i == len(lines)-1
			value, ok := strings.CutPrefix(line, "data:")
			value = strings.TrimPrefix(value, " ")
			switch {
			case rest && (data != nil || ok && value == "[DONE]"): // nothing ends it
				if data == nil {
					data = []string{value}
				}
				want, data = append(want, strings.Join(data, "\n")), nil
			case rest:
			case line == "" && data != nil:
				want, data = append(want, strings.Join(data, "\n")), nil
			case ok:
				data = append(data, value)
			}
		}
		s := sse{r: &pieces{stream, max(size%100, 1)}}
		for n := 0; ; n++ {
			got, err := s.next()
			if err != nil {
				if n != len(want) {
					t.Fatalf("%d events, want %q", n, want)
				}
				return
			}
			if n >= len(want) || string(got) != want[n] {
				t.Fatalf("event %d is %q, want %q", n, got, want)
			}
		}
	})
}

// pieces is a stream that comes so many bytes at a time.
type pieces struct {
	rest string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// FuzzStream feeds anything as a provider's stream.
func FuzzStream(f *testing.F) {
	f.Add(textChunk("a") + finishChunk("stop") + doneLine)
	f.Add(toolChunk(`{"index":9223372036854775807,"id":"a"}`) + toolChunk(`{"index":-9,"id":"b"}`) + doneLine)
	f.Add("data: {\"error\":1}\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(stream))}, nil
		})}
		var said strings.Builder
		a, err := NewChat(ChatOptions{Client: client}).Complete(context.Background(),
			ChatRequest{Endpoint: Endpoint{BaseURL: "http://model.test/v1"}, Model: "m"}, func(s string) { said.WriteString(s) })
		if said.String() != a.Text {
			t.Fatalf("said %q, answered %q", said.String(), a.Text)
		}
		if err == nil && (a.FinishReason == "" || !strings.Contains(stream, "[DONE]")) {
			t.Fatal("an unfinished stream succeeded")
		}
		if _, ok := errors.AsType[*ChatError](err); err != nil && !ok {
			t.Fatalf("error %v", err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// BenchmarkComplete measures one answer of 200 deltas without a network.
func BenchmarkComplete(b *testing.B) {
	stream := strings.Repeat(textChunk("word "), 200) + finishChunk("stop") + doneLine
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(stream)), Request: r}, nil
	})}
	c := NewChat(ChatOptions{Client: client})
	req := ChatRequest{Endpoint: Endpoint{BaseURL: "http://model.test/v1"}, Model: "m", Messages: []ChatMessage{{Role: "user", Text: "Hi"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Complete(context.Background(), req, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/delta")
}
