package tool

import (
	"maps"
	"net/http"
	"strings"
	"sync"

	"parley/internal/egress"
)

// Trace is what a call sent and received, without secrets, for the test console. A nil Trace takes nothing.
type Trace struct {
	dry bool // nothing may be sent

	mu       sync.Mutex // a tool may still write when its time is over
	request  *SentRequest
	response *ReceivedResponse
}

// SentRequest is a request as it is shown.
type SentRequest struct {
	Method, URL string
	Headers     map[string]string
	Body        string
}

// ReceivedResponse is an answer as it is shown; Body has at most MaxOutput bytes.
type ReceivedResponse struct {
	Status  int
	Headers map[string]string
	Body    string
}

func (t *Trace) isDry() bool { return t != nil && t.dry }

func (t *Trace) sent(req *request, m *masker) {
	if t == nil {
		return
	}
	shown := &SentRequest{Method: req.method, URL: m.mask(req.url), Headers: shownHeaders(req.header, m), Body: shownBody(string(req.body), m)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.request = shown
}

func (t *Trace) received(res *egress.Response, m *masker) {
	if t == nil {
		return
	}
	body, _, ok := text(res)
	if !ok {
		body = describeBinary(res)
	}
	shown := &ReceivedResponse{Status: res.Status, Headers: shownHeaders(res.Header, m), Body: shownBody(body, m)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.response = shown
}

func (t *Trace) shown() (*SentRequest, *ReceivedResponse) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.request, t.response
}

func shownBody(body string, m *masker) string {
	return Cut(m.mask(visibleText(body)), MaxOutput)
}

// shownHeaders masks secrets, and cookies as a whole: they are the credentials of a session.
func shownHeaders(h http.Header, m *masker) map[string]string {
	shown := make(map[string]string, len(h))
	for name := range maps.Keys(h) {
		value := strings.Join(h[name], ", ")
		if name == "Set-Cookie" || name == "Cookie" || name == "Authorization" {
			scheme, _, ok := strings.Cut(value, " ")
			if value = "••••"; ok && name == "Authorization" {
				value = scheme + " ••••"
			}
		}
		shown[name] = m.mask(visibleText(value))
	}
	return shown
}
