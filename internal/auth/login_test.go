package auth_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// begin logs in and returns the cookie.
func begin(t *testing.T, l *auth.Logins, key string) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := l.Begin(t.Context(), w, key); err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0]
}

// asking is a request of the server's own page with a cookie.
func asking(method string, c *http.Cookie, pairs ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080/api/v1/agents", nil)
	r.Header = header(pairs...)
	if c != nil {
		r.AddCookie(c)
	}
	return r
}

func TestLoginStandsForItsKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		org, other := storetest.Organization(t, st), storetest.Organization(t, st)
		text, foreign := auth.NewKey(), auth.NewKey()
		key := makeKey(t, st, org.ID, text, nil)
		makeKey(t, st, other.ID, foreign, nil)
		a := auth.New(st, slog.New(slog.DiscardHandler), 600)
		defer a.Close()
		l := auth.NewLogins(a, "http://127.0.0.1:8080")
		own := []string{"Sec-Fetch-Site", "same-origin"}

		c := begin(t, l, text)
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.MaxAge != 24*60*60 || strings.Contains(c.Value, text) {
			t.Errorf("cookie %+v", c)
		}
		who, err := l.Authenticate(t.Context(), asking("POST", c, own...))
		if err != nil || who.OrgID != org.ID || who.KeyID != key.ID || !who.Can(parley.ScopeAgentsRead) || who.Can(parley.ScopeChat) {
			t.Errorf("the login is %+v, %v", who, err)
		}
		if _, err := a.Authenticate(t.Context(), header("X-Api-Key", c.Value)); parley.ErrorCode(err) != parley.CodeUnauthorized {
			t.Errorf("the cookie works as a key: %v", err)
		}
		for _, stored := range []string{c.Value, text} {
			if found, _, err := st.FindLoginHolder(t.Context(), auth.HashKey(stored), time.Now()); err == nil {
				t.Errorf("a login is found by the plain hash of its cookie or key: %+v", found)
			}
		}
		if theirs, err := l.Authenticate(t.Context(), asking("GET", begin(t, l, foreign), own...)); err != nil || theirs.OrgID != other.ID {
			t.Errorf("the other organization's login is %+v, %v", theirs, err)
		}

		refused := func(name string, r *http.Request) {
			t.Helper()
			if p, err := l.Authenticate(t.Context(), r); parley.ErrorCode(err) != parley.CodeUnauthorized || p.OrgID != "" {
				t.Errorf("%s: %+v, %v, want unauthorized", name, p, err)
			}
		}
		wrong := *c
		wrong.Value = strings.Repeat("A", len(c.Value))
		twice := asking("GET", c, own...)
		twice.AddCookie(c)
		refused("no cookie", asking("GET", nil, own...))
		refused("another cookie", asking("GET", &wrong, own...))
		refused("two cookies", twice)

		// Logging out on one device ends that login, whoever has a copy, and no other.
		second, w := begin(t, l, text), httptest.NewRecorder()
		if err := l.End(t.Context(), w, asking("POST", c, own...)); err != nil || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("logging out: %v, %v", err, w.Header())
		}
		refused("a stolen cookie after logging out", asking("GET", c, own...))
		if _, err := l.Authenticate(t.Context(), asking("GET", second, own...)); err != nil {
			t.Errorf("logging out ended another login: %v", err)
		}
		if err := l.End(t.Context(), w, asking("POST", c, own...)); err != nil {
			t.Errorf("logging out again: %v", err)
		}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.RevokeAPIKey(ctx, org.ID, key.ID, time.Now()) })
		refused("a revoked key", asking("GET", second, own...))
		entries, _, err := st.ListAudit(t.Context(), org.ID, parley.AuditFilter{ResourceType: "api_key"})
		if err != nil || len(entries) != 3 || entries[0].Action != "api_key.logout" || entries[1].Action != "api_key.login" || entries[1].Actor.ID != key.ID {
			t.Errorf("audit: %+v, %v", entries, err)
		}
	})
}

// TestLoginEndsWithItsKey: a login never outlives a key with an end, nor begins with a dead one.
func TestLoginEndsWithItsKey(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	org := storetest.Organization(t, st)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	short, dead := auth.NewKey(), auth.NewKey()
	makeKey(t, st, org.ID, short, func(k *parley.APIKey) { k.ExpiresAt = &soon })
	makeKey(t, st, org.ID, dead, func(k *parley.APIKey) { k.ExpiresAt = &past })
	a := auth.New(st, slog.New(slog.DiscardHandler), 600)
	defer a.Close()
	l := auth.NewLogins(a, "https://parley.example")
	if c := begin(t, l, short); c.MaxAge > 3600 || c.Name != "__Host-parley_login" || !c.Secure {
		t.Errorf("cookie %+v", c)
	}
	for _, key := range []string{dead, auth.NewKey(), "", "x\n"} {
		w := httptest.NewRecorder()
		if err := l.Begin(t.Context(), w, key); parley.ErrorCode(err) != parley.CodeUnauthorized || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("a login with %q: %v, %v", key, err, w.Header())
		}
	}
}

// TestLoginIsForOwnPages: which requests may use a cookie that the browser sent along. Pages on another port of the
// host or on a subdomain are of the same site, so SameSite does not stop them.
func TestLoginIsForOwnPages(t *testing.T) {
	t.Parallel()
	l := auth.NewLogins(nil, "https://parley.example")
	for _, c := range []struct {
		name       string
		read, send bool
		host       string
		header     http.Header
	}{
		{"own page", true, true, "", header("Sec-Fetch-Site", "same-origin")},
		{"own page without a referrer", true, true, "", header("Sec-Fetch-Site", "same-origin", "Origin", "null")},
		{"typed address", true, false, "", header("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate")},
		{"link from another port", true, false, "", header("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate")},
		{"form of another port", true, false, "", header("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Origin", "https://parley.example:444")},
		{"script of another port", false, false, "", header("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Origin", "https://parley.example:444")},
		{"script tag of a subdomain", false, false, "", header("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors")},
		{"another site", false, false, "", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://evil.example")},
		{"another site that claims ours", false, false, "", header("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://parley.example")},
		{"old browser, own page", true, true, "", header("Origin", "https://parley.example")},
		{"old browser, own page behind a proxy that changes Host", true, true, "10.0.0.1:8080", header("Origin", "https://parley.example")},
		{"old browser, by the inner address", true, true, "10.0.0.1:8080", header("Origin", "http://10.0.0.1:8080")},
		{"old browser, read", true, false, "", header()},
		{"old browser, no referrer", false, false, "", header("Origin", "null")},
		{"old browser, another port", false, false, "", header("Origin", "https://parley.example:444")},
		{"old browser, suffix", false, false, "", header("Origin", "https://parley.example.evil.net")},
		{"old browser, userinfo", false, false, "", header("Origin", "https://parley.example@evil.net")},
		{"old browser, no host", false, false, "evil", header("Origin", "evil")},
		{"unknown word", false, false, "", header("Sec-Fetch-Site", "Same-Origin", "Origin", "https://parley.example")},
	} {
		for method, want := range map[string]bool{"GET": c.read, "HEAD": c.read, "POST": c.send, "PATCH": c.send, "DELETE": c.send, "OPTIONS": c.send} {
			r := httptest.NewRequest(method, "https://parley.example/api/v1/agents", nil)
			r.Header = c.header
			if c.host != "" {
				r.Host = c.host
			}
			if got := l.OwnPage(r); got != want {
				t.Errorf("%s, %s: %v", c.name, method, got)
			}
		}
	}
}
