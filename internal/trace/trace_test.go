package trace

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "my card number is 4111"

var t0 = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// call is the log of a call with one resume, two turns, a tool and an interruption. Every text in it is a canary.
func call() (parley.Conversation, []parley.Event) {
	heard := int64(80)
	var events []parley.Event
	add := func(ms int64, typ string, data any) {
		e := parley.NewEvent(typ, t0.Add(time.Duration(ms)*time.Millisecond), data)
		e.Seq = int64(len(events) + 1)
		events = append(events, e)
	}
	add(0, parley.EventConversationStarted, parley.ConversationStartedData{From: canary, To: canary, AgentName: canary})
	add(500, parley.EventStreamStarted, parley.StreamStartedData{StreamSID: "MZ1", Epoch: 1})
	add(900, parley.EventModelConnected, parley.ModelConnectedData{Model: "gpt-realtime", Ms: 300})
	add(5000, parley.EventMessageUser, parley.MessageUserData{ItemID: "u1", Text: canary})
	add(5100, parley.EventToolStarted, parley.ToolStartedData{CallID: "c1", Name: "find_order", Arguments: json.RawMessage(`{"q":"` + canary + `"}`)})
	add(5900, parley.EventToolCompleted, parley.ToolCompletedData{CallID: "c1", Name: "find_order", Result: canary, Outcome: "timeout", Ms: 800})
	add(7000, parley.EventTurnLatency, parley.TurnLatencyData{ItemID: "u1", ResponseID: "r1", EndpointMs: 500, CreateMs: 10, FirstByteMs: 400, ResponseMs: 420, HeardMs: &heard})
	add(8000, parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a1", ResponseID: "r1", Text: canary, Complete: true})
	add(8500, parley.EventInterruption, parley.InterruptionData{ItemID: "a1", ResponseID: "r1", HeardMs: 1500})
	add(8501, parley.EventMessageHeard, parley.MessageHeardData{ItemID: "a1", HeardText: canary, HeardMs: 1500, Interrupted: true})
	add(9000, parley.EventError, parley.ErrorData{Where: "model", Type: "rate_limit_exceeded", Message: canary})
	add(9100, parley.EventStreamMeasured, parley.StreamMeasuredData{FramesIn: 430, FramesOut: 75, Underruns: 2})
	add(9200, parley.EventStreamDetached, parley.StreamDetachedData{Reason: canary})
	add(12000, parley.EventStreamStarted, parley.StreamStartedData{StreamSID: "MZ2", Epoch: 2})
	add(12400, parley.EventModelConnected, parley.ModelConnectedData{Model: "gpt-realtime", Ms: 200})
	add(15000, parley.EventTurnLatency, parley.TurnLatencyData{ItemID: "u2", ResponseID: "r2", EndpointMs: 400, ResponseMs: 600})
	add(20000, parley.EventConversationEnded, parley.EndData{Reason: parley.EndModelUnavailable, Message: canary})
	end := t0.Add(20 * time.Second)
	return parley.Conversation{
		ID: "0190c6a0-1111-7222-8333-444455556666", OrgID: "org", AgentID: "agent", AgentName: canary, From: canary, To: canary,
		Direction: "inbound", StartedAt: t0, EndedAt: &end, EndReason: parley.EndModelUnavailable,
		Summary: &parley.Summary{Cost: 1234, Latency: parley.Latency{Turns: 2}, Usage: parley.Usage{InputTokens: 10, OutputTokens: 20, CarrierMinutes: 1}},
	}, events
}

func TestSpansOfACall(t *testing.T) {
	t.Parallel()
	conv, events := call()
	spans := Spans(conv, events)
	byID := map[string]Span{}
	var got []string
	at := func(x time.Time) time.Duration { return x.Sub(t0) }
	for _, s := range spans {
		if _, twice := byID[s.ID]; twice || s.TraceID != "0190c6a01111722283334444"+"55556666" || len(s.ID) != 16 {
			t.Errorf("ids of %+v", s)
		}
		byID[s.ID] = s
		got = append(got, strings.Join([]string{s.Name, at(s.Start).String(), at(s.End).String(), byID[s.Parent].Name, s.Failed}, " "))
	}
	want := `call 0s 20s  model_unavailable
stream 500ms 9.2s call detached
model session 600ms 9.2s stream rate_limit_exceeded
tool call 5.1s 5.9s model session timeout
turn 6s 8.501s model session 
stream 12s 20s call 
model session 12.2s 20s stream 
turn 14s 15s model session `
	if strings.Join(got, "\n") != want {
		t.Errorf("spans:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	turn, root := spans[4], spans[0]
	if turn.Attributes["parley.total_ms"] != int64(1000) || turn.Attributes["parley.interrupted"] != true || spans[7].Attributes["parley.heard"] != false {
		t.Errorf("turns %v, %v", turn.Attributes, spans[7].Attributes)
	}
	if root.Attributes["parley.cost_micro_dollars"] != int64(1234) || root.Attributes["gen_ai.usage.output_tokens"] != int64(20) || spans[1].Attributes["parley.underruns"] != int64(2) {
		t.Errorf("call %v, stream %v", root.Attributes, spans[1].Attributes)
	}
	again := Spans(conv, events)
	for i := range spans {
		if again[i].ID != spans[i].ID {
			t.Error("ids differ from one reading to the next")
		}
	}
}

// receiver is a small OTLP/HTTP collector that checks the form of what it gets.
type receiver struct {
	t *testing.T
	*httptest.Server
	mu      sync.Mutex
	answers []int // statuses of the first requests
	bodies  []string
	headers http.Header
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	r := &receiver{t: t, answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

var (
	hex16  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	hex32  = regexp.MustCompile(`^[0-9a-f]{32}$`)
	number = regexp.MustCompile(`^[0-9]+$`)
)

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.answers) > 0 {
		status := r.answers[0]
		r.answers = r.answers[1:]
		w.WriteHeader(status)
		return
	}
	if req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/json" {
		r.t.Errorf("%s %s, %v", req.Method, req.URL.Path, req.Header)
	}
	var in struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes []map[string]any }
			ScopeSpans []struct{ Spans []map[string]any }
		}
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.ResourceSpans) != 1 || len(in.ResourceSpans[0].ScopeSpans) != 1 {
		r.t.Errorf("%v: %s", err, body)
		return
	}
	for _, s := range in.ResourceSpans[0].ScopeSpans[0].Spans {
		text := func(name string) string { v, _ := s[name].(string); return v }
		if !hex32.MatchString(text("traceId")) || !hex16.MatchString(text("spanId")) || !number.MatchString(text("startTimeUnixNano")) ||
			text("endTimeUnixNano") < text("startTimeUnixNano") || text("name") == "" {
			r.t.Errorf("not OTLP: %v", s)
		}
	}
	r.bodies, r.headers = append(r.bodies, string(body)), req.Header
	_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
}

func (r *receiver) config(t *testing.T) Config {
	t.Helper()
	cfg, err := FromEnvironment(func(name string) string {
		return map[string]string{
			"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL + "/", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20secret,x-other=1",
			"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test", "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
		}[name]
	}, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestTraceArrivesWithoutWords(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, http.StatusServiceUnavailable) // once: it is sent again
	e := New(r.config(t), slog.New(slog.DiscardHandler))
	conv, events := call()
	e.Call(conv, events)
	for deadline := time.Now().Add(10 * time.Second); e.Sent() == 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing arrived")
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.bodies) != 1 || r.headers.Get("x-key") != "a secret" {
		t.Fatalf("%d requests, headers %v", len(r.bodies), r.headers)
	}
	for _, want := range []string{`"service.name"`, `"stringValue":"1.2.3"`, `"deployment.environment"`, `"find_order"`, `"intValue":"1234"`, `"boolValue":true`, `"code":2`} {
		if !strings.Contains(r.bodies[0], want) {
			t.Errorf("the trace lacks %s:\n%s", want, r.bodies[0])
		}
	}
	if strings.Contains(r.bodies[0], "4111") || strings.Contains(r.bodies[0], "secret") {
		t.Errorf("the trace tells what was said:\n%s", r.bodies[0])
	}
}

func TestCollectorThatRefusesOrIsAway(t *testing.T) {
	t.Parallel()
	refusing := newReceiver(t, 400)
	away := newReceiver(t)
	away.Close()
	for name, r := range map[string]*receiver{"refuses": refusing, "away": away} {
		var logs strings.Builder
		e := New(r.config(t), slog.New(slog.NewTextHandler(&logs, nil)))
		conv, events := call()
		e.Call(conv, events)
		if name == "refuses" {
			for e.Dropped() == 0 {
				<-time.After(time.Millisecond)
			}
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if e.Dropped() != 1 || e.Sent() != 0 || strings.Contains(logs.String(), "secret") || !strings.Contains(logs.String(), conv.ID) {
			t.Errorf("%s: %d sent, %d dropped\n%s", name, e.Sent(), e.Dropped(), logs.String())
		}
	}
}

// TestCallNeverBlocks: a collector that does not answer costs traces, not time.
func TestCallNeverBlocks(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer stuck.Close()
	defer close(release)
	e := New(Config{URL: stuck.URL, Timeout: 200 * time.Millisecond}, slog.New(slog.DiscardHandler))
	conv, events := call()
	for range 2 * queueCalls {
		e.Call(conv, events)
	}
	if e.Dropped() < queueCalls-1 {
		t.Errorf("%d dropped", e.Dropped())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if e.Close(ctx) == nil {
		t.Error("Close did not say that traces were lost")
	}
	for len(e.queue) > 0 { // let the exporter end quickly: nothing is left to send
		<-e.queue
	}
	<-e.done
	e.client.CloseIdleConnections()
}

func TestConfigFromEnvironment(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		env  map[string]string
		url  string
		fail string
	}{
		"off":           {nil, "", ""},
		"base":          {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces", ""},
		"traces":        {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://d/x"}, "https://d/x", ""},
		"disabled":      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, "", ""},
		"other signals": {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, "", ""},
		"no address":    {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, "", "not an http"},
		"grpc":          {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "", "grpc"},
		"headers":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "topsecret"}, "", "OTEL_EXPORTER_OTLP_HEADERS"},
		"timeout":       {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "", "TIMEOUT"},
	}
	for name, c := range cases {
		cfg, err := FromEnvironment(func(v string) string { return c.env[v] }, "1")
		switch {
		case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail) || strings.Contains(err.Error(), "topsecret")):
			t.Errorf("%s: %v", name, err)
		case c.fail == "" && (err != nil || cfg.URL != c.url):
			t.Errorf("%s: %q, %v", name, cfg.URL, err)
		}
	}
}
