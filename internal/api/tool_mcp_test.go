package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// mcpServer offers functions of these names. The house's gate must let it be reached.
func mcpServer(t *testing.T) (url string, offer func(names ...string)) {
	var now atomic.Pointer[sdk.Server]
	offer = func(names ...string) {
		at := sdk.NewServer(&sdk.Implementation{Name: "shop"}, nil)
		for _, name := range names {
			at.AddTool(&sdk.Tool{Name: name, Description: "Does " + name, InputSchema: json.RawMessage(`{"type":"object"}`)},
				func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
					return &sdk.CallToolResult{}, nil
				})
		}
		now.Store(at)
	}
	offer()
	srv := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return now.Load() }, nil))
	t.Cleanup(srv.Close)
	return srv.URL, offer
}

func TestMCPTool(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		url, offer := mcpServer(t)
		h := newHouse(t, st)
		offer("find", "cancel")
		body := `{"name":"Shop","kind":"mcp","description":"D","mcp":{"url":"` + url + `/mcp","headers":{"X-Api-Key":"canary-1"},"allowedTools":["find","gone"]}}`
		made := h.do(t, request{method: "POST", path: "/api/v1/tools", body: body})
		if made.status != 201 || made.at("data.mcp.status.state") != "ok" || made.at("data.mcp.headers.X-Api-Key") != "••••" || strings.Contains(string(made.body), "canary") {
			t.Fatalf("create: %d %s", made.status, made.body)
		}
		if !strings.Contains(fmt.Sprint(made.at("warnings")), `the server has no "gone"`) || made.at("data.mcp.functions.0.name") != "find" ||
			made.at("data.mcp.functions.0.offered") != true || made.at("data.mcp.functions.1.offered") != false {
			t.Errorf("create: %s", made.body)
		}
		path := "/api/v1/tools/" + made.text("data.id")
		if got := h.do(t, request{method: "GET", path: path}); fmt.Sprint(got.at("data.mcp")) != fmt.Sprint(made.at("data.mcp")) {
			t.Errorf("get: %s", got.body)
		}
		if got := h.do(t, request{method: "GET", path: "/api/v1/tools?kind=mcp"}); got.at("data.tools.0.mcp.status.state") != "ok" {
			t.Errorf("list: %s", got.body)
		}
		offer("find", "book")
		got := h.do(t, request{method: "POST", path: path + "/refresh"})
		if got.status != 200 || fmt.Sprint(got.at("data.added"), got.at("data.removed"), got.at("data.changed")) != "[book] [cancel] []" {
			t.Errorf("refresh: %d %s", got.status, got.body)
		}
		got = h.do(t, request{method: "PATCH", path: path, body: `{"mcp":{"url":"` + url + `/other","allowedTools":null}}`})
		if got.status != 200 || got.at("data.mcp.status.state") != "ok" || got.at("data.mcp.headers.X-Api-Key") != "••••" {
			t.Errorf("update: %d %s", got.status, got.body)
		}
		if got := h.do(t, request{method: "PATCH", path: path, body: `{"name":"Other"}`}); got.at("data.mcp.functions.1.name") == nil {
			t.Errorf("rename: %s", got.body)
		}
		if got := h.do(t, request{method: "POST", path: "/api/v1/tools/current_time/refresh"}); got.status != 409 {
			t.Errorf("built-in: %d %s", got.status, got.body)
		}
		if got := h.do(t, request{method: "DELETE", path: path}); got.status != 200 {
			t.Errorf("delete: %d %s", got.status, got.body)
		}
	})
}
