package dashboard_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/auth"
	"parley/internal/dashboard"
	"parley/internal/limit"
	"parley/internal/metric"
	"parley/internal/server"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house serves the pages of an organization, and of another one.
type house struct {
	t            *testing.T
	st           *store.Store
	handler      http.Handler
	org, other   parley.Organization
	key, foreign string
	failures     *limit.Failures
}

func newHouse(t *testing.T, st *store.Store) *house {
	t.Helper()
	h := &house{t: t, st: st, org: storetest.Organization(t, st), other: storetest.Organization(t, st), failures: limit.NewFailures(nil)}
	h.key, h.foreign = h.newKey(h.org, parley.ScopeAll), h.newKey(h.other, parley.ScopeAll)
	logger := slog.New(slog.DiscardHandler)
	keys := auth.New(st, logger, 600)
	t.Cleanup(keys.Close)
	pages := http.NewServeMux()
	dashboard.New(dashboard.Options{Store: st, Auth: keys, Logins: auth.NewLogins(keys, "https://parley.example"), Failures: h.failures, Logger: logger,
		Ticket: func(agentID string) string { return "ticket-of-" + agentID }}).Register(pages)
	h.handler = server.New(server.Options{API: http.NewServeMux(), Page: http.NotFoundHandler(), Pages: pages, Metrics: metric.New("test"), Logger: logger}).Handler()
	return h
}

func (h *house) newKey(org parley.Organization, scopes ...string) string {
	h.t.Helper()
	text := auth.NewKey()
	storetest.Write(h.t, h.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateAPIKey(ctx, org.ID, auth.Describe(org.ID, "test", text, scopes, time.Now()), auth.HashKey(text))
	})
	return text
}

// do sends a request of the server's own page: a form when there are fields.
func (h *house) do(method, path, cookie string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), method, "https://parley.example"+path, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	if regexp.MustCompile(`<style|<script>| style=| on[a-z]+="`).MatchString(w.Body.String()) {
		h.t.Errorf("%s %s has inline styles or scripts, which its policy forbids", method, path)
	}
	if strings.Contains(w.Header().Get("Content-Type"), "html") {
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || w.Header().Get("Cache-Control") != "no-store" {
			h.t.Errorf("%s %s has the headers %v", method, path, w.Header())
		}
	}
	return w
}

// login logs in through the form and returns the Cookie header.
func (h *house) login(key string) string {
	h.t.Helper()
	w := h.do("POST", "/login", "", url.Values{"key": {key}})
	cookie, _, ok := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	if w.Code != http.StatusSeeOther || !ok {
		h.t.Fatalf("login: %d %v", w.Code, w.Header())
	}
	return cookie
}

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		agent := storetest.Agent(t, st, h.org.ID, parley.AgentChat)
		try := "/try/" + agent.ID + "?look=dark&x=1"
		w := h.do("GET", try, "", nil)
		form := "/login?next=" + url.QueryEscape(try)
		if w.Code != 303 || w.Header().Get("Location") != form {
			t.Fatalf("without a login: %d %v", w.Code, w.Header())
		}
		w = h.do("GET", form, "", nil)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `name="next" value="`+strings.ReplaceAll(try, "&", "&amp;")+`"`) {
			t.Fatalf("the form: %d %s", w.Code, w.Body)
		}
		wrong := auth.NewKey()
		w = h.do("POST", "/login", "", url.Values{"key": {wrong}, "next": {try}})
		if w.Code != 401 || w.Header().Get("Set-Cookie") != "" || strings.Contains(w.Body.String(), wrong) || !strings.Contains(w.Body.String(), "not accepted") {
			t.Fatalf("a wrong key: %d %v %s", w.Code, w.Header(), w.Body)
		}
		w = h.do("POST", "/login", "", url.Values{"key": {" " + h.key + "\n"}, "next": {try}})
		set := w.Header().Get("Set-Cookie")
		if w.Code != 303 || w.Header().Get("Location") != try || !strings.HasPrefix(set, "__Host-parley_login=") || strings.Contains(set, h.key) {
			t.Fatalf("the key: %d %v", w.Code, w.Header())
		}
		for _, attribute := range []string{"; HttpOnly", "; Secure", "; SameSite=Strict", "; Path=/"} {
			if !strings.Contains(set, attribute) {
				t.Errorf("the cookie %s lacks %s", set, attribute)
			}
		}
		cookie, _, _ := strings.Cut(set, ";")
		if w = h.do("GET", try, cookie, nil); w.Code != 200 {
			t.Fatalf("with a login: %d", w.Code)
		}
		if w = h.do("GET", form, cookie, nil); w.Code != 303 || w.Header().Get("Location") != try {
			t.Errorf("the form with a login: %d %v", w.Code, w.Header())
		}
		if w = h.do("POST", "/logout", cookie, url.Values{}, "Sec-Fetch-Site", "same-site"); w.Code != 403 || h.do("GET", try, cookie, nil).Code != 200 {
			t.Errorf("another page's logout: %d", w.Code)
		}
		if w = h.do("POST", "/logout", cookie, url.Values{}); w.Code != 303 || w.Header().Get("Location") != "/login" {
			t.Errorf("logout: %d %v", w.Code, w.Header())
		}
		if w = h.do("GET", try, cookie, nil); w.Code != 303 {
			t.Errorf("the cookie after logging out: %d", w.Code)
		}
	})
}

// TestLoginFormIsOurs: another site can neither log people in to its own organization, nor choose where they go.
func TestLoginFormIsOurs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		{"Sec-Fetch-Site", "same-site", "Origin", "https://parley.example:444"},
		{"Sec-Fetch-Site", "", "Origin", "null"},
		{"Sec-Fetch-Site", ""},
	} {
		if w := h.do("POST", "/login", "", url.Values{"key": {h.key}}, headers...); w.Code != 403 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%v: %d %v", headers, w.Code, w.Header())
		}
	}
	if w := h.do("POST", "/login", "", url.Values{"key": {strings.Repeat("x", 20_000)}}); w.Code != 400 {
		t.Errorf("a long form: %d", w.Code)
	}
	cookie := h.login(h.key)
	for next, want := range map[string]string{
		"/try/1?a=b#c": "/try/1?a=b#c", "/docs": "/docs", "": "/try", "try": "/try",
		"//evil.example": "/try", "///evil.example": "/try", `/\evil.example`: "/try", `\\evil.example`: "/try", "https://evil.example": "/try",
		"https:/evil.example": "/try", "javascript:alert(1)": "/try", "/\t/evil.example": "/try", "/\n/evil.example": "/try", "/ /evil.example": "/try",
		"/%zz": "/try", "\u2028/x": "/try", "/a\x00b": "/try", "data:text/html,x": "/try", "/try\r\nSet-Cookie: a=b": "/try",
	} {
		w := h.do("POST", "/login", "", url.Values{"key": {h.key}, "next": {next}})
		again := h.do("GET", "/login?next="+url.QueryEscape(next), cookie, nil)
		if got := w.Header().Get("Location"); got != want || again.Header().Get("Location") != want {
			t.Errorf("next %q leads to %q and %q", next, got, again.Header().Get("Location"))
		}
	}
}

// TestLoginsAreLimited: wrong keys at the form count like those at the API, and shut out nobody who has a key.
func TestLoginsAreLimited(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	h.login(h.key)
	wrong := url.Values{"key": {auth.NewKey()}}
	for range 100 {
		h.do("POST", "/login", "", wrong)
	}
	if w := h.do("POST", "/login", "", wrong); w.Code != 429 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Too many wrong keys") {
		t.Errorf("the 101st wrong key: %d %v", w.Code, w.Header())
	}
	if w := h.do("POST", "/login", "", url.Values{"key": {h.foreign}}); w.Code != 429 {
		t.Errorf("a key that was never seen here: %d", w.Code)
	}
	h.login(h.key) // is known
}

// TestPagesOfAnOrganization: who sees which page.
func TestPagesOfAnOrganization(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		chat, voice := storetest.Agent(t, st, h.org.ID, parley.AgentChat), storetest.Agent(t, st, h.org.ID, parley.AgentVoice)
		idle := chat
		idle.ID, idle.Name, idle.Status = parley.NewID(), `<b>"Idle"</b>`, parley.AgentInactive
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, h.org.ID, idle) })
		cookies := map[string]string{"owner": h.login(h.key), "foreigner": h.login(h.foreign),
			"reader": h.login(h.newKey(h.org, parley.ScopeAgentsRead)), "caller": h.login(h.newKey(h.org, parley.ScopeCalls))}
		for _, c := range []struct {
			who, path string
			status    int
			says      string
		}{
			{"owner", "/try", 200, "/try/" + chat.ID},
			{"owner", "/try", 200, "/call?agent=" + voice.ID},
			{"owner", "/try", 200, "&lt;b&gt;"},
			{"foreigner", "/try", 200, "no agent yet"},
			{"caller", "/try", 403, "agents:read"},
			{"owner", "/try/" + chat.ID, 200, `data-agent="` + chat.ID + `"`},
			{"owner", "/try/" + idle.ID, 200, "&lt;b&gt;"},
			{"owner", "/try/" + voice.ID, 200, "/call?agent=" + voice.ID},
			{"owner", "/try/nonsense", 404, "Agent not found"},
			{"owner", "/try/" + parley.NewID(), 404, "Agent not found"},
			{"reader", "/try/" + chat.ID, 200, "lacks the scope agents:write"},
			{"foreigner", "/try/" + chat.ID, 404, "Agent not found"},
			{"caller", "/try/" + chat.ID, 403, "agents:read"},
			{"owner", "/try/" + chat.ID + "/site", 200, "ticket-of-" + chat.ID},
			{"owner", "/try/" + chat.ID + "/site?look=busy", 200, `<body class="busy">`},
			{"owner", `/try/` + chat.ID + `/site?look=%22%3E%3Cscript%3E`, 200, `<body class="light">`},
			{"owner", "/try/" + voice.ID + "/site", 404, "voice"},
			{"foreigner", "/try/" + chat.ID + "/site", 404, "Agent not found"},
			{"nobody", "/try/" + chat.ID + "/site", 303, ""},
			{"nobody", "/try", 303, ""},
		} {
			w := h.do("GET", c.path, cookies[c.who], nil)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "<b>") {
				t.Errorf("%s: %s = %d %s, want %d with %q", c.who, c.path, w.Code, w.Body, c.status, c.says)
			}
			if c.status >= 300 && strings.Contains(w.Body.String(), "ticket-of") {
				t.Errorf("%s: %s gives a ticket away", c.who, c.path)
			}
		}
		if w := h.do("GET", "/try/"+chat.ID, cookies["owner"], nil); strings.Contains(w.Body.String(), "lacks the scope") {
			t.Error("a key that may save is told that it may not")
		}
		if w := h.do("POST", "/try", cookies["owner"], nil); w.Code != 405 {
			t.Errorf("POST /try = %d", w.Code)
		}
	})
}

// TestLinkFromAnotherSite: browsers leave a SameSite=Strict cookie out at first, so the page is asked for again.
func TestLinkFromAnotherSite(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	w := h.do("GET", "/try?a=%22", "", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
	if w.Code != 200 || w.Header().Get("Refresh") != "0" || !strings.Contains(w.Body.String(), `href="/try?a=%22"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w = h.do("GET", "/try", "__Host-parley_login=dead", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); w.Code != 303 {
		t.Errorf("with a dead cookie: %d, want no loop", w.Code)
	}
}
