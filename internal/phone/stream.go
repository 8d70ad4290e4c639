package phone

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"parley"
	"parley/internal/call"
	"parley/internal/twilio"
	"parley/internal/voice"
	"parley/internal/ws"
)

const (
	startTimeout  = 10 * time.Second // from the upgrade to Twilio's start message
	commitTimeout = 5 * time.Second  // of the transactions around a session
)

// stream takes a media stream: GET /twilio/stream/{token}. The token is looked up before the upgrade and used
// up when the start message proves to be of the token's call.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	var c parley.Call
	var ok bool
	voice.Aside(func() { c, ok = h.expected(w, r, token) })
	if !ok {
		return
	}
	h.carry(w, c.ID, func() (hold func()) {
		conn, err := ws.Accept(w, r) // the token is the proof, not the Origin
		if err != nil {
			return nil // Accept has answered
		}
		stream, err := twilio.AcceptStream(conn, startTimeout)
		if err != nil {
			h.opt.Logger.Warn("media stream refused", slog.String("call_id", c.ID), slog.Any("error", err))
			return nil
		}
		return func() {
			defer func() {
				stream.Close()
				stream.Wait()
			}()
			h.hold(token, stream)
		}
	})
}

// carry lets a call's stream through the gate. open upgrades the request and returns what holds the stream until its
// end, nil when there is none.
//
// It is held on a goroutine of its own: the request's ends with the upgrade, and what it has of stack, buffers and
// headers is not kept for the length of a call. A panic is kept from other calls.
func (h *Handler) carry(w http.ResponseWriter, callID string, open func() (hold func())) {
	if !h.streams.enter() {
		http.Error(w, "This server is stopping", http.StatusServiceUnavailable)
		return
	}
	var hold func()
	defer func() {
		if hold == nil {
			h.streams.leave()
		}
	}()
	if hold = open(); hold == nil {
		return
	}
	go func() {
		defer h.streams.leave()
		defer func() {
			if p := recover(); p != nil {
				h.opt.Logger.Error("stream panicked", slog.String("call_id", callID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			}
		}()
		hold()
	}()
}

// expected finds the call that a token belongs to; otherwise it has answered.
func (h *Handler) expected(w http.ResponseWriter, r *http.Request, token string) (parley.Call, bool) {
	c, err := h.opt.Calls.Valid(r.Context(), token)
	if errors.Is(err, call.ErrToken) || err == nil && c.FromBrowser() {
		h.opt.Logger.Warn("media stream refused: token unknown, used or expired", slog.String("remote", r.RemoteAddr))
		http.Error(w, "The stream token is not valid", http.StatusForbidden)
		return c, false
	}
	if err != nil {
		h.fail(w, r, "look up stream token", err)
		return c, false
	}
	sig := r.Header.Get(twilio.SignatureHeader)
	if sig == "" {
		return c, true
	}
	account, err := h.opt.Calls.Account(r.Context(), c.OrgID)
	if err != nil {
		h.fail(w, r, "find carrier account", err)
		return c, false
	}
	if !twilio.Verify(account.Token, h.streamURL+r.URL.RequestURI(), nil, sig) {
		h.opt.Logger.Warn("media stream refused: wrong signature", slog.String("call_id", c.ID))
		http.Error(w, "The request's signature is not valid", http.StatusForbidden)
		return c, false
	}
	return c, true
}

// hold runs the session of an accepted stream from the use of its token to the end of its books.
func (h *Handler) hold(token string, stream *twilio.MediaStream) {
	var a *call.Attachment
	voice.Aside(func() { a = h.attach(token, stream.Start) })
	stream.Listen() // also when refused: the reader completes the closing handshake
	if a == nil {
		return
	}
	a.HadMedia = stream.HadMedia
	if out := h.opt.Host.Hold(h.ctx, stream, a); out.Intent != parley.IntentNone && !a.HungUp() {
		h.farewells.expect(a.Call.ID)
	}
}

// attach uses up the token of a stream; nil when it is not good for it.
func (h *Handler) attach(token string, start twilio.Start) *call.Attachment {
	ctx, cancel := context.WithTimeout(h.ctx, commitTimeout)
	defer cancel()
	a, err := h.opt.Calls.Attach(ctx, token, start.CallSID, start.AccountSID, start.StreamSID)
	if err != nil {
		h.opt.Logger.Warn("media stream refused", slog.String("call_sid", start.CallSID), slog.Any("error", err))
		return nil
	}
	return a
}
