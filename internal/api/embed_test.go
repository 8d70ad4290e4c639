package api_test

import (
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestEmbedCode(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		open := h.createAgent(t, "", `{"name":"Ada","type":"chat","status":"inactive"}`)
		listed := h.createAgent(t, "", `{"name":"Bea","type":"chat","config":{"title":"Help & \"more\"","allowedDomains":["example.com","*.example.org:8443","localhost"]}}`)
		voice := h.createAgent(t, "", `{"name":"Cea","type":"voice"}`)
		stranger := h.newKey(storetest.Organization(t, st).ID, "*")
		calls := h.newKey(h.org.ID, "calls")
		get := func(id, key string) answer {
			t.Helper()
			return h.do(t, request{method: "GET", path: "/api/v1/agents/" + id + "/embed", key: key})
		}
		a := get(listed, "")
		for path, want := range map[string]any{
			"data.agentId":                 listed,
			"data.script":                  `<script async src="https://parley.example/widget.js?agent=` + listed + `" data-agent="` + listed + `"></script>`,
			"data.iframe":                  `<iframe src="https://parley.example/embed/` + listed + `" title="Help &amp; &#34;more&#34;" width="400" height="640" loading="lazy" allow="clipboard-write"></iframe>`,
			"data.frameAncestors":          "'self' https://example.com https://*.example.org:8443 http://localhost:* https://localhost:*",
			"data.policies.0.directives.0": "script-src https://parley.example",
			"data.policies.0.directives.1": "connect-src https://parley.example",
			"data.policies.1.directives.0": "frame-src https://parley.example",
			"data.tryUrl":                  "https://parley.example/try/" + listed,
			"warnings":                     nil,
		} {
			if got := a.at(path); got != want {
				t.Errorf("%s = %v, want %v", path, got, want)
			}
		}
		if a.status != 200 || a.text("data.script") != h.do(t, request{method: "GET", path: "/api/v1/agents/" + listed}).text("data.embedCode") {
			t.Errorf("%d: the script is not the agent's embedCode", a.status)
		}
		for i, id := range []string{"html", "react", "vue", "wordpress"} {
			p, _ := a.at("data.platforms").([]any)[i].(map[string]any)
			if p["id"] != id || !strings.Contains(p["code"].(string), "https://parley.example/widget.js?agent="+listed) {
				t.Errorf("platform %d is %v", i, p)
			}
		}
		if a := get(open, ""); a.text("data.frameAncestors") != "*" || !strings.Contains(a.text("warnings.0"), "allowedDomains is empty") || !strings.Contains(a.text("warnings.1"), "inactive") {
			t.Errorf("an open and inactive agent: %s", a.body)
		}
		for name, c := range map[string]struct {
			id, key string
			status  int
			says    string
		}{
			"voice agent":   {voice, "", 400, "web-call"},
			"unknown":       {"550e8400-e29b-41d4-a716-446655440000", "", 404, "Agent not found"},
			"no id":         {"x", "", 404, "Agent not found"},
			"foreign":       {listed, stranger, 404, "Agent not found"},
			"without scope": {listed, calls, 403, "agents:read"},
		} {
			if a := get(c.id, c.key); a.status != c.status || !strings.Contains(a.text("error.message"), c.says) {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}
