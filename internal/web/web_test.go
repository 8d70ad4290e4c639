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

// TestTheBrowserPhoneIsForAnySite: its client may be loaded from anywhere, is asked for again cheaply, and the page
// that uses it may reach nothing but this server.
func TestTheBrowserPhoneIsForAnySite(t *testing.T) {
	t.Parallel()
	h := New(State{Origin: "https://parley.example"})
	get := func(path, tag string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", tag)
		h.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/web-call.js", "/web-call-audio.js"} {
		w := get(path, "")
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
			t.Errorf("%s: %d, %v", path, w.Code, w.Header())
		}
		if again := get(path, w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s again: %d with %d bytes", path, again.Code, again.Body.Len())
		}
	}
	if !strings.Contains(get("/web-call.js", "").Body.String(), `new URL("web-call-audio.js", import.meta.url)`) {
		t.Error("the client does not load its worklet from where it is served")
	}
	w := get("/call", "")
	csp := w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(csp, "connect-src 'self' wss://parley.example") || strings.Contains(csp, "unsafe") {
		t.Errorf("%d with policy %q", w.Code, csp)
	}
	if body := w.Body.String(); regexp.MustCompile(`<style|<script>| style=| on[a-z]+=`).MatchString(body) || strings.Contains(body, "simulator") {
		t.Error("the page has inline styles or scripts, or claims a simulator")
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
