package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestShop(t *testing.T) {
	t.Parallel()
	h := newShop("k").handler()
	for _, step := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "/orders", `{"item":"green tea","quantity":2}`, 201, `"orderId":"T-1001"`},
		{"POST", "/orders", `{"item":"cocoa","quantity":2}`, 422, "We sell"},
		{"POST", "/orders", `{"item":"coffee","quantity":21}`, 422, "1 to 20"},
		{"POST", "/orders", `oops`, 400, "JSON"},
		{"PATCH", "/orders/t-1001", `{"quantity":3}`, 200, `"quantity":3`},
		{"PATCH", "/orders/T-1001", `{"quantity":0}`, 422, "1 to 20"},
		{"GET", "/orders/T-1001", "", 200, `"quantity":3`},
		{"DELETE", "/orders/T-1001", "", 200, "canceled"},
		{"DELETE", "/orders/T-1001", "", 409, "already"},
		{"GET", "/orders/T-9", "", 404, "no such order"},
		{"GET", "/orders", "", 200, "T-1001"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), step.method, step.path, strings.NewReader(step.body))
		r.Header.Set("X-Shop-Key", "k")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.says) {
			t.Errorf("%s %s %s = %d %s, want %d and %q", step.method, step.path, step.body, w.Code, w.Body, step.status, step.says)
		}
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/orders", nil)); w.Code != 401 {
		t.Errorf("without a key: %d", w.Code)
	}
}
