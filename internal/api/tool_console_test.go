package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestToolConsole(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"order":{"path":"` + r.URL.EscapedPath() + `","key":"` + r.Header.Get("X-Api-Key") + `","who":"` + r.Header.Get("X-Caller") + `"}}`))
	}))
	t.Cleanup(shop.Close)
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		if a := h.do(t, request{method: "PUT", path: secrets + "/SHOP", body: `{"value":"canary-5f7a11"}`}); a.status != 200 {
			t.Fatalf("secret: %s", a.body)
		}
		id := h.createTool(t, "", `{"name":"Order","description":"D","kind":"http","parameters":{"type":"object","properties":{"orderId":{"type":"string"}},"required":["orderId"]},
			"http":{"method":"GET","url":"`+shop.URL+`/orders/{{args.orderId}}","headers":{"X-Api-Key":"{{secret.SHOP}}","X-Caller":"{{context.callerNumber}}"},"resultPath":"/order"}}`)
		test := func(id, body string) answer {
			return h.do(t, request{method: "POST", path: "/api/v1/tools/" + id + "/test", body: body})
		}
		good := `{"arguments":{"orderId":"A/1"},"context":{"callerNumber":"+14155550123"}`
		a := test(id, good+`}`)
		if a.status != 200 || a.at("data.error") != nil || a.text("data.request.url") != shop.URL+"/orders/A%2F1" || a.text("data.request.headers.X-Api-Key") != "••••" ||
			!strings.Contains(a.text("data.result"), `"result":{"path":"/orders/A%2F1","key":"••••","who":"+14155550123"}`) || a.at("data.response.status") != 200.0 {
			t.Errorf("test: %d %s", a.status, a.body)
		}
		if strings.Contains(string(a.body), "canary") {
			t.Errorf("the secret is shown: %s", a.body)
		}
		if a := test(id, good+`,"dryRun":true}`); a.status != 200 || a.at("data.response") != nil || a.at("data.error") != nil || a.at("data.request") == nil {
			t.Errorf("dry run: %d %s", a.status, a.body)
		}
		for body, want := range map[string]string{`{}`: "invalid_arguments", `{"arguments":{"orderId":".."}}`: "invalid_arguments", `{"arguments":{"orderId":"a"}}`: "missing_context"} {
			if a := test(id, body); a.status != 200 || a.text("data.error.type") != want || a.at("data.request") != nil {
				t.Errorf("%s: %d %s, want %s", body, a.status, a.body, want)
			}
		}
		for body, field := range map[string]string{`{"arguments":[]}`: "arguments", `{"arguments":null}`: "arguments", `{"context":{"organizationId":"x"}}`: "context.organizationId", `{"x":1}`: "x"} {
			if a := test(id, body); a.status != 400 || !strings.Contains(string(a.body), `"`+field+`"`) {
				t.Errorf("%s: %d %s", body, a.status, a.body)
			}
		}
		if a := test("calculator", `{"arguments":{"expression":"0.1+0.2"}}`); a.status != 200 || a.text("data.result") != "0.3" {
			t.Errorf("calculator: %s", a.body)
		}
		if a := test("end_call", `{}`); a.status != 200 || a.text("data.error.type") != "needs_call" {
			t.Errorf("end_call: %s", a.body)
		}
		blocked := `{"name":"B","description":"D","kind":"http","http":{"method":"GET","url":"http://169.254.169.254/latest"}}`
		made := h.do(t, request{method: "POST", path: "/api/v1/tools", body: blocked})
		if made.status != 201 || !strings.Contains(fmt.Sprint(made.at("warnings")), "http.url leads to a blocked address") {
			t.Errorf("blocked address: %d %s", made.status, made.body)
		}
		if a := test(made.text("data.id"), `{}`); a.status != 200 || a.text("data.error.type") != "blocked_address" || a.text("data.request.method") != "GET" {
			t.Errorf("blocked address, tried: %d %s", a.status, a.body)
		}
	})
}
