package api_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestDocumentLife(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", `{"name":"Hotel","type":"chat","toolIds":["knowledge_search"],"config":{"allowedDomains":["a.com"]}}`)
		other := h.createAgent(t, "", `{"name":"Other","type":"voice"}`)
		path := "/api/v1/agents/" + agent + "/documents"
		made := h.do(t, request{method: "POST", path: path, body: `{"name":"Prices","markdown":"# Rooms\n\nA room costs 90 euros.","url":"https://a.example.com/prices?lang=en"}`})
		if made.status != 201 || made.at("data.format") != "markdown" || made.at("data.passages") != 1.0 || made.at("data.characters") != 31.0 || made.at("warnings") != nil || made.at("data.content") != nil {
			t.Fatalf("create: %d %s", made.status, made.body)
		}
		one := path + "/" + made.text("data.id")
		if got := h.do(t, request{method: "GET", path: one}); got.at("data.content") != "# Rooms\n\nA room costs 90 euros." || got.at("data.url") != "https://a.example.com/prices?lang=en" {
			t.Errorf("get: %s", got.body)
		}
		put := h.do(t, request{method: "PUT", path: one, body: `{"name":"New prices","text":"A suite costs 200 euros."}`})
		if put.status != 200 || put.at("data.updated") != true || put.at("data.format") != "text" || put.at("data.url") != nil || put.at("data.createdAt") != made.at("data.createdAt") {
			t.Errorf("put: %d %s", put.status, put.body)
		}
		found, err := st.SearchPassages(t.Context(), h.org.ID, agent, "suites", 5)
		if err != nil || len(found) != 1 || found[0].Document != "New prices" {
			t.Errorf("found %v, %v", found, err)
		}
		if list := h.do(t, request{method: "GET", path: path}); list.at("data.pagination.total") != 1.0 || list.at("data.documents.0.name") != "New prices" || strings.Contains(string(list.body), "200 euros") {
			t.Errorf("list: %s", list.body)
		}
		for _, wrong := range []string{"/api/v1/agents/" + other + "/documents/" + made.text("data.id"), path + "/" + parley.NewID(), path + "/x"} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				r := request{method: method, path: wrong}
				if method == "PUT" {
					r.body = `{"name":"a","text":"b"}`
				}
				if got := h.do(t, r); got.status != 404 {
					t.Errorf("%s %s: %d %s", method, wrong, got.status, got.body)
				}
			}
		}
		if got := h.do(t, request{method: "POST", path: "/api/v1/agents/" + other + "/documents", body: `{"name":"a","text":"b"}`}); got.status != 201 || !strings.Contains(fmt.Sprint(got.at("warnings")), "knowledge_search") {
			t.Errorf("an agent without the tool: %s", got.body)
		}
		for body, fields := range map[string]string{
			`{}`: "name,text", `{"name":"a","text":"b","markdown":"c"}`: "markdown", `{"name":"a","text":" "}`: "text", `{"name":"a","text":"b","url":"javascript:alert(1)"}`: "url",
			`{"name":"a","html":"<p>"}`: "html,text", `{"name":"a","text":"` + strings.Repeat("x", parley.MaxDocumentContent+1) + `"}`: "text",
		} {
			if got := h.do(t, request{method: "POST", path: path, body: body}); got.status != 400 || len(got.fields()) != len(strings.Split(fields, ",")) {
				t.Errorf("%.60s: %d %v, want %s", body, got.status, got.fields(), fields)
			}
		}
		if got := h.do(t, request{method: "DELETE", path: one}); got.status != 200 || got.at("data.deleted") != true {
			t.Errorf("delete: %s", got.body)
		}
		if got := h.do(t, request{method: "GET", path: one}); got.status != 404 {
			t.Errorf("after delete: %s", got.body)
		}
		if log := h.do(t, request{method: "GET", path: "/api/v1/audit-log?resourceType=document&resourceId=" + made.text("data.id")}); log.at("data.pagination.total") != 3.0 || strings.Contains(string(log.body), "euros") {
			t.Errorf("audit: %s", log.body)
		}
	})
}

func TestNotesOfAContact(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	h := newHouse(t, st)
	const contact = "https://id.example.com/user 7" // what a site calls a person may need encoding
	for _, key := range []string{"a", "b", "c"} {
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.SaveNote(ctx, h.org.ID, contact, parley.Note{Key: key, Text: "Canary", UpdatedAt: storetest.Now()})
		})
	}
	path := "/api/v1/contacts/" + url.PathEscape(contact) + "/notes"
	if got := h.do(t, request{method: "GET", path: path}); got.status != 200 || len(got.at("data.notes").([]any)) != 3 || got.at("data.contactId") != contact {
		t.Errorf("list: %d %s", got.status, got.body)
	}
	thief := h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
	for _, r := range []request{{method: "GET", path: path, key: thief}, {method: "DELETE", path: path, key: thief}, {method: "GET", path: "/api/v1/contacts/%2B1/notes"}, {method: "DELETE", path: path + "?key=none"}} {
		if got := h.do(t, r); got.status != 404 {
			t.Errorf("%s %s: %d %s", r.method, r.path, got.status, got.body)
		}
	}
	for _, c := range []struct {
		query string
		want  float64
	}{{"?key=b", 1}, {"", 2}} {
		if got := h.do(t, request{method: "DELETE", path: path + c.query}); got.status != 200 || got.at("data.deleted") != c.want {
			t.Errorf("delete%s: %s", c.query, got.body)
		}
	}
	if log := h.do(t, request{method: "GET", path: "/api/v1/audit-log?resourceType=contact"}); log.at("data.pagination.total") != 2.0 || strings.Contains(string(log.body), "Canary") {
		t.Errorf("audit: %s", log.body)
	}
}

func TestWebSearchSettings(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	patch := func(body string) answer {
		return h.do(t, request{method: "PATCH", path: "/api/v1/organization", body: `{"webSearch":` + body + `}`})
	}
	for _, c := range []struct {
		body   string
		status int
		shown  string // provider, url, last four
	}{
		{`{}`, 200, "<nil> <nil> <nil>"},
		{`{"apiKey":"k"}`, 400, "provider"},
		{`{"provider":"brave"}`, 400, "apiKey"},
		{`{"provider":"searxng"}`, 400, "url"},
		{`{"provider":"bing","apiKey":"k"}`, 400, ""},
		{`{"provider":"brave","apiKey":"BSA-0123456789-Canary"}`, 200, "brave https://api.search.brave.com/res/v1/web/search nary"},
		{`{"url":"https://proxy.example.com/"}`, 400, "apiKey"},
		{`{"url":"https://proxy.example.com/","apiKey":"BSA-0123456789-second"}`, 200, "brave https://proxy.example.com/ cond"},
		{`{"provider":"tavily"}`, 400, "apiKey"},
		{`{"provider":"searxng","url":"https://s.example.com/search"}`, 200, "searxng https://s.example.com/search <nil>"},
		{`{"provider":null,"apiKey":"k"}`, 400, "apiKey"},
		{`{"provider":null}`, 200, "<nil> <nil> <nil>"},
		{`{"provider":"tavily","apiKey":"tvly-0123456789"}`, 200, "tavily https://api.tavily.com/search 6789"},
		{`null`, 200, "<nil> <nil> <nil>"},
	} {
		got := patch(c.body)
		shown := fmt.Sprint(got.at("data.webSearch.provider"), " ", got.at("data.webSearch.url"), " ", got.at("data.webSearch.apiKeyLast4"))
		if got.status != c.status || c.status == 200 && shown != c.shown || c.status == 400 && !strings.Contains(fmt.Sprint(got.fields()), c.shown) {
			t.Errorf("%s: %d %s", c.body, got.status, got.body)
		}
		if strings.Contains(string(got.body), "0123456789-") {
			t.Errorf("%s: the key is shown: %s", c.body, got.body)
		}
	}
	patch(`{"provider":"searxng","url":"https://s.example.com/search"}`)
	if got := h.do(t, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","toolIds":["web_search"]}`}); got.status != 201 || got.at("warnings") != nil {
		t.Errorf("an agent where it is set up: %s", got.body)
	}
	reader := h.newKey(h.org.ID, parley.ScopeAgentsRead)
	if got := h.do(t, request{method: "GET", path: "/api/v1/organization", key: reader}); got.at("data.webSearch") != nil {
		t.Errorf("shown to everybody: %s", got.body)
	}
}
