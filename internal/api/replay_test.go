package api_test

import (
	"strings"
	"testing"

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
