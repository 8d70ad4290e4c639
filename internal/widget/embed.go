package widget

import (
	"log/slog"
	"net/http"
	"regexp"

	"parley"
	"parley/internal/origin"
	"parley/internal/respond"
	"parley/internal/store"
	"parley/internal/web"
	"parley/web/widget"
)

// embedPolicy lets the page of /embed load its own scripts and speak with this server. Who may frame it is added.
const embedPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"

// languageExpr is what a page may ask for as the language of the chat.
var languageExpr = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}$`)

// Embed answers GET /embed/{agentId}: the chat of an agent alone, for an iframe. Each request reads the agent from the
// database, so a changed list of domains counts at once. Safe for concurrent use.
type Embed struct {
	store   *store.Store
	tickets *Tickets
	logger  *slog.Logger
}

// NewEmbed makes the page.
func NewEmbed(st *store.Store, tickets *Tickets, logger *slog.Logger) *Embed {
	return &Embed{st, tickets, logger}
}

// ServeHTTP answers with the page, or with words in its place: an iframe has nothing else to show.
func (e *Embed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	agent, err := e.agent(r)
	if parley.IsNotFound(err) {
		web.Notice{Title: "No chat here", Text: "This address belongs to no chat. If it is on your site, copy the code of the agent again."}.
			Write(w, http.StatusNotFound, "*")
		return
	}
	if err != nil {
		respond.Log(r.Context(), e.logger, respond.NewProblem(r.Context(), err))
		web.Notice{Title: "The chat is not available", Text: "Reload the page in a moment."}.Write(w, http.StatusInternalServerError, "*")
		return
	}
	ancestors := origin.FrameAncestors(agent.Chat.AllowedDomains)
	if !agent.Status.Answers() {
		web.Notice{Title: "The chat is offline", Text: "Nobody answers here now. Come back later."}.Write(w, http.StatusOK, ancestors)
		return
	}
	language := r.URL.Query().Get("lang")
	if !languageExpr.MatchString(language) {
		language = ""
	}
	h := w.Header()
	h.Set("Content-Security-Policy", embedPolicy+"; frame-ancestors "+ancestors)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // the ticket
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	// Pages that isolate themselves show only frames that say that they do, too.
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(widget.EmbedPage(widget.EmbedPageData{
		AgentID: agent.ID, Ticket: e.tickets.MintEmbed(agent), Title: agent.Chat.Title, Lang: language,
	}))
}

// agent finds the chat agent of the path. Its organization is whoever has it: the page is for everybody.
func (e *Embed) agent(r *http.Request) (store.WidgetAgent, error) {
	id, unknown := r.PathValue("agentId"), parley.Errorf(parley.CodeNotFound, "Agent not found")
	if !parley.IsID(id) {
		return store.WidgetAgent{}, unknown
	}
	agent, err := e.store.FindWidgetAgent(r.Context(), id)
	if err == nil && agent.Type != parley.AgentChat {
		err = unknown
	}
	return agent, err
}
