package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		made := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Website","description":"The home page","scopes":["chat","agents:read"]}`})
		text := made.text("data.key")
		if made.status != 201 || !strings.HasPrefix(text, "pk_live_") || !strings.HasSuffix(text, made.text("data.last4")) || made.text("data.description") != "The home page" {
			t.Fatalf("create: %d %s", made.status, made.body)
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/agents", key: text}); a.status != 200 {
			t.Errorf("the new key: %d %s", a.status, a.body)
		}
		list := h.do(t, request{method: "GET", path: "/api/v1/api-keys?limit=1&offset=1"})
		if list.status != 200 || strings.Contains(string(list.body), text) || list.text("data.apiKeys.0.name") != "Website" || list.at("data.pagination.total") != 2.0 || list.at("data.pagination.hasMore") != false {
			t.Errorf("list: %s", list.body)
		}
		path := "/api/v1/api-keys/" + made.text("data.id")
		changed := h.do(t, request{method: "PATCH", path: path, body: `{"description":"Retired"}`})
		if changed.status != 200 || changed.text("data.description") != "Retired" || changed.text("data.name") != "Website" || changed.at("data.updated") != true {
			t.Errorf("update: %d %s", changed.status, changed.body)
		}
		if a := h.do(t, request{method: "PATCH", path: path, body: `{"scopes":["*"]}`}); a.status != 400 {
			t.Errorf("rights were changed: %d %s", a.status, a.body)
		}
		revoked := h.do(t, request{method: "DELETE", path: path})
		if revoked.status != 200 || revoked.at("data.revoked") != true {
			t.Errorf("revoke: %d %s", revoked.status, revoked.body)
		}
		if a := h.do(t, request{method: "GET", path: "/api/v1/agents", key: text}); a.status != 401 {
			t.Errorf("the revoked key: %d", a.status)
		}
		if a := h.do(t, request{method: "GET", path: path}); a.status != 200 || a.at("data.revokedAt") == nil {
			t.Errorf("get: %d %s", a.status, a.body)
		}
	})
}

// TestKeyRights: a key cannot give what it does not have: neither scopes nor time.
func TestKeyRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	post := func(key, path, body string) answer {
		return h.do(t, request{method: "POST", path: path, key: key, body: body})
	}
	manager := h.newKey(h.org.ID, parley.ScopeKeysManage)
	if a := post(manager, "/api/v1/api-keys", `{"name":"More","scopes":["*"]}`); a.status != 403 || !strings.Contains(a.text("error.message"), "scope *") {
		t.Errorf("a key that gives more than it has: %d %s", a.status, a.body)
	}
	if a := post(manager, "/api/v1/api-keys", `{"name":"Same"}`); a.status != 201 || a.at("data.scopes.0") != "keys:manage" {
		t.Errorf("default scopes: %d %s", a.status, a.body)
	}
	full := post("", "/api/v1/api-keys", `{"name":"Full"}`)
	if a := post(manager, "/api/v1/api-keys/"+full.text("data.id")+"/rotate", `{}`); a.status != 403 {
		t.Errorf("a key got a full one by rotating it: %d %s", a.status, a.body)
	}
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	short := post("", "/api/v1/api-keys", `{"name":"Short","expiresAt":"`+soon.Format(time.RFC3339)+`"}`).text("data.key")
	if a := post(short, "/api/v1/api-keys", `{"name":"Heir"}`); a.status != 201 || a.text("data.expiresAt") != soon.Format(time.RFC3339) {
		t.Errorf("default end: %d %s", a.status, a.body)
	}
	for _, end := range []string{`null`, `"` + soon.Add(time.Second).Format(time.RFC3339) + `"`, `"2001-01-01T00:00:00Z"`, `"tomorrow"`, `17`} {
		if a := post(short, "/api/v1/api-keys", `{"name":"Heir","expiresAt":`+end+`}`); a.status != 400 || fmt.Sprint(a.fields()) != "[expiresAt]" {
			t.Errorf("end %s: %d %s", end, a.status, a.body)
		}
	}
}

// TestRotation: both keys work during the overlap; the old one ends with it.
func TestRotation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		rotate := func(id, body string) answer {
			return h.do(t, request{method: "POST", path: "/api/v1/api-keys/" + id + "/rotate", body: body})
		}
		works := func(key string) bool {
			return h.do(t, request{method: "GET", path: "/api/v1/agents", key: key}).status == 200
		}
		old := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Shop","description":"d","scopes":["agents:read"]}`})
		made := rotate(old.text("data.id"), `{"overlapSeconds":3600}`)
		if made.status != 201 || made.text("data.name") != "Shop" || made.text("data.description") != "d" || made.at("data.scopes.0") != "agents:read" || made.at("data.expiresAt") != nil {
			t.Fatalf("rotate: %d %s", made.status, made.body)
		}
		if !works(old.text("data.key")) || !works(made.text("data.key")) {
			t.Error("not both keys work during the overlap")
		}
		seen := h.do(t, request{method: "GET", path: "/api/v1/api-keys/" + old.text("data.id")})
		if seen.text("data.replacedBy") != made.text("data.id") || seen.at("data.expiresAt") == nil {
			t.Errorf("the old key: %s", seen.body)
		}
		if a := rotate(old.text("data.id"), `{}`); a.status != 409 || !strings.Contains(a.text("error.message"), made.text("data.id")) {
			t.Errorf("rotated twice: %d %s", a.status, a.body)
		}
		next := rotate(made.text("data.id"), `{"overlapSeconds":0}`)
		if next.status != 201 || works(made.text("data.key")) || !works(next.text("data.key")) {
			t.Errorf("without overlap: %d %s", next.status, next.body)
		}
		if a := rotate(made.text("data.id"), `{}`); a.status != 409 {
			t.Errorf("a dead key: %d %s", a.status, a.body)
		}
		if a := rotate(next.text("data.id"), `{"overlapSeconds":604801}`); a.status != 400 {
			t.Errorf("too long an overlap: %d %s", a.status, a.body)
		}
	})
}

// TestRefusedKeysLookAlike: nothing tells a wrong, malformed, expired, revoked or missing key from another.
func TestRefusedKeysLookAlike(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	past := time.Now().Add(-time.Minute)
	dead := func(change func(*parley.APIKey)) string {
		text := auth.NewKey()
		k := auth.Describe(h.org.ID, "dead", text, []string{parley.ScopeAll}, time.Now())
		change(&k)
		storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.CreateAPIKey(ctx, h.org.ID, k, auth.HashKey(text)); err != nil || k.RevokedAt == nil {
				return err
			}
			return tx.RevokeAPIKey(ctx, h.org.ID, k.ID, *k.RevokedAt)
		})
		return text
	}
	keys := map[string]string{
		"missing": "none", "wrong": auth.NewKey(), "malformed": "pk_live_short", "not a key": "x",
		"expired": dead(func(k *parley.APIKey) { k.ExpiresAt = &past }), "revoked": dead(func(k *parley.APIKey) { k.RevokedAt = &past }),
	}
	var first string
	for name, key := range keys {
		a := h.do(t, request{method: "GET", path: "/api/v1/agents", key: key})
		a.header.Del("X-Request-Id")
		seen := fmt.Sprint(a.status, a.header, strings.ReplaceAll(string(a.body), a.text("error.requestId"), ""))
		if first == "" {
			first = seen
		}
		if a.status != 401 || seen != first {
			t.Errorf("%s key is told apart:\n%s\n%s", name, seen, first)
		}
	}
}

// TestRevocationReachesOtherNodes: another process has asked for the key before, and forgets it within a second.
func TestRevocationReachesOtherNodes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		other := newHouseWith(t, st, houseOptions{like: h})
		made := h.do(t, request{method: "POST", path: "/api/v1/api-keys", body: `{"name":"Shared"}`})
		get := request{method: "GET", path: "/api/v1/agents", key: made.text("data.key")}
		if a := other.do(t, get); a.status != 200 {
			t.Fatalf("before: %d", a.status)
		}
		h.do(t, request{method: "DELETE", path: "/api/v1/api-keys/" + made.text("data.id")})
		if a := h.do(t, get); a.status != 401 {
			t.Errorf("the revoking process still accepts it: %d", a.status)
		}
		deadline := time.Now().Add(5 * time.Second)
		for other.do(t, get).status != 401 {
			if time.Now().After(deadline) {
				t.Fatal("another process still accepts the key after 5 s")
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}
