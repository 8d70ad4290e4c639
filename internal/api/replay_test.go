package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestSecretsAreReplayedToTheirAskerOnly: a key may not give more than it has, also not by repeating what a
// stronger key of its organization asked for. Answers without a secret are the organization's.
func TestSecretsAreReplayedToTheirAskerOnly(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		weak := h.newKey(h.org.ID, parley.ScopeKeysManage, parley.ScopeAgentsWrite)
		old := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Old"}`})
		for _, path := range []string{"/api/v1/api-keys", "/api/v1/api-keys/" + old.text("data.id") + "/rotate"} {
			r := request{method: "POST", path: path, body: `{"name":"CI"}`, headers: map[string]string{"Idempotency-Key": key1}}
			if strings.HasSuffix(path, "/rotate") {
				r.body = `{"overlapSeconds":60}`
			}
			first := h.do(t, r)
			if first.status != 201 || first.text("data.key") == "" {
				t.Fatalf("%s: %d %s", path, first.status, first.body)
			}
			r.key = weak
			if a := h.do(t, r); a.status != 422 || strings.Contains(string(a.body), first.text("data.key")) {
				t.Errorf("%s repeated by another key: %d %s", path, a.status, a.body)
			}
		}
		r := request{method: "POST", path: "/api/v1/agents", body: chatBody, headers: map[string]string{"Idempotency-Key": key1}}
		first := h.do(t, r)
		r.key = weak
		if a := h.do(t, r); a.status != 201 || a.text("data.id") != first.text("data.id") {
			t.Errorf("an agent made again with another key: %d %s", a.status, a.body)
		}
	})
}

// TestExpiredClaimsAreSweptFasterThanTheyAreMade: each request with a key deletes up to 500 of them, until none is
// left.
func TestExpiredClaimsAreSweptFasterThanTheyAreMade(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		const claims = 3*store.SweepAtOnce - 1
		id := func(i int) store.IdempotencyID {
			return store.IdempotencyID{Method: "POST", Route: "/api/v1/agents", Key: fmt.Sprint("old-", i)}
		}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			for i := range claims {
				if _, _, err := tx.ClaimIdempotency(ctx, h.org.ID, id(i), store.Claim{Fingerprint: []byte("x"), ExpiresAt: time.Now().Add(-time.Hour)}); err != nil {
					return err
				}
			}
			return nil
		})
		for i := range 3 {
			if a := h.do(t, request{method: "POST", path: "/api/v1/agents", body: chatBody, headers: map[string]string{"Idempotency-Key": fmt.Sprint("new-", i)}}); a.status != 201 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		left := 0
		for i := range claims {
			if _, err := st.FindIdempotency(t.Context(), h.org.ID, id(i)); err == nil {
				left++
			}
		}
		if left > 0 {
			t.Errorf("%d of %d expired claims are left", left, claims)
		}
	})
}

// TestReplayOutlivesItsReason: an equal request has the same answer, also when a new one would be refused by now.
func TestReplayOutlivesItsReason(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := h.createAgent(t, "", voiceBody)
		r := request{method: "POST", path: "/api/v1/test-calls", body: `{"agentId":"` + agent + `"}`, headers: map[string]string{"Idempotency-Key": key1}}
		first := h.do(t, r)
		if a := h.do(t, request{method: "DELETE", path: "/api/v1/agents/" + agent}); first.status != 201 || a.status != 200 {
			t.Fatalf("preparing: %s %s", first.body, a.body)
		}
		if a := h.do(t, r); a.status != 201 || string(a.body) != string(first.body) || a.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("the same again: %d %s", a.status, a.body)
		}
		r.headers = map[string]string{"Idempotency-Key": "another"}
		if a := h.do(t, r); a.status != 404 {
			t.Errorf("a new request: %d %s", a.status, a.body)
		}
	})
}
