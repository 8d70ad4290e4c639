package widget_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/widget"
)

func TestEmbedPage(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
		if err != nil {
			t.Fatal(err)
		}
		tickets := widget.NewTickets(ring)
		mux := http.NewServeMux()
		mux.Handle("GET /embed/{agentId}", widget.NewEmbed(st, tickets, slog.New(slog.DiscardHandler)))
		get := func(path string) *httptest.ResponseRecorder {
			t.Helper()
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/embed/"+path, nil))
			h, csp := w.Header(), w.Header().Get("Content-Security-Policy")
			if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") || strings.Count(csp, "frame-ancestors") != 1 ||
				h.Get("X-Frame-Options") != "" || h.Get("Set-Cookie") != "" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") == "" {
				t.Errorf("%s has the headers %v", path, h)
			}
			return w
		}
		ancestors := func(w *httptest.ResponseRecorder) string {
			_, a, _ := strings.Cut(w.Header().Get("Content-Security-Policy"), "frame-ancestors ")
			a, _, _ = strings.Cut(a, ";")
			return a
		}
		org := storetest.Organization(t, st)
		agent, voice := storetest.Agent(t, st, org.ID, parley.AgentChat), storetest.Agent(t, st, org.ID, parley.AgentVoice)
		change := func(edit func(*parley.Agent)) {
			t.Helper()
			g, err := st.FindAgent(t.Context(), org.ID, agent.ID)
			if err != nil {
				t.Fatal(err)
			}
			edit(&g)
			storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateAgent(ctx, org.ID, g) })
		}
		change(func(g *parley.Agent) { g.Chat.AllowedDomains, g.Chat.Title = nil, `"><script>alert(1)</script>` })

		w := get(agent.ID)
		m := regexp.MustCompile(`data-ticket="([^"]+)"`).FindStringSubmatch(w.Body.String())
		if w.Code != 200 || m == nil || strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), `data-agent="`+agent.ID+`"`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if ticket, ok := tickets.Check(m[1]); !ok || ticket.AgentID != agent.ID || ticket.Purpose != widget.PurposeEmbed {
			t.Errorf("ticket %+v, %v", ticket, ok)
		}
		if got := ancestors(w); got != "*" {
			t.Errorf("with no list: frame-ancestors %s", got)
		}
		change(func(g *parley.Agent) { g.Chat.AllowedDomains = []string{"*.example.com", "localhost:3000"} })
		if got := ancestors(get(agent.ID)); got != "'self' https://*.example.com http://localhost:3000 https://localhost:3000" {
			t.Errorf("right after the list was set: frame-ancestors %s", got)
		}
		if w := get(agent.ID + "?lang=pt-BR"); !strings.Contains(w.Body.String(), `<html lang="pt-BR">`) {
			t.Errorf("with a language: %s", w.Body)
		}
		if w := get(agent.ID + `?lang=%22%3E%3Cscript%3E`); !strings.Contains(w.Body.String(), "<html>") || strings.Contains(w.Body.String(), "data-lang") {
			t.Errorf("with no language: %s", w.Body)
		}
		change(func(g *parley.Agent) { g.Status = parley.AgentInactive })
		if w := get(agent.ID); w.Code != 200 || !strings.Contains(w.Body.String(), "offline") || strings.Contains(w.Body.String(), "ticket") || !strings.HasPrefix(ancestors(w), "'self' ") {
			t.Errorf("inactive: %d %s", w.Code, w.Body)
		}
		for name, id := range map[string]string{"voice": voice.ID, "unknown": parley.NewID(), "no id": "x"} {
			if w := get(id); w.Code != 404 || !strings.Contains(w.Body.String(), "No chat here") || strings.Contains(w.Body.String(), "ticket") {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.DeleteAgent(ctx, org.ID, agent.ID, storetest.Now())
		})
		if w := get(agent.ID); w.Code != 404 {
			t.Errorf("deleted: %d", w.Code)
		}
	})
}
