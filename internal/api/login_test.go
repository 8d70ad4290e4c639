package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// login begins a login and returns the Cookie header of its browser.
func (h *house) login(t *testing.T, key string) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := h.logins.Begin(t.Context(), w, key); err != nil {
		t.Fatal(err)
	}
	c, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return c
}

// TestLoginsUseTheAPI: a login is worth what its key is, in its organization, for the server's own pages, until it ends.
func TestLoginsUseTheAPI(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		other := storetest.Organization(t, st)
		theirs := h.newKey(other.ID, parley.ScopeAll)
		reader := h.newKey(h.org.ID, parley.ScopeAgentsRead)
		agent := h.createAgent(t, "", `{"name":"Ada","type":"chat"}`)
		cookies := map[string]string{"owner": h.login(t, h.key), "reader": h.login(t, reader), "foreigner": h.login(t, theirs)}
		ask := func(who, method, path, body string, more ...string) answer {
			t.Helper()
			headers := map[string]string{"Cookie": cookies[who], "Sec-Fetch-Site": "same-origin"}
			for i := 0; i+1 < len(more); i += 2 {
				headers[more[i]] = more[i+1]
			}
			return h.do(t, request{method: method, path: path, key: "none", body: body, headers: headers})
		}
		one := "/api/v1/agents/" + agent
		rename := `{"name":"Bea"}`
		for _, c := range []struct {
			who, method, path, body string
			status                  int
		}{
			{"owner", "GET", one, "", 200},
			{"owner", "PATCH", one, rename, 200},
			{"owner", "GET", "/api/v1/api-keys", "", 200},
			{"reader", "GET", one, "", 200},
			{"reader", "PATCH", one, rename, 403},
			{"reader", "GET", "/api/v1/api-keys", "", 403},
			{"foreigner", "GET", one, "", 404},
			{"foreigner", "PATCH", one, rename, 404},
			{"foreigner", "DELETE", one, "", 404},
			{"nobody", "GET", one, "", 401},
		} {
			if a := ask(c.who, c.method, c.path, c.body); a.status != c.status {
				t.Errorf("%s: %s %s = %d %s, want %d", c.who, c.method, c.path, a.status, a.body, c.status)
			}
		}
		if a := ask("foreigner", "GET", "/api/v1/agents", ""); a.at("data.pagination.total") != 0.0 {
			t.Errorf("a foreigner sees %s", a.body)
		}
		for _, foreign := range [][]string{
			{"Sec-Fetch-Site", "same-site", "Origin", "https://parley.example:8443"},
			{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "none"},
			{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			{"Sec-Fetch-Site", ""},
		} {
			headers := map[string]string{"Cookie": cookies["owner"]}
			for i := 0; i+1 < len(foreign); i += 2 {
				headers[foreign[i]] = foreign[i+1]
			}
			a := h.do(t, request{method: "PATCH", path: one, key: "none", body: rename, headers: headers, stranger: true})
			if a.status != 403 || !strings.Contains(a.text("error.message"), "own pages") {
				t.Errorf("%v: %d %s", foreign, a.status, a.body)
			}
		}
		if a := ask("foreigner", "GET", one, "", "X-Api-Key", h.key); a.status != 200 {
			t.Errorf("a key beside a cookie: %d", a.status)
		}
		if a := ask("owner", "GET", one, "", "X-Api-Key", "wrong-key-wrong-key-wrong-key"); a.status != 401 {
			t.Errorf("a cookie beside a wrong key: %d", a.status)
		}
		keys := h.do(t, request{method: "GET", path: "/api/v1/api-keys"})
		if a := h.do(t, request{method: "DELETE", path: "/api/v1/api-keys/" + keys.text("data.apiKeys.1.id")}); a.status != 200 {
			t.Fatalf("revoking: %s", a.body)
		}
		a := ask("reader", "GET", one, "")
		if a.status != 401 || !strings.Contains(a.header.Get("Set-Cookie"), "Max-Age=0") || !strings.Contains(a.text("error.message"), "login") {
			t.Errorf("after its key was revoked a login gets %d %v %s", a.status, a.header, a.body)
		}
	})
}

// TestGuessedLoginsAreLimited like guessed keys, and shut nobody out who has a key.
func TestGuessedLoginsAreLimited(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	h.do(t, request{method: "GET", path: "/api/v1/agents"}) // the key is known from here on
	last := 0
	for i := range 101 {
		last = h.do(t, request{method: "GET", path: "/api/v1/agents", key: "none", stranger: i == 100, headers: map[string]string{"Cookie": "__Host-parley_login=guess"}}).status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the last guess got %d", last)
	}
	if a := h.do(t, request{method: "GET", path: "/api/v1/agents"}); a.status != 200 {
		t.Errorf("a known key behind the same address gets %d", a.status)
	}
}
