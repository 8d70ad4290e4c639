package widget

import (
	"log/slog"
	"net/http"
	"time"

	"parley/internal/chat"
	"parley/internal/limit"
	"parley/internal/origin"
	"parley/internal/respond"
	"parley/internal/secret"
	"parley/internal/store"
)

// Bounds of what visitors send.
const (
	MaxMessage      = 8_000     // code points of a message
	maxBody         = 128 << 10 // a message whose characters are all escaped fits
	maxClientID     = 100
	maxTicket       = 1_000
	maxJWT          = 8_000
	requestPatience = 15 * time.Second // with the database, for one request
)

// Options of a Handler. Store, Chat, Ring and PublicURL are required.
type Options struct {
	Store     *store.Store
	Chat      *chat.Service
	Ring      *secret.Ring
	Tickets   *Tickets // nil: made from the ring
	PublicURL string   // this server's own origin
	Budgets   Budgets
	Counts    *Counts // nil: counted for nobody
	Logger    *slog.Logger
	Now       func() time.Time // nil: time.Now
}

// Handler serves the widget of websites. It is safe for concurrent use and starts no goroutine but one for each answer
// that is being written, which ends with it.
type Handler struct {
	opt     Options
	own     origin.Origin // of this server; zero when its address is none
	now     func() time.Time
	key     []byte // hides addresses in counts
	minutes *limit.Limiter
	busy    *occupancy
	swept   sweep
	packed  packed
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Tickets == nil {
		o.Tickets = NewTickets(o.Ring)
	}
	if o.Counts == nil {
		o.Counts = NewCounts()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Handler{opt: o, now: o.Now, key: o.Ring.Derive("widget-address"), minutes: limit.New(limit.Options{Now: o.Now}), busy: newOccupancy()}
	h.own, _ = origin.Parse(o.PublicURL)
	return h
}

// Register mounts the routes.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /widget.js", h.launcher)
	mux.HandleFunc("GET /widget/assets/{name}", h.asset)

	// Each path has one method, and answers preflights. What is wrong with any other request a page may read, too.
	route := func(method, path string, handle func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(method+" "+path, h.answer(handle))
		mux.HandleFunc("OPTIONS "+path, h.preflight)
		mux.HandleFunc(path, h.answer(wrongMethod(method)))
	}
	route("POST", "/widget/v1/sessions", h.openSession)
	route("POST", "/widget/v1/messages", h.admitted(h.postMessage))
	route("GET", "/widget/v1/runs/{runId}/events", h.admitted(h.follow))
	route("POST", "/widget/v1/runs/{runId}/stop", h.admitted(h.stop))
	route("POST", "/widget/v1/runs/{runId}/retry", h.admitted(h.retry))
	route("POST", "/widget/v1/runs/{runId}/tools/{requestId}", h.admitted(h.answerTool))
	route("POST", "/widget/v1/runs/{runId}/tools/{requestId}/claim", h.admitted(h.claimTool))
	route("POST", "/widget/v1/feedback", h.admitted(h.feedback))
	route("DELETE", "/widget/v1/conversation", h.admitted(h.endConversation))
	mux.HandleFunc("/widget/v1/", h.answer(unknownPath))
}

// answer turns the error of a route into the envelope, and counts it.
func (h *Handler) answer(handle func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		err := handle(w, r)
		if err == nil {
			return
		}
		h.opt.Counts.Refusals.Add(1, reasonOf(err))
		respond.Error(w, r, h.opt.Logger, err)
	}
}

// success is the envelope of every good answer.
type success struct {
	Success bool   `json:"success"`
	Data    any    `json:"data"`
	Message string `json:"message,omitempty"`
}

func succeed(w http.ResponseWriter, status int, data any) error {
	respond.JSON(w, status, success{Success: true, Data: data})
	return nil
}
