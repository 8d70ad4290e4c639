package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestAuditLog(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		start := time.Now().UTC()
		id := h.createAgent(t, "", `{"name":"Ada","type":"voice","config":{"speed":1.25},"phoneNumbers":["+15550100001"]}`)
		path := "/api/v1/agents/" + id
		changed := h.do(t, request{method: "PATCH", path: path, body: `{"name":"Bea","config":{"speed":null},"phoneNumbers":[]}`})
		h.do(t, request{method: "PATCH", path: path, body: `{"name":""}`}) // refused: leaves no entry
		h.do(t, request{method: "DELETE", path: path})
		h.do(t, request{method: "POST", path: path + "/restore"})
		list := func(query string) answer {
			return h.do(t, request{method: "GET", path: "/api/v1/audit-log" + query})
		}
		actions := func(a answer) (out []string) {
			entries, _ := a.at("data.entries").([]any)
			for _, e := range entries {
				out = append(out, e.(map[string]any)["action"].(string))
			}
			return out
		}
		all := list("?resourceId=" + id)
		if got := actions(all); !slices.Equal(got, []string{"agent.restore", "agent.delete", "agent.update", "agent.create"}) {
			t.Fatalf("actions %v", got)
		}
		update, _ := all.at("data.entries.2").(map[string]any)
		changes := map[string]string{}
		for _, c := range update["changes"].([]any) {
			m := c.(map[string]any)
			changes[m["field"].(string)] = fmt.Sprint(m["before"], " → ", m["after"])
		}
		var restored []string
		for _, c := range all.at("data.entries.0.changes").([]any) {
			restored = append(restored, c.(map[string]any)["field"].(string))
		}
		if want := []string{"deletedAt", "status"}; !slices.Equal(restored, want) {
			t.Errorf("a restoration changes %v, want %v", restored, want)
		}
		if want := map[string]string{"name": "Ada → Bea", "config.speed": "1.25 → 1", "phoneNumbers": "[+15550100001] → []"}; fmt.Sprint(changes) != fmt.Sprint(want) {
			t.Errorf("changes %v, want %v", changes, want)
		}
		if update["requestId"] != changed.header.Get("X-Request-Id") || all.text("data.entries.2.actor.type") != "api_key" || all.text("data.entries.2.actor.name") != "test" ||
			all.text("data.entries.2.resource.name") != "Bea" || update["client"] != "192.0.2.1" {
			t.Errorf("entry %v", update)
		}
		if a := list("?resourceType=agent&limit=1&offset=1"); a.at("data.pagination.total") != 4.0 || a.at("data.pagination.hasMore") != true || actions(a)[0] != "agent.delete" {
			t.Errorf("page: %s", a.body)
		}
		actor := all.text("data.entries.0.actor.id")
		if a := list("?actorId=" + actor + "&after=" + start.Format(time.RFC3339)); a.at("data.pagination.total") != 4.0 {
			t.Errorf("by actor: %s", a.body)
		}
		if a := list("?before=" + start.Add(-time.Hour).Format(time.RFC3339)); a.at("data.pagination.total") != 0.0 {
			t.Errorf("before: %s", a.body)
		}
		reader := h.newKey(h.org.ID, parley.ScopeAuditRead)
		if a := h.do(t, request{method: "GET", path: "/api/v1/audit-log", key: reader}); a.status != 200 {
			t.Errorf("with audit:read: %d", a.status)
		}
	})
}

// TestEveryWriteIsAudited calls each operation that changes something and expects one entry more.
func TestEveryWriteIsAudited(t *testing.T) {
	t.Parallel()
	rest := newCarrier(t)
	rest.AddNumber(phone.Number{PhoneNumber: "+14155550189"}) // of validBodies
	h := newHouseWith(t, storetest.SQLite(t), houseOptions{rest: rest})
	count := func() float64 {
		n, _ := h.do(t, request{method: "GET", path: "/api/v1/audit-log"}).at("data.pagination.total").(float64)
		return n
	}
	agent := h.createAgent(t, "", `{"name":"Ada","type":"chat"}`)
	deleted := h.createAgent(t, "", `{"name":"Bea","type":"chat"}`)
	h.do(t, request{method: "DELETE", path: "/api/v1/agents/" + deleted})
	key := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"k"}`}).text("data.id")
	tool := h.createTool(t, "", strings.Replace(toolBody, "Look up order", "Changed", 1))
	number := func(e164 string) string {
		return h.do(t, request{method: "POST", path: "/api/v1/phone-numbers", body: `{"number":"` + e164 + `"}`}).text("data.id")
	}
	kept := number("+14155550101")
	write := func() string {
		return h.do(t, request{method: "POST", path: "/api/v1/agents/" + agent + "/documents", body: `{"name":"Prices","text":"Tea costs 3."}`}).text("data.id")
	}
	document := write()
	// A chat is on record as a conversation; signing changes nothing; recordings, notes and what an MCP server offers have
	// tests of their own.
	skipped := []string{"/chat", "/sign", "/recording", "/notes", "/refresh"}
	ids := map[string]string{"agentId": agent, "keyId": key, "toolId": tool, "conversationId": agent, "id": agent, "phoneNumberId": kept, "secretName": "SHOP", "documentId": document, "contactId": agent}
	h.do(t, request{method: "PUT", path: secrets + "/SHOP", body: `{"value":"a"}`})
	for _, r := range h.operations(t, ids) {
		if r.method == "GET" || slices.ContainsFunc(skipped, func(s string) bool { return strings.HasSuffix(r.path, s) }) {
			continue
		}
		r.path = strings.Replace(r.path, agent+"/restore", deleted+"/restore", 1)
		if strings.HasSuffix(r.path, "/rotate") {
			r.path = strings.Replace(r.path, key, h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"r"}`}).text("data.id"), 1)
		}
		if r.method == "DELETE" && strings.HasSuffix(r.path, agent) {
			r.path = strings.Replace(r.path, agent, h.createAgent(t, "", `{"name":"Cea","type":"chat"}`), 1)
		}
		if r.method == "DELETE" && strings.HasSuffix(r.path, kept) {
			r.path = strings.Replace(r.path, kept, number("+14155550102"), 1)
		}
		if r.method == "DELETE" && strings.HasSuffix(r.path, tool) {
			r.path = strings.Replace(r.path, tool, h.createTool(t, "", strings.Replace(toolBody, "Look up order", "Deleted", 1)), 1)
		}
		if r.method == "DELETE" && strings.HasSuffix(r.path, document) {
			r.path = strings.Replace(r.path, document, write(), 1)
		}
		if strings.HasSuffix(r.path, "/web-call") {
			r.path = strings.Replace(r.path, agent, h.createAgent(t, "", `{"name":"Dea","type":"voice"}`), 1)
		}
		r.body = strings.ReplaceAll(r.body, "$agent", agent)
		before := count()
		if a := h.do(t, r); a.status >= 400 {
			t.Errorf("%s %s: %d %s", r.method, r.path, a.status, a.body)
		}
		if n := count() - before; n != 1 {
			t.Errorf("%s %s left %v audit entries", r.method, r.path, n)
		}
	}
}

func TestLongValuesAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 50_000)
	changes, err := parley.Changes(nil, map[string]any{"instructions": long, "config": map[string]any{"x": 1, "empty": map[string]any{}}})
	if err != nil || len(changes) != 3 || changes[2].Field != "instructions" || len(changes[2].After) > 5000 || !strings.HasSuffix(string(changes[2].After), `…"`) {
		t.Errorf("%v %.200v", err, changes)
	}
}
