package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"parley/internal/store/storetest"
)

// The path of a request inside the process, with authentication, rate limits, access log and database, without a
// connection. `make load-api` measures it with one.

func BenchmarkGetAgent(b *testing.B) {
	h := newHouse(b, storetest.SQLite(b))
	id := h.createAgent(b, "", `{"name":"Bench","type":"voice","toolIds":["current_time"]}`)
	benchmark(b, h, "GET", "/api/v1/agents/"+id, "", 200)
}

func BenchmarkCreateAgent(b *testing.B) {
	benchmark(b, newHouse(b, storetest.SQLite(b)), "POST", "/api/v1/agents", voiceBody, 201)
}

func benchmark(b *testing.B, h *house, method, path, body string, status int) {
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(method, "http://x"+path, strings.NewReader(body))
		r.Header.Set("X-Api-Key", h.key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		if w.Code != status {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
