package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const (
	tools    = "/api/v1/tools"
	toolBody = `{"name":"Look up order","description":"Finds an order.","kind":"http","category":"shop",
		"parameters":{"type":"object","properties":{"orderId":{"type":"string"}},"required":["orderId"]},
		"http":{"method":"GET","url":"https://shop.example.com/orders/{{args.orderId}}","headers":{"Authorization":"Bearer {{secret.SHOP}}","Accept":"application/json"},"resultPath":"/order"}}`
)

// createTool makes a tool through the API and returns its id.
func (h *house) createTool(t *testing.T, key, body string) string {
	t.Helper()
	a := h.do(t, request{method: "POST", path: tools, key: key, body: body})
	if a.status != 201 {
		t.Fatalf("create %s: %d %s", body, a.status, a.body)
	}
	return a.text("data.id")
}

func TestToolLife(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		made := h.do(t, request{method: "POST", path: tools, body: toolBody})
		if made.status != 201 || made.at("data.functionName") != "look_up_order" || made.at("data.access") != "read" || made.at("data.confirm") != false ||
			made.at("data.maxCallsPerConversation") != nil || made.at("data.http.timeoutSeconds") != 10.0 || made.at("data.http.body") != nil ||
			made.at("data.http.headers.Authorization") != "Bearer {{secret.SHOP}}" || made.at("data.parameters.type") != "object" || made.text("data.createdAt") == "" || made.at("warnings") != nil {
			t.Fatalf("create: %d %s", made.status, made.body)
		}
		path := tools + "/" + made.text("data.id")
		if got := h.do(t, request{method: "GET", path: path}); got.status != 200 || fmt.Sprint(got.at("data")) != fmt.Sprint(made.at("data")) {
			t.Errorf("get: %d %s", got.status, got.body)
		}
		patched := h.do(t, request{method: "PATCH", path: path, body: `{"name":"Order","category":null,"maxCallsPerConversation":2,"http":{"method":"POST","resultPath":null,"body":{"id":"{{args.orderId}}"}}}`})
		if patched.status != 200 || patched.at("data.updated") != true || patched.text("message") == "" || patched.at("data.name") != "Order" ||
			patched.at("data.functionName") != "look_up_order" || patched.at("data.category") != "" || patched.at("data.access") != "write" ||
			patched.at("data.maxCallsPerConversation") != 2.0 || patched.at("data.http.resultPath") != "" || patched.at("data.http.body.id") != "{{args.orderId}}" ||
			patched.at("data.http.url") != made.at("data.http.url") || patched.at("data.http.headers.Accept") != "application/json" {
			t.Errorf("patch: %d %s", patched.status, patched.body)
		}
		if a := h.do(t, request{method: "POST", path: tools, body: toolBody}); a.status != 409 || a.text("error.type") != "conflict" || !strings.Contains(a.text("error.message"), "look_up_order") {
			t.Errorf("taken function name: %d %s", a.status, a.body)
		}
		gone := h.do(t, request{method: "DELETE", path: path})
		if gone.status != 200 || gone.at("data.deleted") != true || gone.at("data.id") != made.at("data.id") || gone.text("message") == "" {
			t.Errorf("delete: %d %s", gone.status, gone.body)
		}
		for _, id := range []string{made.text("data.id"), "550e8400-e29b-41d4-a716-446655440000", "no_such_tool"} {
			for _, r := range []request{{method: "GET"}, {method: "PATCH", body: `{}`}, {method: "DELETE"}} {
				r.path = tools + "/" + id
				if a := h.do(t, r); a.status != 404 || a.text("error.message") != "Tool not found" {
					t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
				}
			}
		}
	})
}

func TestBuiltinToolsAreReadOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	for _, tool := range parley.BuiltinTools() {
		path := tools + "/" + tool.ID
		a := h.do(t, request{method: "GET", path: path})
		if a.status != 200 || a.at("data.id") != tool.ID || a.at("data.kind") != "builtin" || a.at("data.http") != nil || a.at("data.createdAt") != nil || a.text("data.access") != tool.Access {
			t.Errorf("get %s: %d %s", tool.ID, a.status, a.body)
		}
		for _, r := range []request{{method: "PATCH", path: path, body: `{"name":"Mine"}`}, {method: "DELETE", path: path}} {
			if a := h.do(t, r); a.status != 409 || a.text("error.type") != "conflict" || !strings.Contains(a.text("error.message"), "built-in") {
				t.Errorf("%s %s: %d %s", r.method, path, a.status, a.body)
			}
		}
	}
}

func TestToolList(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		for _, name := range []string{"Beta", "Ärger", "Alpha"} {
			h.createTool(t, "", `{"name":"`+name+`","description":"D","kind":"http","category":"c`+string([]rune(name)[:1])+`","http":{"method":"GET","url":"https://a.example.com/"}}`)
		}
		for _, c := range []struct {
			query, names string
			total        float64
			more         bool
		}{
			{"", "Alpha,Ärger,Beta,Web Search,Transfer call,Send key tones,Remember,Recall,Leave voicemail,Knowledge search,End call,Current time,Collect input,Calculator", 14, false},
			{"?sort=name&order=asc&limit=3", "Alpha,Beta,Calculator", 14, true},
			{"?sort=name&order=asc&limit=3&offset=3", "Collect input,Current time,End call", 14, true},
			{"?offset=10", "End call,Current time,Collect input,Calculator", 14, false},
			{"?kind=builtin", "Web Search,Transfer call,Send key tones,Remember,Recall,Leave voicemail,Knowledge search,End call,Current time,Collect input,Calculator", 11, false},
			{"?kind=http&search=%C3%A4R", "Ärger", 1, false},
			{"?kind=mcp", "", 0, false},
			{"?category=cA", "Alpha", 1, false},
			{"?category=nothing", "", 0, false},
		} {
			a := h.do(t, request{method: "GET", path: tools + c.query})
			var names []string
			list, _ := a.at("data.tools").([]any)
			for _, g := range list {
				names = append(names, g.(map[string]any)["name"].(string))
			}
			if a.status != 200 || strings.Join(names, ",") != c.names || a.at("data.pagination.total") != c.total || a.at("data.pagination.hasMore") != c.more {
				t.Errorf("list%s: %d %q %v", c.query, a.status, names, a.at("data.pagination"))
			}
		}
		if a := h.do(t, request{method: "GET", path: tools + "?limit=0&kind=x&sort=y"}); a.status != 400 || len(a.fields()) != 3 {
			t.Errorf("bad query: %d %s", a.status, a.body)
		}
	})
}

func TestBadTools(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	for _, c := range []struct{ body, fields string }{
		{`{}`, "description,kind,name"},
		{`{"kind":"http"}`, "description,http,name"},
		{`{"name":"A","description":"D","kind":"mcp"}`, "mcp"},
		{`{"name":"A","description":"D","kind":"client","http":{"method":"GET","url":"https://a.example.com/"},"mcp":{},"client":{"timeoutSeconds":61,"retries":1}}`, "client.retries,client.timeoutSeconds,http,mcp"},
		{`{"name":"A","description":"D","kind":"http","client":{},"http":{"method":"GET","url":"https://a.example.com/"}}`, "client"},
		{`{"name":"A","description":"D","kind":"builtin"}`, "kind"},
		{`{"name":"A","description":"D","kind":"http","http":{}}`, "http.method,http.url"},
		{`{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"https://{{args.h}}/"},"parameters":{"type":"object","properties":{"a":{"type":"text"}}}}`, "http.url,parameters"},
		{`{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com/"},"parameters":{"type":"object","$ref":"file:///etc/passwd"}}`, "parameters"},
		{`{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com/","headers":{"Host":"x","X-Api-Key":"••••"}},"mcp":{}}`, "http.headers.Host,http.headers.X-Api-Key,mcp"},
	} {
		a := h.do(t, request{method: "POST", path: tools, body: c.body})
		got := a.fields()
		slices.Sort(got)
		if a.status != 400 || strings.Join(slices.Compact(got), ",") != c.fields {
			t.Errorf("%s: %d %s, want %s", c.body, a.status, a.body, c.fields)
		}
	}
}

func TestToolsOfAnAgent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		own := h.createTool(t, "", toolBody)
		foreign := h.createTool(t, h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll), toolBody)
		unknown := parley.NewID()
		a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","toolIds":["` + own + `","` + foreign + `","current_time","web_search","` + unknown + `"]}`})
		shown, _ := json.Marshal(a.at("data.tools"))
		want := `[{"category":"shop","config":{"method":"GET","url":"https://shop.example.com/orders/{{args.orderId}}"},"description":"Finds an order.","id":"` + own + `","name":"Look up order"},`
		if a.status != 201 || !strings.HasPrefix(string(shown), want) || len(a.at("data.tools").([]any)) != 3 || a.at("data.tools.1.id") != "current_time" {
			t.Fatalf("create: %d %s", a.status, a.body)
		}
		warnings := fmt.Sprint(a.at("warnings"))
		for _, part := range []string{`"` + foreign + `", "` + unknown + `"`, "web_search is not set up"} {
			if !strings.Contains(warnings, part) {
				t.Errorf("warnings %s lack %s", warnings, part)
			}
		}
		path := "/api/v1/agents/" + a.text("data.id")
		if got := h.do(t, request{method: "GET", path: path}); fmt.Sprint(got.at("data.tools")) != fmt.Sprint(a.at("data.tools")) {
			t.Errorf("get: %s", got.body)
		}
		if got := h.do(t, request{method: "GET", path: "/api/v1/agents"}); fmt.Sprint(got.at("data.agents.0.tools")) != fmt.Sprint(a.at("data.tools")) {
			t.Errorf("list: %s", got.body)
		}
		if got := h.do(t, request{method: "PATCH", path: path, body: `{"name":"B"}`}); got.at("warnings") != nil || len(got.at("data.tools").([]any)) != 3 {
			t.Errorf("patch of something else: %s", got.body)
		}
		h.do(t, request{method: "DELETE", path: tools + "/" + own})
		if got := h.do(t, request{method: "GET", path: path}); len(got.at("data.tools").([]any)) != 2 {
			t.Errorf("after deleting the tool: %s", got.body)
		}
		if got := h.do(t, request{method: "PATCH", path: path, body: `{"toolIds":["` + own + `"]}`}); len(got.at("data.tools").([]any)) != 0 || !strings.Contains(fmt.Sprint(got.at("warnings")), own) {
			t.Errorf("a deleted tool: %s", got.body)
		}
	})
}

func TestManyToolsWarn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	ids := []string{"current_time"}
	for i := range 10 {
		ids = append(ids, h.createTool(t, "", fmt.Sprintf(`{"name":"Tool %d","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com/"}}`, i)))
	}
	list, _ := json.Marshal(ids)
	a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","toolIds":` + string(list) + `}`})
	if a.status != 201 || !strings.Contains(fmt.Sprint(a.at("warnings")), "11 tools") {
		t.Errorf("eleven tools: %d %s", a.status, a.body)
	}
}
