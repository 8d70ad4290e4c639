package api_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestRateLimit: an organization has its limit, whatever its keys, and others have theirs.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouseWith(t, st, houseOptions{perMinute: 5})
		get := request{method: "GET", path: "/api/v1/agents"}
		for i := range 5 {
			a := h.do(t, get)
			if a.status != 200 || a.header.Get("X-RateLimit-Limit") != "5" || a.header.Get("X-RateLimit-Remaining") != strconv.Itoa(4-i) ||
				a.header.Get("RateLimit-Policy") != `"default";q=5;w=60` || !strings.HasPrefix(a.header.Get("RateLimit"), fmt.Sprintf(`"default";r=%d;t=`, 4-i)) {
				t.Fatalf("request %d: %d %v", i, a.status, a.header)
			}
		}
		get.key = h.newKey(h.org.ID, parley.ScopeAll) // another key of the same organization
		a := h.do(t, get)
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 429 || a.text("error.type") != "rate_limited" || err != nil || wait < 1 || wait > 13 || a.header.Get("X-RateLimit-Remaining") != "0" {
			t.Errorf("over the limit: %d %v", a.status, a.header)
		}
		get.key = h.newKey(storetest.Organization(t, st).ID, parley.ScopeAll)
		if a := h.do(t, get); a.status != 200 {
			t.Errorf("another organization: %d", a.status)
		}
	})
}

// TestLimitOfAnOrganization: the organization's own limit counts, and a change counts at once.
func TestLimitOfAnOrganization(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouseWith(t, st, houseOptions{perMinute: 600})
		limitOf := func() string {
			return h.do(t, request{method: "GET", path: "/api/v1/agents"}).header.Get("X-RateLimit-Limit")
		}
		if got := limitOf(); got != "600" {
			t.Errorf("default: %s", got)
		}
		h.do(t, request{method: "PATCH", path: "/api/v1/organization", body: `{"limits":{"requestsPerMinute":60}}`})
		if got := limitOf(); got != "60" {
			t.Errorf("after the change: %s", got)
		}
	})
}

// TestFailedAuthentication: after many wrong keys an address may not go on guessing; who was let in before is
// still let in, and other addresses are not concerned.
func TestFailedAuthentication(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	ask := func(key, address string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://x/api/v1/agents", nil)
		r.RemoteAddr = address + ":1234"
		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, r)
		return w
	}
	if w := ask(h.key, "198.51.100.7"); w.Code != 200 {
		t.Fatalf("a good key: %d", w.Code)
	}
	for range 300 {
		if w := ask("", "198.51.100.7"); w.Code != 401 { // no key is no guess
			t.Fatalf("without a key: %d", w.Code)
		}
	}
	statuses := map[int]int{}
	var last *httptest.ResponseRecorder
	for range 150 {
		last = ask(auth.NewKey(), "198.51.100.7")
		statuses[last.Code]++
	}
	if statuses[401] < 100 || statuses[401] > 103 || statuses[429] != 150-statuses[401] || last.Header().Get("Retry-After") == "" {
		t.Errorf("150 wrong keys: %v", statuses)
	}
	fresh := h.newKey(h.org.ID, parley.ScopeAll)
	for _, c := range []struct {
		name, key, address string
		want               int
	}{{"a known key", h.key, "198.51.100.7", 200}, {"a key never seen", fresh, "198.51.100.7", 429}, {"another address", fresh, "198.51.100.8", 200}, {"the same key, known now", fresh, "198.51.100.7", 200}} {
		if w := ask(c.key, c.address); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
}

// TestLimiterWithoutDatabase: while the shared limits cannot be checked, reads pass and what spends money is
// refused.
func TestLimiterWithoutDatabase(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	st := storetest.PostgresAt(t, address)
	h := newHouse(t, st)
	agent := h.createAgent(t, "", `{"name":"Site","type":"chat"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	// Only the limiter's table is out of reach: the rest must go on to show which requests pass.
	admin, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(ctx, `ALTER TABLE rate_limit RENAME TO rate_limit_gone`); err != nil {
		t.Fatal(err)
	}
	h2 := newHouseWith(t, st, houseOptions{like: h}) // has leased nothing yet
	if a := h2.do(t, request{method: "GET", path: "/api/v1/agents/" + agent}); a.status != 200 {
		t.Errorf("reading: %d %s", a.status, a.body)
	}
	if a := h2.do(t, request{method: "POST", path: "/api/v1/agents/" + agent + "/chat", body: `{"message":"Hi"}`}); a.status != 503 || a.header.Get("Retry-After") == "" || a.text("error.type") != "unavailable" {
		t.Errorf("chatting: %d %s", a.status, a.body)
	}
}
