package api_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

const (
	voiceBody = `{"name":"Support","type":"voice","config":{"speed":1.2,"language":"fi"},"toolIds":["current_time"]}`
	chatBody  = `{"name":"Site","type":"chat","config":{"allowedDomains":["example.com"]}}`
)

func TestAgentLife(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		made := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"Support","type":"voice","config":{"speed":1.2,"language":"fi"},"toolIds":["current_time"],"phoneNumbers":["+15550001111"]}`})
		if made.status != 201 || made.at("data.status") != "active" || made.at("data.config.speed") != 1.2 || made.at("data.config.voice") != "sage" ||
			made.at("data.tools.0.id") != "current_time" || made.at("data.phoneNumbers.0") != "+15550001111" || made.at("data.embedCode") != nil {
			t.Fatalf("create: %d %s", made.status, made.body)
		}
		path := "/api/v1/agents/" + made.text("data.id")
		if got := h.do(t, request{method: "GET", path: path}); got.status != 200 || fmt.Sprint(got.at("data")) != fmt.Sprint(made.at("data")) {
			t.Errorf("get: %d %s", got.status, got.body)
		}
		patched := h.do(t, request{method: "PATCH", path: path, body: `{"name":"Help","config":{"speed":null},"status":"deployed"}`})
		if patched.status != 200 || patched.at("data.updated") != true || patched.text("message") == "" || patched.at("data.name") != "Help" ||
			patched.at("data.config.speed") != 1.0 || patched.at("data.config.language") != "fi" || patched.at("data.status") != "deployed" {
			t.Errorf("patch: %d %s", patched.status, patched.body)
		}
		gone := h.do(t, request{method: "DELETE", path: path})
		if gone.status != 200 || gone.at("data.deleted") != true || gone.at("data.id") != made.at("data.id") || gone.text("message") == "" {
			t.Errorf("delete: %d %s", gone.status, gone.body)
		}
		for _, r := range []request{{method: "GET", path: path}, {method: "PATCH", path: path, body: `{}`}, {method: "DELETE", path: path}} {
			if a := h.do(t, r); a.status != 404 || a.at("error.code") != 404.0 || a.text("error.message") != "Agent not found" {
				t.Errorf("%s after delete: %d %s", r.method, a.status, a.body)
			}
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/agents?includeDeleted=true"}); a.at("data.pagination.total") != 1.0 || a.text("data.agents.0.deletedAt") == "" {
			t.Errorf("list with deleted: %s", a.body)
		}
		h.createAgent(t, "", `{"name":"Other","type":"voice","phoneNumbers":["+15550001111"]}`) // the number is free again
		back := h.do(t, request{method: "POST", path: path + "/restore"})
		if back.status != 200 || back.at("data.status") != "inactive" || back.at("data.deletedAt") != nil || len(back.at("data.phoneNumbers").([]any)) != 0 {
			t.Errorf("restore: %d %s", back.status, back.body)
		}
		if a := h.do(t, request{method: "POST", path: path + "/restore"}); a.status != 409 {
			t.Errorf("restore twice: %d %s", a.status, a.body)
		}
	})
}

func TestAgentList(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		for i := range 5 {
			h.createAgent(t, "", fmt.Sprintf(`{"name":"Voice %d","type":"voice"}`, i))
		}
		h.createAgent(t, "", `{"name":"Ärger 100%_x","type":"chat","status":"training"}`)
		cases := []struct {
			query string
			names string // in order, "" = do not care
			total float64
			more  bool
		}{
			{"", "Ärger 100%_x,Voice 4,Voice 3,Voice 2,Voice 1,Voice 0", 6, false},
			{"?order=asc&limit=2", "Voice 0,Voice 1", 6, true},
			{"?order=asc&limit=2&offset=4", "Voice 4,Ärger 100%_x", 6, false},
			{"?offset=100", "", 6, false},
			{"?type=chat", "Ärger 100%_x", 1, false},
			{"?status=training&type=voice", "", 0, false},
			{"?search=vOiCe", "", 5, false},
			{"?search=%C3%A4RGER", "Ärger 100%_x", 1, false},
			{"?search=0%25_", "Ärger 100%_x", 1, false},
			{"?search=_", "Ärger 100%_x", 1, false},
			{"?sort=name&order=asc&type=voice&limit=1", "Voice 0", 5, true},
		}
		for _, c := range cases {
			a := h.do(t, request{method: "GET", path: "/api/v1/agents" + c.query})
			var names []string
			for _, g := range a.at("data.agents").([]any) {
				names = append(names, g.(map[string]any)["name"].(string))
			}
			if a.status != 200 || a.at("data.pagination.total") != c.total || a.at("data.pagination.hasMore") != c.more || c.names != "" && strings.Join(names, ",") != c.names {
				t.Errorf("list%s: %d %q %v", c.query, a.status, names, a.at("data.pagination"))
			}
		}
	})
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id := h.createAgent(t, "", voiceBody)
	const agents = "/api/v1/agents"
	cases := []struct {
		name   string
		r      request
		status int
		fields string // of error.details, sorted
	}{
		{"no body", request{method: "POST", path: agents}, 400, ""},
		{"empty object", request{method: "POST", path: agents, body: `{}`}, 400, "name,type"},
		{"not json", request{method: "POST", path: agents, body: `name=x`}, 400, ""},
		{"form", request{method: "POST", path: agents, body: `name=x`, media: "application/x-www-form-urlencoded"}, 415, ""},
		{"text", request{method: "POST", path: agents, body: `{}`, media: "text/plain"}, 415, ""},
		{"json by another name", request{method: "POST", path: agents, body: `{}`, media: "application/vnd.x+json"}, 400, "name,type"},
		{"charset", request{method: "POST", path: agents, body: `{}`, media: "application/json; charset=utf-8"}, 400, "name,type"},
		{"unknown field", request{method: "POST", path: agents, body: `{"name":"A","type":"voice","nmae":1}`}, 400, "nmae"},
		{"duplicate", request{method: "POST", path: agents, body: `{"name":"A","name":"B","type":"voice"}`}, 400, "name"},
		{"trailing", request{method: "POST", path: agents, body: `{"name":"A","type":"voice"}{}`}, 400, ""},
		{"bad utf-8", request{method: "POST", path: agents, body: "{\"name\":\"\xff\",\"type\":\"voice\"}"}, 400, ""},
		{"all at once", request{method: "POST", path: agents, body: `{"name":"","type":"voice","config":{"speed":3,"voice":"x"}}`}, 400, "config.speed,config.voice,name"},
		{"too large", request{method: "POST", path: agents, body: `{"name":"` + strings.Repeat("x", 3<<19) + `"}`}, 413, ""},
		{"nearly too large", request{method: "POST", path: agents, body: `{}` + strings.Repeat(" ", 3<<19-2)}, 400, "name,type"},
		{"type changed", request{method: "PATCH", path: agents + "/" + id, body: `{"type":"chat"}`}, 400, "type"},
		{"limit 0", request{method: "GET", path: agents + "?limit=0"}, 400, "limit"},
		{"limit 101", request{method: "GET", path: agents + "?limit=101"}, 400, "limit"},
		{"limit text", request{method: "GET", path: agents + "?limit=ten"}, 400, "limit"},
		{"limit fraction", request{method: "GET", path: agents + "?limit=1.5"}, 400, "limit"},
		{"offset -1", request{method: "GET", path: agents + "?offset=-1"}, 400, "offset"},
		{"offset huge", request{method: "GET", path: agents + "?offset=99999999999999999999"}, 400, "offset"},
		{"several", request{method: "GET", path: agents + "?limit=0&type=x&sort=y&order=z&status=on&includeDeleted=maybe"}, 400, "includeDeleted,limit,order,sort,status,type"},
		{"nul in search", request{method: "GET", path: agents + "?search=%00"}, 400, "search"},
		{"bad utf-8 in search", request{method: "GET", path: agents + "?search=%ff"}, 400, "search"},
		{"offset plus", request{method: "GET", path: agents + "?offset=%2B5"}, 400, "offset"},
		{"limit empty", request{method: "GET", path: agents + "?limit="}, 400, "limit"},
		{"repeated parameter", request{method: "GET", path: agents + "?limit=5&limit=6"}, 400, "limit"},
		{"unknown parameter", request{method: "DELETE", path: agents + "/" + id + "?force=true"}, 400, "force"},
		{"query not encoded", request{method: "GET", path: agents + "?search=%zz"}, 400, ""},
		{"flag as number", request{method: "GET", path: agents + "?includeDeleted=1"}, 400, "includeDeleted"},
		{"year of five digits", request{method: "GET", path: "/api/v1/conversations?startedAfter=99999-01-01T00:00:00Z"}, 400, "startedAfter"},
		{"lone surrogate", request{method: "POST", path: agents, body: `{"name":"\ud83d","type":"voice"}`}, 400, ""},
		{"media type of nothing", request{method: "POST", path: agents, body: `{}`, media: ";"}, 415, ""},
		{"no uuid", request{method: "GET", path: agents + "/agent_1"}, 404, ""},
		{"no uuid, no body read", request{method: "PATCH", path: agents + "/agent_1", body: `{"x":1}`}, 404, ""},
		{"unknown uuid", request{method: "GET", path: agents + "/550e8400-e29b-41d4-a716-446655440000"}, 404, ""},
		{"wrong method", request{method: "PUT", path: agents + "/" + id, body: `{}`}, 405, ""},
		{"unknown route", request{method: "GET", path: "/api/v1/agent"}, 404, ""},
		{"trailing slash", request{method: "GET", path: agents + "/"}, 404, ""},
		{"conversation agent", request{method: "GET", path: "/api/v1/conversations?agentId=x"}, 400, "agentId"},
		{"conversation time", request{method: "GET", path: "/api/v1/conversations?startedAfter=yesterday"}, 400, "startedAfter"},
		{"chat with voice", request{method: "POST", path: agents + "/" + id + "/chat", body: `{"message":"hi"}`}, 400, ""},
		{"chat empty", request{method: "POST", path: agents + "/" + id + "/chat", body: `{"message":""}`}, 400, "message"},
		{"test call of nobody", request{method: "POST", path: "/api/v1/test-calls", body: `{}`}, 400, "agentId"},
		{"test call of both", request{method: "POST", path: "/api/v1/test-calls", body: `{"agentId":"` + id + `","to":"+1555"}`}, 400, "agentId"},
		{"test call to nowhere", request{method: "POST", path: "/api/v1/test-calls", body: `{"to":"+15559999999"}`}, 404, ""},
		{"key without name", request{method: "POST", path: "/api/v1/api-keys", body: `{"scopes":["fly"]}`}, 400, "name,scopes[0]"},
		{"key without scopes", request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"A","scopes":[]}`}, 400, "scopes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := h.do(t, c.r)
			got := a.fields()
			slices.Sort(got)
			if a.status != c.status || strings.Join(got, ",") != c.fields || a.at("error.code") != float64(c.status) || a.text("error.type") == "" || a.text("error.message") == "" {
				t.Errorf("%d %s, want %d about %q", a.status, a.body, c.status, c.fields)
			}
		})
	}
}

func TestNumberOfAnotherAgentConflicts(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		other := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		h.createAgent(t, "", `{"name":"A","type":"voice","phoneNumbers":["+15550002222"]}`)
		texts := map[string]bool{}
		for _, key := range []string{"", other} {
			a := h.do(t, request{method: "POST", path: "/api/v1/agents", key: key, body: `{"name":"B","type":"voice","phoneNumbers":["+15550002222"]}`})
			if a.status != 409 || a.text("error.type") != "conflict" || !strings.Contains(a.text("error.message"), "Release it") {
				t.Errorf("taken number: %d %s", a.status, a.body)
			}
			texts[a.text("error.message")] = true
		}
		if len(texts) != 1 {
			t.Errorf("the texts tell whose number it is: %v", texts)
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/agents", key: other}); a.at("data.pagination.total") != 0.0 {
			t.Errorf("the refused agent was made: %s", a.body)
		}
	})
}

// TestNumbersAreASet: every answer shows them in the same order, and another order is no change.
func TestNumbersAreASet(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		const numbers = `"phoneNumbers":["+15550002","+15550001","+15550002"]`
		made := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice",` + numbers + `}`})
		path := "/api/v1/agents/" + made.text("data.id")
		patched := h.do(t, request{method: "PATCH", path: path, body: `{` + numbers + `}`})
		for _, a := range []answer{made, patched, h.do(t, request{method: "GET", path: path})} {
			if got := fmt.Sprint(a.at("data.phoneNumbers")); got != "[+15550001 +15550002]" {
				t.Errorf("%d shows %s", a.status, got)
			}
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/audit-log?limit=1"}); a.text("data.entries.0.action") != "agent.update" || len(a.at("data.entries.0.changes").([]any)) != 0 {
			t.Errorf("changes: %s", a.body)
		}
	})
}

func TestWarningsStandBesideData(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"chat","toolIds":["nope"]}`})
	if w, _ := a.at("warnings").([]any); len(w) != 2 {
		t.Errorf("warnings = %v, want domains and tool", a.at("warnings"))
	}
	if !strings.Contains(a.text("data.embedCode"), `src="https://parley.example/widget.js?agent=`+a.text("data.id")) {
		t.Errorf("embedCode = %s", a.text("data.embedCode"))
	}
	if b := h.do(t, request{method: "POST", path: "/api/v1/agents", body: chatBody}); b.at("warnings") != nil {
		t.Errorf("warnings = %v, want none", b.at("warnings"))
	}
}

// TestMaxCostIsShownAndWarnsWithoutAPrice: a limit on what nobody can count is accepted, but said.
func TestMaxCostIsShownAndWarnsWithoutAPrice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","config":{"maxCost":0.5}}`})
	if a.status != 201 || fmt.Sprint(a.at("data.config.maxCost")) != "0.5" || a.at("warnings") != nil {
		t.Fatalf("%d %s", a.status, a.body)
	}
	path := "/api/v1/agents/" + a.text("data.id")
	if a = h.do(t, request{method: "PATCH", path: path, body: `{"model":"unpriced-realtime"}`}); !strings.Contains(fmt.Sprint(a.at("warnings")), "config.maxCost") {
		t.Errorf("a model without a price: %s", a.body)
	}
	if a = h.do(t, request{method: "PATCH", path: path, body: `{"name":"B"}`}); a.at("warnings") != nil {
		t.Errorf("neither model nor limit was changed: %s", a.body)
	}
	if a = h.do(t, request{method: "PATCH", path: path, body: `{"config":{"maxCost":null}}`}); a.at("data.config.maxCost") != nil || a.at("warnings") != nil {
		t.Errorf("no limit: %s", a.body)
	}
}

// TestLongestInstructions: the longest instructions fit into a body however a client writes them.
func TestLongestInstructions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	for name, text := range map[string]string{"as they are": "😀", "escaped": `\ud83d\ude00`} {
		a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"Long","type":"voice","instructions":"` + strings.Repeat(text, parley.MaxAgentInstructions) + `"}`})
		if a.status != 201 || utf8.RuneCountInString(a.text("data.instructions")) != parley.MaxAgentInstructions {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// TestProvidersAreForManagers: a key for reading agents does not see which accounts the organization has.
func TestProvidersAreForManagers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	get := request{method: "GET", path: "/api/v1/organization", key: h.newKey(h.org.ID, parley.ScopeAgentsRead)}
	if a := h.do(t, get); a.status != 200 || a.text("data.name") == "" || strings.Contains(string(a.body), "twilio") || strings.Contains(string(a.body), "openai") {
		t.Errorf("with agents:read: %d %s", a.status, a.body)
	}
	get.key = h.newKey(h.org.ID, parley.ScopeOrganizationManage)
	if a := h.do(t, get); a.status != 200 || !strings.Contains(string(a.body), `"twilio":{"accountSid":null`) {
		t.Errorf("with organization:manage: %d %s", a.status, a.body)
	}
}
