package web

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	t.Parallel()
	h := New(State{Origin: "http://127.0.0.1:8080", Simulated: true, VoiceAgentID: "v", ChatAgentID: "chat-agent-id"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	body := w.Body.String()
	for _, want := range []string{"Parley is running", "Simulated model", "parley call --say", "/agents/chat-agent-id/chat", "/openapi.yaml"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	csp := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("%d with policy %q", w.Code, csp)
	}
	if regexp.MustCompile(`<style|<script>| style=| on[a-z]+=`).MatchString(body) {
		t.Error("the page has inline styles or scripts, which its policy forbids")
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if !strings.HasPrefix(m[1], "/") || strings.HasPrefix(m[1], "//") {
			t.Errorf("the page loads or links %s", m[1])
		}
		if strings.HasPrefix(m[1], "/static/") {
			f := httptest.NewRecorder()
			h.ServeHTTP(f, httptest.NewRequest("GET", m[1], nil))
			if f.Code != 200 || f.Body.Len() == 0 {
				t.Errorf("%s = %d", m[1], f.Code)
			}
		}
	}
}

func TestPageSaysWhichModelAnswers(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	New(State{Origin: "https://a.example/\"><script>"}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if body := w.Body.String(); strings.Contains(body, "Simulated model") || strings.Contains(body, "\"><script>") || !strings.Contains(body, "AGENT_ID") {
		t.Error("the page claims a simulator, or does not escape its origin")
	}
}
