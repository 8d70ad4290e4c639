package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// post sends JSON to the API and returns the member data of the answer.
func (s *running) post(t *testing.T, path, key string, in map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"X-Api-Key": {key}, "Content-Type": {"application/json"}}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out struct{ Data map[string]any }
	body, _ := io.ReadAll(res.Body)
	if err := json.Unmarshal(body, &out); err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s: %s %s", path, res.Status, body)
	}
	return out.Data
}

// TestToolsReachWhatTheOperatorAllows, but not this server, whose own listener stands in the same network.
func TestToolsReachWhatTheOperatorAllows(t *testing.T) {
	t.Parallel()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "reached") }))
	defer outside.Close()
	const key = "egress-test-key-0123456789abcdef0123456789"
	s := start(t, t.TempDir(), "--bootstrap-key", key, "--egress-allow", "127.0.0.0/8")
	for name, c := range map[string]struct {
		url  string
		open bool
	}{"outside": {outside.URL, true}, "inside": {strings.Replace(s.url, "127.0.0.1", "localhost", 1) + "/readyz", false}} {
		tool := s.post(t, "/api/v1/tools", key, map[string]any{"name": name, "kind": "http", "description": "Asks.", "http": map[string]any{"method": "GET", "url": c.url}})
		agent := s.post(t, "/api/v1/agents", key, map[string]any{"name": name, "type": "chat", "instructions": "Be brief.", "toolIds": []any{tool["id"]}})
		answer := s.post(t, "/api/v1/agents/"+agent["id"].(string)+"/chat", key, map[string]any{"message": "Please ask " + name})
		calls, _ := answer["toolCalls"].([]any)
		if len(calls) != 1 {
			t.Fatalf("%s: %v", name, answer)
		}
		if call := calls[0].(map[string]any); (call["outcome"] == "ok") != c.open {
			t.Errorf("%s: %v", name, call)
		}
	}
}
