package phone

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"

	"parley"
	"parley/internal/call"
	"parley/internal/twilio"
)

// transfer dials a target. What follows is asked at /twilio/dialed.
func (h *Handler) transfer(w http.ResponseWriter, c *parley.Call, next call.Next) {
	e := next.Errand
	if !parley.IsE164(e.Number) { // a target's number was checked when it was set
		h.opt.Logger.Error("transfer without a number", slog.String("call_id", c.ID))
		h.notice(w, textUnavailable, next.Language, next.FallbackNumber, callerID(c.From, c.To))
		return
	}
	number := twilio.DialNumber{Number: e.Number, StatusCallback: h.legURL("leg", c, ""), StatusCallbackEvent: "answered"}
	if next.WhisperToken != "" {
		number.URL = h.legURL("whisper", c, next.WhisperToken)
	}
	h.twiml(w, twilio.Dial{
		Action: h.opt.PublicURL + "/twilio/dialed" + call.Retries, Timeout: int(parley.TransferRing.Seconds()), CallerID: callerID(c.From, c.To),
		AnswerOnBridge: true, Number: number,
	})
}

// legURL is where the carrier asks and tells about the dialed call. It names the caller's call, because it is not certain
// that every such request carries ParentCallSid.
func (h *Handler) legURL(route string, c *parley.Call, token string) string {
	query := url.Values{"call": {c.CallSID}}
	if token != "" {
		query.Set("token", token)
	}
	return h.opt.PublicURL + "/twilio/" + route + "?" + query.Encode()
}

// callerID is what a dialed phone shows: the caller's own number, which is Twilio's default, or the dialed one when the
// caller has none (a client, an anonymous caller): without any, Twilio dials nobody.
func callerID(from, to string) string {
	if !parley.IsE164(from) && parley.IsE164(to) {
		return to
	}
	return ""
}

// dialed says what follows the end of a transfer: POST /twilio/dialed.
func (h *Handler) dialed(w http.ResponseWriter, r *http.Request) {
	c, form := h.callback(w, r, func(form url.Values) {
		h.unknown(w, r, form, func() { h.twiml(w, twilio.Hangup{}) })
	})
	if c == nil {
		return
	}
	next, err := h.opt.Calls.Dialed(r.Context(), *c, call.Dialed{
		Status: form.Get("DialCallStatus"), Bridged: form.Get("DialBridged"), Over: isOver(form),
	})
	if err != nil {
		h.opt.Logger.Error("end of a transfer not booked", slog.String("call_id", c.ID), slog.Any("error", err))
		h.notice(w, textUnavailable, "", "", "")
		return
	}
	h.follow(w, c, next)
}

// parent finds the caller's call of a request about a dialed one, and checks the signature with its organization's token.
// nil: the answer is written.
func (h *Handler) parent(w http.ResponseWriter, r *http.Request) *parley.Call {
	form := h.form(w, r)
	if form == nil {
		return nil
	}
	sid := r.URL.Query().Get("call")
	c, err := h.opt.Calls.BySID(r.Context(), sid)
	if err != nil && !parley.IsNotFound(err) {
		h.fail(w, r, "find call", err)
		return nil
	}
	if err != nil || sid == "" {
		http.Error(w, "The request belongs to no call", http.StatusForbidden)
		return nil
	}
	if _, ok := h.signed(w, r, c.OrgID, form); !ok {
		return nil
	}
	if form.Get("AccountSid") != c.AccountSID || cmp.Or(form.Get("ParentCallSid"), sid) != sid {
		http.Error(w, "The request belongs to another call", http.StatusForbidden)
		return nil
	}
	return &c
}

// whisper says what a target hears before it is connected: POST /twilio/whisper. A key that the target was asked for comes
// here as well.
func (h *Handler) whisper(w http.ResponseWriter, r *http.Request) {
	c := h.parent(w, r)
	if c == nil {
		return
	}
	pressed, asked := r.PostForm.Get("Digits"), r.PostForm.Has("Digits")
	e, language, err := h.opt.Calls.Whisper(r.Context(), *c, r.URL.Query().Get("token"), r.PostForm.Get("CallSid"), pressed == "1")
	switch {
	case parley.ErrorCode(err) == parley.CodeForbidden:
		h.opt.Logger.Warn("summary of a transfer refused", slog.String("call_id", c.ID))
		h.twiml(w, twilio.Hangup{})
	case err != nil:
		h.fail(w, r, "tell the summary", err)
	case asked && e.Stage == parley.ErrandAccepted:
		h.twiml(w) // nothing more: they are connected
	case asked:
		h.twiml(w, twilio.Hangup{})
	case e.Mode == parley.TransferScreened:
		key := func(summary string) twilio.Gather {
			return twilio.Gather{
				Input: "dtmf", NumDigits: 1, Timeout: int(parley.ScreenWait.Seconds()), Action: h.opt.PublicURL + r.URL.RequestURI(),
				Say: sayAfter(summary, textAccept, language),
			}
		}
		h.twiml(w, key(e.Summary), key(""), twilio.Hangup{})
	default:
		h.twiml(w, twilio.Say{Language: localeOf(language), Text: e.Summary})
	}
}

// leg books the progress of a dialed call: POST /twilio/leg.
func (h *Handler) leg(w http.ResponseWriter, r *http.Request) {
	c := h.parent(w, r)
	if c == nil {
		return
	}
	if r.PostForm.Get("CallStatus") == "in-progress" {
		if err := h.opt.Calls.Answered(r.Context(), *c); err != nil {
			h.fail(w, r, "book the target's answer", err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
