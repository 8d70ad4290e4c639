package api_test

import (
	"strings"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestWebCalls(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		voice := h.createAgent(t, "", `{"name":"Ada","type":"voice"}`)
		other := h.createAgent(t, "", `{"name":"Eve","type":"voice"}`)
		idle := h.createAgent(t, "", `{"name":"Bea","type":"voice","status":"inactive"}`)
		chat := h.createAgent(t, "", `{"name":"Cea","type":"chat"}`)
		mint := func(agent, body string, headers map[string]string) answer {
			t.Helper()
			return h.do(t, request{method: "POST", path: "/api/v1/agents/" + agent + "/web-call", body: body, headers: headers})
		}
		first := mint(voice, `{"allowedOrigin":"https://WWW.example.com"}`, nil)
		token, id := first.text("data.token"), first.text("data.conversationId")
		if first.status != 201 || len(token) < 43 || first.text("data.url") != "wss://parley.example/web-call/"+token || first.text("data.protocol") != "parley.web-call.v1" {
			t.Fatalf("%d %s", first.status, first.body)
		}
		if at, err := time.Parse(time.RFC3339, first.text("data.expiresAt")); err != nil || time.Until(at) > 30*time.Second || time.Until(at) < 20*time.Second {
			t.Errorf("expires at %s, %v", first.text("data.expiresAt"), err)
		}
		conv := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + id})
		for name, want := range map[string]any{"type": "phone", "direction": "inbound", "from": "web:visitor", "to": "client:agent-" + voice, "status": "active", "test": false, "simulated": false, "agentName": "Ada"} {
			if got := conv.at("data." + name); got != want {
				t.Errorf("%s = %v, want %v", name, got, want)
			}
		}
		log := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + id + "/events"})
		if log.text("data.events.0.type") != "conversation.started" || log.at("data.events.1") != nil || strings.Contains(string(log.body), token) {
			t.Errorf("log: %s", log.body)
		}
		if test := mint(idle, `{"test":true}`, nil); test.status != 201 || h.do(t, request{method: "GET", path: "/api/v1/conversations/" + test.text("data.conversationId")}).at("data.test") != true {
			t.Errorf("test call of an idle agent: %d %s", test.status, test.body)
		}
		again := mint(voice, `{"conversationId":"`+id+`"}`, nil)
		if again.status != 201 || again.text("data.conversationId") != id || again.text("data.token") == token {
			t.Errorf("another token: %d %s", again.status, again.body)
		}
		key := map[string]string{"Idempotency-Key": "one"}
		once, twice := mint(voice, `{}`, key), mint(voice, `{}`, key)
		if once.status != 201 || once.text("data.token") != twice.text("data.token") || twice.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("repeated: %s, %s, %v", once.body, twice.body, twice.header)
		}
		agent, err := st.FindAgent(t.Context(), h.org.ID, voice)
		if err != nil {
			t.Fatal(err)
		}
		telephone := storetest.Call(t, st, agent)
		unknown := "550e8400-e29b-41d4-a716-446655440000"
		for name, c := range map[string]struct {
			agent, body string
			status      int
			says        string
		}{
			"chat agent":         {chat, `{}`, 400, "only voice agents"},
			"chat agent, a test": {chat, `{"test":true}`, 400, "only voice agents"},
			"idle agent":         {idle, `{}`, 409, `"unavailable"`},
			"unknown agent":      {unknown, `{}`, 404, "Agent not found"},
			"not an id":          {"x", `{}`, 404, "Agent not found"},
			"a page's address":   {voice, `{"allowedOrigin":"https://example.com/x"}`, 400, `"allowedOrigin"`},
			"plain http":         {voice, `{"allowedOrigin":"http://example.com"}`, 400, `"allowedOrigin"`},
			"wrong types":        {voice, `{"test":1,"allowedOrigin":null,"more":1}`, 400, `"more"`},
			"unknown call":       {voice, `{"conversationId":"` + unknown + `"}`, 404, "Conversation not found"},
			"another agent's":    {other, `{"conversationId":"` + id + `"}`, 404, "Conversation not found"},
			"not a browser's":    {voice, `{"conversationId":"` + telephone.ID + `"}`, 404, "Conversation not found"},
		} {
			if a := mint(c.agent, c.body, nil); a.status != c.status || !strings.Contains(string(a.body), c.says) {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}
