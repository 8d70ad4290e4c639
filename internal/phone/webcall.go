package phone

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"parley"
	"parley/internal/browser"
	"parley/internal/call"
	"parley/internal/ws"
)

// lastWords is how long a browser's stream waits for the end of its call to show up on record.
const lastWords = 2 * time.Second

// webCall takes the stream of a browser call: GET /web-call/{token}. The token is the proof, and the Origin only
// when the token is bound to one: any site's own server may fetch tokens for its pages.
func (h *Handler) webCall(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	c, proof, err := h.opt.Calls.ValidBrowser(r.Context(), r.PathValue("token"), origin)
	if errors.Is(err, call.ErrToken) {
		h.opt.Logger.Warn("web call refused: token unknown, used, expired or of another origin", slog.String("remote", r.RemoteAddr))
		http.Error(w, "The token is not valid here", http.StatusForbidden)
		return
	}
	if err != nil {
		h.fail(w, r, "look up web call token", err)
		return
	}
	if !speaks(r, browser.Subprotocol) {
		http.Error(w, "This server speaks "+browser.Subprotocol, http.StatusBadRequest)
		return
	}
	h.carry(w, c.ID, func() (hold func()) {
		conn, err := ws.Accept(w, r, browser.Subprotocol) // the token is bound to the Origin
		if err != nil {
			return nil // Accept has answered
		}
		stream := browser.Accept(conn)
		return func() {
			defer stream.Wait()
			h.holdBrowser(c, proof, origin, stream)
		}
	})
}

// speaks reports whether a client takes the subprotocol: it names it, or none at all.
func speaks(r *http.Request, protocol string) bool {
	asked := r.Header.Values("Sec-Websocket-Protocol")
	if len(asked) == 0 {
		return true
	}
	return slices.ContainsFunc(strings.Split(strings.Join(asked, ","), ","), func(name string) bool {
		return strings.EqualFold(strings.TrimSpace(name), protocol)
	})
}

// holdBrowser runs the session of a page's stream from the use of its token to the end of its books. What a page
// must know it is told over the socket: it cannot see a status of HTTP.
func (h *Handler) holdBrowser(c parley.Call, proof, origin string, stream *browser.Stream) {
	switch begins := c.StreamSID == ""; {
	case begins && !h.takesWebCall(c):
		stream.End(parley.EndOverload)
		return
	case h.draining.Load():
		stream.Leave() // the token is still good on another node, or here in a moment
		return
	}
	ctx, cancel := context.WithTimeout(h.ctx, commitTimeout)
	a, resume, err := h.opt.Calls.AttachBrowser(ctx, c, proof, origin, stream.ID)
	cancel()
	if a == nil {
		h.opt.Capacity.Forget(c.CallSID)
		h.opt.Logger.Warn("web call refused", slog.String("call_id", c.ID), slog.Any("error", err))
		stream.End(parley.EndCarrierLost)
		return
	}
	if err != nil {
		h.opt.Logger.Warn("web call cannot be resumed by its page", slog.String("call_id", c.ID), slog.Any("error", err))
	}
	stream.Listen(browser.Welcome{
		ConversationID: a.Call.ID, Resumed: a.Call.Resumes > 0, Test: a.Call.Test,
		ResumeToken: resume, ResumeSeconds: int(call.BrowserAway / time.Second),
	})
	follow, stop := context.WithCancel(context.Background())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		h.opt.Log.Follow(follow, a.Call.OrgID, a.Call.ID, 0, stream.Tell)
	}()
	switch out := h.opt.Host.Hold(h.ctx, stream, a); {
	case out.Detached:
		stream.Leave()
	case out.Fenced:
		stream.End(browser.Replaced)
	default:
		awaitEnd(stream)
		stream.End(out.Reason)
	}
	stop()
	<-followed
}

// takesWebCall reports whether a new browser call can be taken now, and keeps its slot.
func (h *Handler) takesWebCall(c parley.Call) bool {
	if h.draining.Load() || h.opt.Refuse != nil && h.opt.Refuse() {
		h.opt.Logger.Warn("web call refused: this server takes no new calls now", slog.String("call_id", c.ID))
		return false
	}
	return h.admit(c.CallSID, c.OrgID, c.AgentID)
}

// awaitEnd gives the last words of the record their time to be shown before the end is.
func awaitEnd(stream *browser.Stream) {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-stream.Ended():
	case <-timer.C:
	}
}
