// Package dashboard serves the pages for people of an organization: the login, and the pages to try its agents. Who
// asks is said by the login's cookie; what they may see, by the organization in every store method.
//
// It renders no markup of its own (web does), and changes nothing but logins: pages change the rest through the API.
package dashboard

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"parley"
	"parley/internal/auth"
	"parley/internal/limit"
	"parley/internal/respond"
	"parley/internal/store"
	"parley/internal/web"
)

// Options are what the pages need. All must be set.
type Options struct {
	Store    *store.Store
	Auth     *auth.Authenticator
	Logins   *auth.Logins
	Failures *limit.Failures // of authentication, per client address: the API's
	Logger   *slog.Logger
	// Ticket makes a proof that a page of this server shows an agent to somebody who is logged in.
	Ticket    func(agentID string) string
	Simulated bool // no language model is connected
}

// Handler answers the pages. Safe for concurrent use.
type Handler struct{ opt Options }

// New makes the pages.
func New(opt Options) *Handler { return &Handler{opt} }

// Register puts the pages' routes into a mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", h.loginForm)
	mux.HandleFunc("POST /login", h.logIn)
	mux.HandleFunc("POST /logout", h.logOut)
	mux.HandleFunc("GET /try", h.page(h.list))
	mux.HandleFunc("GET /try/{agentId}", h.page(h.try))
	mux.HandleFunc("GET /try/{agentId}/site", h.page(h.site))
}

// page serves only people who are logged in and may read agents; others are sent to log in and come back.
func (h *Handler) page(serve func(w http.ResponseWriter, r *http.Request, who parley.Principal) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := h.opt.Logins.Authenticate(r.Context(), r)
		if parley.ErrorCode(err) == parley.CodeUnauthorized {
			h.askToLogIn(w, r)
			return
		}
		if err == nil {
			err = auth.Allow(who, parley.ScopeAgentsRead)
		}
		if err == nil {
			err = serve(w, r, who)
		}
		if err != nil {
			h.fail(w, r, err)
		}
	}
}

// askToLogIn sends the browser to the login. Browsers leave the cookie out when a link on another site is followed: then
// the page is asked for once more, by itself.
func (h *Handler) askToLogIn(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && !h.opt.Logins.Presented(r) {
		w.Header().Set("Refresh", "0")
		web.Problem{Title: "One moment", Text: "The page opens by itself.", Link: r.URL.RequestURI(), Action: "Open it now"}.Write(w, http.StatusOK)
		return
	}
	redirect(w, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
}

// redirect tells the browser to get a path of this server.
func redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}

// fail answers with a page that says what went wrong, as the API would.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := respond.NewProblem(r.Context(), err)
	respond.Log(r.Context(), h.opt.Logger, p)
	title := map[int]string{http.StatusForbidden: "Not allowed", http.StatusNotFound: "Not found"}[p.Detail.Code]
	if title == "" {
		title = "This did not work"
	}
	web.Problem{Title: title, Text: sentence(p.Detail.Message), Link: "/try", Action: "All agents"}.Write(w, p.Detail.Code)
}

// sentence gives a message its final stop.
func sentence(s string) string { return strings.TrimSuffix(s, ".") + "." }

// agent finds the agent of the path.
func (h *Handler) agent(r *http.Request, orgID string) (parley.Agent, error) {
	id := r.PathValue("agentId")
	if !parley.IsID(id) {
		return parley.Agent{}, parley.Errorf(parley.CodeNotFound, "Agent not found")
	}
	return h.opt.Store.FindAgent(r.Context(), orgID, id)
}
