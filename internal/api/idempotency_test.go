package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const key1 = "8e03978e-40d5-43e8-bc93-6894a57f9324"

// TestIdempotency: the same key and body are answered alike and done once.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		post := request{method: "POST", path: "/api/v1/agents", body: `{"name":"Once","type":"chat"}`, headers: map[string]string{"Idempotency-Key": key1}}
		first := h.do(t, post)
		post.body = ` {"type" : "chat", "name":"Once"} ` // the same JSON
		post.headers["Idempotency-Key"] = `"` + key1 + `"`
		again := h.do(t, post)
		if first.status != 201 || again.status != 201 || string(first.body) != string(again.body) || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Fatalf("not the same answer:\n%d %s\n%d %s", first.status, first.body, again.status, again.body)
		}
		if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("marks: %q and %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
		}
		if n := h.do(t, request{method: "GET", path: "/api/v1/agents"}).at("data.pagination.total"); n != 1.0 {
			t.Errorf("%v agents", n)
		}
		other := post
		other.body = `{"name":"Twice","type":"chat"}`
		if a := h.do(t, other); a.status != 422 || a.text("error.type") != "invalid_request" {
			t.Errorf("another body: %d %s", a.status, a.body)
		}
		other.key = h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		if a := h.do(t, other); a.status != 201 || a.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("another organization: %d %s", a.status, a.body)
		}
		restore := request{method: "POST", path: "/api/v1/agents/" + first.text("data.id") + "/restore", headers: map[string]string{"Idempotency-Key": key1}}
		if a := h.do(t, restore); a.status != 409 { // another route: its own key; the agent is not deleted
			t.Errorf("another route: %d %s", a.status, a.body)
		}
		invalid := post
		invalid.headers = map[string]string{"Idempotency-Key": "fresh"}
		invalid.body = `{"name":"","type":"chat"}`
		if a := h.do(t, invalid); a.status != 400 {
			t.Errorf("invalid: %d %s", a.status, a.body)
		}
		invalid.body = `{"name":"Mended","type":"chat"}` // a refused request uses up no key
		if a := h.do(t, invalid); a.status != 201 {
			t.Errorf("mended: %d %s", a.status, a.body)
		}
		for _, bad := range []string{"with space", strings.Repeat("x", 256), "ü", `""`} {
			post.headers = map[string]string{"Idempotency-Key": bad}
			if a := h.do(t, post); a.status != 400 || a.fields()[0] != "Idempotency-Key" {
				t.Errorf("key %q: %d %s", bad, a.status, a.body)
			}
		}
	})
}

// TestEqualRequestsInParallel: many at once, on two processes, do the work once, and all get its answer.
func TestEqualRequestsInParallel(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		nodes := []*house{h, newHouseWith(t, st, houseOptions{like: h})}
		const n = 20
		ids, replayed := make([]string, n), make([]bool, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), "POST", "http://x/api/v1/agents", strings.NewReader(`{"name":"Parallel","type":"voice"}`))
				r.Header.Set("X-Api-Key", h.key)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Idempotency-Key", key1)
				w := httptest.NewRecorder()
				nodes[i%2].handler.ServeHTTP(w, r)
				var body struct{ Data struct{ ID string } }
				if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 201 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				ids[i], replayed[i] = body.Data.ID, w.Header().Get("Idempotency-Replayed") == "true"
			})
		}
		wg.Wait()
		firsts := 0
		for i := range n {
			if ids[i] != ids[0] {
				t.Errorf("ids %s and %s", ids[0], ids[i])
			}
			if !replayed[i] {
				firsts++
			}
		}
		if firsts != 1 {
			t.Errorf("%d requests were first", firsts)
		}
	})
}

// TestSecretsOfReplays: the answer with a new key is kept sealed, and can be had again.
func TestSecretsOfReplays(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		post := request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Sealed"}`, headers: map[string]string{"Idempotency-Key": key1}}
		first, again := h.do(t, post), h.do(t, post)
		text := first.text("data.key")
		if text == "" || again.text("data.key") != text || again.header.Get("Idempotency-Replayed") != "true" {
			t.Fatalf("%s\n%s", first.body, again.body)
		}
		c, err := st.FindIdempotency(t.Context(), h.org.ID, store.IdempotencyID{Method: "POST", Route: "/api/v1/api-keys", Key: key1})
		if err != nil || !c.Sealed || strings.Contains(string(c.Answer), text) || len(c.Answer) == 0 {
			t.Errorf("kept as %q, sealed %v, %v", c.Answer, c.Sealed, err)
		}
	})
}

// TestChatIdempotency: a message is answered once, and the answer can be had again, as JSON and as a stream, also
// from the log when no process remembers it.
func TestChatIdempotency(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", `{"name":"Site","type":"chat","toolIds":["current_time"]}`)
		post := request{method: "POST", path: "/api/v1/agents/" + agent + "/chat", body: `{"message":"What time is it?"}`, headers: map[string]string{"Idempotency-Key": key1}}
		first := h.do(t, post)
		again := h.do(t, post)
		if first.status != 200 || string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Fatalf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
		}
		other := newHouseWith(t, st, houseOptions{like: h}) // another process with the same database
		elsewhere := other.do(t, post)
		if at := regexp.MustCompile(`"at":"[^"]*"`); at.ReplaceAllString(string(elsewhere.body), "") != at.ReplaceAllString(string(first.body), "") || elsewhere.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("from the log:\n%s\n%s", first.body, elsewhere.body)
		}
		stream := post
		stream.accept = "text/event-stream"
		if a := other.do(t, stream); !strings.Contains(string(a.body), "event: message.completed") || !strings.Contains(string(a.body), first.text("data.runId")) {
			t.Errorf("stream from the log: %s", a.body)
		}
		if n := h.do(t, request{method: "GET", path: "/api/v1/conversations"}).at("data.pagination.total"); n != 1.0 {
			t.Errorf("%v conversations", n)
		}
		post.body = `{"message":"Something else"}`
		if a := h.do(t, post); a.status != 422 {
			t.Errorf("another message: %d %s", a.status, a.body)
		}
	})
}

// TestChatStillAnswering: while the first request is being answered, an equal one is asked to come back.
func TestChatStillAnswering(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", `{"name":"Site","type":"chat"}`)
		conv := parley.Conversation{ID: parley.NewID(), AgentID: agent, AgentName: "Site", Channel: parley.ChannelChat, Status: parley.ConversationActive, Direction: "inbound", StartedAt: storetest.Now()}
		run := store.Run{ID: parley.NewID(), ConversationID: conv.ID, Owner: "another process", Attempt: 1, Status: store.RunRunning, LeaseUntil: storetest.Now().Add(time.Hour)}
		post := request{method: "POST", path: "/api/v1/agents/" + agent + "/chat", body: `{"message":"Hello"}`, headers: map[string]string{"Idempotency-Key": key1}}
		h.claimRun(t, conv, run, post)
		if a := h.do(t, post); a.status != 409 || a.header.Get("Retry-After") != "1" {
			t.Errorf("while it runs: %d %s %v", a.status, a.body, a.header)
		}
		run.LeaseUntil = storetest.Now().Add(-time.Second) // its process died
		h.expireRun(t, run)
		a := h.do(t, post)
		for deadline := time.Now().Add(time.Minute); a.status == 409 && time.Now().Before(deadline); {
			a = h.do(t, post)
		}
		if a.status != 503 || a.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("after its process died: %d %s", a.status, a.body)
		}
		if n := h.do(t, request{method: "GET", path: "/api/v1/conversations"}).at("data.pagination.total"); n != 1.0 {
			t.Errorf("%v conversations: it ran again", n)
		}
	})
}

// claimRun stores a run of another process that is at work on a request.
func (h *house) claimRun(t *testing.T, conv parley.Conversation, run store.Run, r request) {
	t.Helper()
	sum := sha256.Sum256([]byte(r.path + "\n" + r.body))
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		_, _, claim := tx.ClaimIdempotency(ctx, h.org.ID, store.IdempotencyID{Method: "POST", Route: "/api/v1/agents/{agentId}/chat", Key: r.headers["Idempotency-Key"]},
			store.Claim{Fingerprint: sum[:], RunID: run.ID, ExpiresAt: storetest.Now().Add(time.Hour)})
		return errors.Join(tx.CreateConversation(ctx, h.org.ID, conv), tx.CreateRun(ctx, h.org.ID, run), claim)
	})
}

// expireRun makes the lease of a run end, as when its process has died.
func (h *house) expireRun(t *testing.T, run store.Run) {
	t.Helper()
	storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.RenewRun(ctx, h.org.ID, run, run.LeaseUntil)
	})
}
