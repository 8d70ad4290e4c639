package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
)

// TestPriceFile is what an operator does: print, edit, print again, serve; and be told what is wrong.
func TestPriceFile(t *testing.T) {
	t.Parallel()
	code, printed, stderr := command(t, "prices")
	if code != 0 {
		t.Fatal(stderr)
	}
	if p, err := parley.ParsePrices([]byte(printed)); err != nil || p.Version != parley.PriceVersion {
		t.Fatalf("printed %q, %v", p.Version, err)
	}
	file := filepath.Join(t.TempDir(), "prices.json")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"models":{"house":{"textInput":1,"textOutput":2}}}`)
	if code, printed, _ = command(t, "prices", "--prices", file); code != 0 || !strings.Contains(printed, `"house"`) || !strings.Contains(printed, `"gpt-4o"`) {
		t.Errorf("%d %s", code, printed)
	}
	for text, want := range map[string][]string{
		`{"models":{"house":{"textInput":"free"}},"carrier":{"inbound":{"358":1}}}`: {"PARLEY_PRICES", file, "models.house.textInput", "models.house.textOutput", "carrier.inbound.358"},
		`{`: {"PARLEY_PRICES", file, "JSON"},
	} {
		write(text)
		for _, args := range [][]string{{"prices", "--prices", file}, {"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "never"), "--prices", file}} {
			code, _, stderr := command(t, args...)
			for _, part := range want {
				if code != 1 || !strings.Contains(stderr, part) {
					t.Errorf("%s: %s: %d, want %q in %s", args[0], text, code, part, stderr)
				}
			}
		}
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// TestCallIsCountedTracedAndLogged places a call over the simulated carrier to a model that bills, and looks at
// everything an operator can see of it.
func TestCallIsCountedTracedAndLogged(t *testing.T) {
	t.Parallel()
	provider, err := model.Start(model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = provider.Close() }()
	traces := make(chan string, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		traces <- r.URL.Path + string(body)
	}))
	defer collector.Close()
	s := start(t, t.TempDir(), "--openai-base-url", provider.BaseURL(), "--openai-api-key", provider.Key(), "--otlp-endpoint", collector.URL, "--max-calls", "5")
	code, out, stderr := command(t, "call", "--url", s.url, "--data", s.data, "--say", short(t), "--json")
	if code != 0 {
		t.Fatalf("%d %s %s", code, out, stderr)
	}
	var r callResult
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	var body string
	select {
	case body = <-traces:
	case <-time.After(20 * time.Second):
		t.Fatalf("no trace\n%s", s.err)
	}
	for _, want := range []string{"/v1/traces", strings.ReplaceAll(r.ConversationID, "-", ""), `"name":"call"`, `"name":"stream"`, `"name":"model session"`, `"name":"turn"`, `"parley.total_ms"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the trace lacks %s: %s", want, body)
		}
	}
	for _, m := range r.Transcript {
		if m.Text != "" && strings.Contains(body, m.Text) {
			t.Errorf("the trace says %q", m.Text)
		}
	}
	var page string
	eventually(t, "the call on /metrics", func() bool {
		_, page = s.get(t, "/metrics", "")
		return strings.Contains(page, "parley_traces_sent_total 1")
	})
	for _, want := range []string{
		`parley_calls_ended_total{reason="caller_hangup"} 1`, `parley_call_events_total{type="stream.started"} 1`, `parley_model_connect_seconds_count 1`, `parley_call_slots_max 5`, `parley_call_slots_used 0`,
		`parley_overloaded 0`, `parley_calls_live 0`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, pattern := range []string{
		`parley_cost_dollars_total\{kind="response",model="gpt-realtime-2025-08-28"\} 0\.0[0-9]*[1-9]`, `parley_model_tokens_total\{kind="audio_output",model="gpt-realtime-2025-08-28"\} [1-9]`,
		`parley_turn_seconds_count\{hop="total"\} [1-9]`, `parley_turn_seconds_count\{hop="heard"\} [1-9]`,
		`parley_cost_dollars_total\{kind="transcription",model="gpt-4o-mini-transcribe"\}`, `parley_frames_out_total [1-9]`, `parley_frames_in_total [1-9]`, `parley_frame_lateness_seconds_count [1-9]`,
	} {
		if !regexp.MustCompile(pattern).MatchString(page) {
			t.Errorf("the page lacks %s", pattern)
		}
	}
	logs := s.err.String()
	if strings.Count(logs, `msg="call ended"`) != 1 || !regexp.MustCompile(`msg="call ended" call_id=`+r.ConversationID+`.* caller=\S*\*\d{4}.* cost_dollars=0\.0\d+`).MatchString(logs) {
		t.Errorf("log:\n%s", logs)
	}
	documented(t, page)
}

// documented holds docs/operations.md to what the page shows.
func documented(t *testing.T, page string) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (parley_\w+)`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(string(doc), "`"+m[1]) {
			t.Errorf("docs/operations.md does not describe %s", m[1])
		}
	}
}

// TestFullServerIsNotReady: load balancers send new calls elsewhere, and a caller who comes all the same hears so.
func TestFullServerIsNotReady(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--max-calls", "1")
	if status, body := s.get(t, "/readyz", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		_, _, _ = command(t, "call", "--url", s.url, "--data", s.data, "--say", short(t), "--json")
	}()
	eventually(t, "a full server", func() bool {
		status, body := s.get(t, "/readyz", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "capacity")
	})
	if status, _ := s.get(t, "/healthz", ""); status != http.StatusOK {
		t.Errorf("a full server is not healthy: %d", status)
	}
	_, out, _ := command(t, "call", "--url", s.url, "--data", s.data, "--say", short(t), "--json")
	if !strings.Contains(out, "All our lines are busy") {
		t.Errorf("the second call: %s", out)
	}
	<-first
	eventually(t, "a server with room", func() bool { status, _ := s.get(t, "/readyz", ""); return status == http.StatusOK })
	if _, page := s.get(t, "/metrics", ""); !strings.Contains(page, `parley_calls_refused_total{reason="full"} 1`) {
		t.Error("the refusal was not counted")
	}
}
