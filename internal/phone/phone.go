// Package phone is the HTTP of calls: under /twilio the webhooks of a call and the socket of its media stream,
// under /web-call the socket of a browser's. It checks who is asking, lets internal/call decide, and answers
// Twilio in TwiML; a live stream is handed to internal/voice.
//
// Every request of Twilio must be signed by the account of the organization that the dialed number (for callbacks: the
// call's record) belongs to. What a request says about itself is believed only after that.
package phone

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"parley/internal/call"
	"parley/internal/capacity"
	"parley/internal/log"
	"parley/internal/twilio"
	"parley/internal/voice"
)

// Options of a Handler.
type Options struct {
	PublicURL string // origin that Twilio reaches, without a trailing slash: the one signatures are made over
	Calls     *call.Service
	// Host runs the sessions.
	Host *voice.Host
	// Log is followed to show a browser what happens in its call.
	Log *log.Log
	// Refuse says that no new call can be taken now, and why (backlog of the log); nil = never.
	Refuse func() bool
	// Capacity decides whether another call can be taken; nil = always.
	Capacity *capacity.Capacity
	Logger   *slog.Logger
}

// Handler serves /twilio/ and /web-call/. Safe for concurrent use.
type Handler struct {
	opt       Options
	streamURL string // ws or wss form of PublicURL
	draining  atomic.Bool
	streams   gate
	farewells farewells
	stop      context.CancelFunc
	ctx       context.Context // the lifetime of the live calls, ended by Drain
}

// New makes the handler. Drain ends its sessions.
func New(opt Options) *Handler {
	if opt.Capacity == nil {
		opt.Capacity = capacity.New(capacity.Options{Promise: time.Minute})
	}
	h := &Handler{opt: opt, streamURL: "ws" + strings.TrimPrefix(opt.PublicURL, "http")}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// Register adds the routes, one line each.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("POST /twilio/voice", h.voice)
	mux.HandleFunc("POST /twilio/resume", h.resume)
	mux.HandleFunc("POST /twilio/status", h.status)
	mux.HandleFunc("POST /twilio/dialed", h.dialed)
	mux.HandleFunc("POST /twilio/whisper", h.whisper)
	mux.HandleFunc("POST /twilio/leg", h.leg)
	mux.HandleFunc("GET /twilio/stream/{token}", h.stream)
	mux.HandleFunc("GET /web-call/{token}", h.webCall)
}

// StopTaking makes new calls be turned away while live ones go on.
func (h *Handler) StopTaking() { h.draining.Store(true) }

// Live is the number of calls with a running session.
func (h *Handler) Live() int { return h.opt.Host.Live() }

// Drain turns new calls away and returns when the live ones have ended, or when ctx is done: then the rest is
// ended with a spoken notice and waited for. Where another process takes calls, live ones are handed over to it, each
// at the end of a turn.
func (h *Handler) Drain(ctx context.Context) {
	h.draining.Store(true)
	h.opt.Calls.Drain()
	ended := make(chan struct{})
	go func() {
		h.streams.close()
		close(ended)
	}()
	h.handOver(ctx, ended)
	h.stop()
	<-ended
	h.opt.Host.Close()
	h.farewells.wait()
}

// handOver waits until the streams have ended or ctx is done, and looks out for a process that takes the calls.
func (h *Handler) handOver(ctx context.Context, ended <-chan struct{}) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		if h.opt.Calls.Others() {
			h.opt.Host.HandOver()
		}
		select {
		case <-ended:
			return
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// maxForm bounds a webhook's body; Twilio's are a few kilobytes.
const maxForm = 64 << 10

// form reads the parameters of a webhook, nil when they are unusable (the answer is then written).
func (h *Handler) form(w http.ResponseWriter, r *http.Request) url.Values {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "The body must be a URL-encoded form of at most 64 KiB", http.StatusBadRequest)
		return nil
	}
	return r.PostForm
}

// signed reports whether a webhook carries the signature of the organization's account, and names that
// account. Otherwise the answer is written: 403 without a hint which part was wrong.
func (h *Handler) signed(w http.ResponseWriter, r *http.Request, orgID string, form url.Values) (call.Account, bool) {
	account, err := h.opt.Calls.Account(r.Context(), orgID)
	if err != nil {
		h.fail(w, r, "find carrier account", err)
		return account, false
	}
	ok := twilio.Verify(account.Token, h.opt.PublicURL+r.URL.RequestURI(), form, r.Header.Get(twilio.SignatureHeader))
	ok = ok && (account.SID == "" || account.SID == form.Get("AccountSid"))
	if !ok {
		h.opt.Logger.Warn("webhook refused: not signed by the account of the dialed number",
			slog.String("path", r.URL.Path), slog.String("org_id", orgID), slog.String("remote", r.RemoteAddr))
		http.Error(w, "The request's signature is not valid for this number", http.StatusForbidden)
	}
	return account, ok
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, doing string, err error) {
	if r.Context().Err() == nil {
		h.opt.Logger.Error("webhook failed", slog.String("doing", doing), slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	http.Error(w, "Something went wrong on our side", http.StatusInternalServerError)
}
