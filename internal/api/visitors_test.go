package api_test

import (
	"context"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestIdentitySecrets(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", chatBody)
		voice := h.createAgent(t, "", `{"name":"Cea","type":"voice"}`)
		stranger, reader := h.newKey(storetest.Organization(t, st).ID, "*"), h.newKey(h.org.ID, "agents:read")
		ask := func(method, id, key, what string) answer {
			t.Helper()
			return h.do(t, request{method: method, path: "/api/v1/agents/" + id + "/" + what, key: key})
		}
		first := ask("POST", agent, "", "identity-secret")
		secret := first.text("data.secret")
		if first.status != 201 || !strings.HasPrefix(secret, "pis_") || len(secret) < 40 || first.text("data.agentId") != agent {
			t.Fatalf("made: %d %s", first.status, first.body)
		}
		second := ask("POST", agent, "", "identity-secret")
		if second.status != 201 || second.text("data.secret") == secret {
			t.Errorf("rotated: %s", second.body)
		}
		sealed, err := st.FindWidgetAgent(t.Context(), agent)
		if err != nil || len(sealed.Identity) == 0 || strings.Contains(string(sealed.Identity), second.text("data.secret")) {
			t.Errorf("at rest: %q, %v", sealed.Identity, err)
		}
		for _, path := range []string{"/api/v1/agents/" + agent, "/api/v1/audit-log"} {
			if got := h.do(t, request{method: "GET", path: path}); strings.Contains(string(got.body), "pis_") {
				t.Errorf("%s shows the secret: %s", path, got.body)
			}
		}
		for _, what := range []string{"POST identity-secret", "DELETE identity-secret", "POST revoke-visitors"} {
			method, path, _ := strings.Cut(what, " ")
			for name, c := range map[string]struct {
				id, key string
				status  int
			}{"a stranger": {agent, stranger, 404}, "a reader": {agent, reader, 403}, "a voice agent": {voice, "", 400}, "nobody": {parley.NewID(), "", 404}, "no id": {"x", "", 404}} {
				if got := ask(method, c.id, c.key, path); got.status != c.status {
					t.Errorf("%s by %s: %d %s, want %d", what, name, got.status, got.body, c.status)
				}
			}
		}
		if got, _ := st.FindWidgetAgent(t.Context(), agent); string(got.Identity) != string(sealed.Identity) {
			t.Error("a refused request changed the secret")
		}
		for range 2 {
			if a := ask("DELETE", agent, "", "identity-secret"); a.status != 200 || a.at("data.deleted") != true {
				t.Errorf("removed: %d %s", a.status, a.body)
			}
		}
		if got, _ := st.FindWidgetAgent(t.Context(), agent); got.Identity != nil {
			t.Error("the secret is still there")
		}
	})
}

func TestRevokedVisitors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id := h.createAgent(t, "", chatBody)
	agent, err := h.st.FindAgent(t.Context(), h.org.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.NewSession(agent)
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateVisitorSession(ctx, h.org.ID, s, []byte("hash"))
	})
	if a := h.do(t, request{method: "POST", path: "/api/v1/agents/" + id + "/revoke-visitors"}); a.status != 200 || a.text("data.revokedAt") == "" {
		t.Fatalf("revoked: %d %s", a.status, a.body)
	}
	if got, err := h.st.FindVisitorSession(t.Context(), []byte("hash")); err != nil || !got.Revoked {
		t.Errorf("the session lives: %+v, %v", got, err)
	}
}

// TestVisitorOfAConversation: the organization sees who spoke, what of it is proven, and what the visitor thought.
func TestVisitorOfAConversation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id := h.createAgent(t, "", chatBody)
	begin := func(v parley.Visitor) string {
		c := parley.Conversation{ID: parley.NewID(), OrgID: h.org.ID, AgentID: id, AgentName: "Site", Channel: parley.ChannelChat, Direction: "inbound",
			Status: parley.ConversationActive, StartedAt: storetest.Now(), VisitorID: parley.NewID(), Origin: "https://example.com"}
		storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
			if v.Name != "" {
				v.ID, v.AgentID = c.VisitorID, id
				if _, err := tx.SaveVisitor(ctx, h.org.ID, v); err != nil {
					return err
				}
			}
			if err := tx.CreateConversation(ctx, h.org.ID, c); err != nil {
				return err
			}
			return tx.AppendEvents(ctx, h.org.ID, c.ID, 0, []parley.Event{
				{Seq: 1, Type: parley.EventMessageAssistant, At: c.StartedAt, Data: []byte(`{"itemId":"a","text":"Hello","complete":true}`)},
				{Seq: 2, Type: parley.EventMessageRated, At: c.StartedAt, Data: []byte(`{"itemId":"a","rating":"down","comment":"Too short"}`)},
			})
		})
		return c.ID
	}
	get := func(id string) answer {
		a := h.do(t, request{method: "GET", path: "/api/v1/conversations/" + id})
		if a.status != 200 || a.text("data.messages.0.feedback.rating") != "down" || a.text("data.messages.0.feedback.comment") != "Too short" || a.text("data.visitor.origin") != "https://example.com" {
			t.Errorf("the conversation: %d %s", a.status, a.body)
		}
		return a
	}
	if a := get(begin(parley.Visitor{})); a.at("data.visitor.verified") != false || a.at("data.visitor.name") != nil {
		t.Errorf("an unknown visitor: %s", a.body)
	}
	if a := get(begin(parley.Visitor{Name: "Ada"})); a.at("data.visitor.verified") != false || a.text("data.visitor.name") != "Ada" || a.at("data.visitor.subject") != nil {
		t.Errorf("a visitor by its own word: %s", a.body)
	}
	if a := get(begin(parley.Visitor{Name: "Ada", Subject: "42", Attributes: map[string]any{"plan": "pro"}})); a.at("data.visitor.verified") != true || a.text("data.visitor.subject") != "42" || a.text("data.visitor.attributes.plan") != "pro" {
		t.Errorf("a proven visitor: %s", a.body)
	}
}

// TestDailyMessageLimit counts messages of the API as those of websites.
func TestDailyMessageLimit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	id := h.createAgent(t, "", `{"name":"Site","type":"chat","config":{"allowedDomains":["example.com"],"dailyMessageLimit":2}}`)
	say := func(body string) answer {
		return h.do(t, request{method: "POST", path: "/api/v1/agents/" + id + "/chat", body: body})
	}
	for range 2 {
		if a := say(`{"message":"hi"}`); a.status != 200 {
			t.Fatalf("within the limit: %d %s", a.status, a.body)
		}
		if a := say(`{"message":"hi","test":true}`); a.status != 200 {
			t.Fatalf("a test: %d %s", a.status, a.body)
		}
	}
	a := say(`{"message":"hi"}`)
	if a.status != 429 || a.text("error.type") != "rate_limited" || a.header.Get("Retry-After") == "" || !strings.Contains(a.text("error.message"), "dailyMessageLimit") {
		t.Errorf("beyond the limit: %d %s", a.status, a.body)
	}
}
