package phone

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"parley"
	"parley/internal/call"
	"parley/internal/twilio"
)

// voice answers an incoming call: POST /twilio/voice.
func (h *Handler) voice(w http.ResponseWriter, r *http.Request) {
	if form := h.form(w, r); form != nil {
		h.incoming(w, r, form)
	}
}

// incoming answers a call that has no stream yet.
func (h *Handler) incoming(w http.ResponseWriter, r *http.Request, form url.Values) {
	route, err := h.opt.Calls.Route(r.Context(), form.Get("To"))
	if err != nil {
		h.fail(w, r, "route call", err)
		return
	}
	account, ok := h.signed(w, r, route.OrgID, form)
	if !ok {
		return
	}
	if form.Get("CallSid") == "" || form.Get("AccountSid") == "" {
		http.Error(w, "CallSid and AccountSid are required", http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(form.Get("CallSid"), parley.BrowserSIDPrefix) {
		http.Error(w, "This CallSid is not Twilio's", http.StatusBadRequest)
		return
	}
	if id := form.Get(call.FormTestCall); id != "" {
		if err := h.opt.Calls.UseTestCall(r.Context(), route.OrgID, id, form.Get("CallSid")); err != nil {
			if parley.ErrorCode(err) == parley.CodeForbidden {
				http.Error(w, err.Error(), http.StatusForbidden)
			} else {
				h.fail(w, r, "use test call", err)
			}
			return
		}
	}
	log := h.opt.Logger.With(slog.String("call_sid", form.Get("CallSid")), slog.String("org_id", route.OrgID))
	refuse := func(t text) {
		h.notice(w, t, languageOf(route.Agent), fallbackOf(route.Agent), callerID(form.Get("From"), form.Get("To")))
	}
	switch agent := route.Agent; {
	case agent == nil || agent.Type != parley.AgentVoice:
		log.Info("call refused: no agent answers the number")
		h.notice(w, textUnknown, "", "", "")
	case !agent.Status.Answers():
		log.Info("call refused: the agent is not active", slog.String("agent_id", agent.ID))
		refuse(textInactive)
	case h.draining.Load() || (h.opt.Refuse != nil && h.opt.Refuse()):
		log.Warn("call refused: this server takes no new calls now")
		refuse(textBusy)
	case !h.admit(form.Get("CallSid"), agent.OrgID, agent.ID) && !h.goesOn(r.Context(), route.OrgID, form):
		refuse(textBusy)
	default:
		h.answer(w, r, form, call.Incoming{
			OrgID: route.OrgID, Agent: *agent, CallSID: form.Get("CallSid"), AccountSID: form.Get("AccountSid"),
			From: form.Get("From"), To: form.Get("To"), Direction: direction(form.Get("Direction")),
			Simulated: account.Simulated || form.Get(call.FormTest) == "true", Test: form.Get(call.FormTest) == "true",
		})
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, form url.Values, in call.Incoming) {
	ticket, err := h.opt.Calls.Begin(r.Context(), in)
	switch {
	case parley.IsConflict(err):
		h.opt.Capacity.Forget(in.CallSID)
		h.known(w, r, form, in)
	case err != nil:
		h.opt.Capacity.Forget(in.CallSID)
		h.opt.Logger.Error("call not recorded", slog.String("call_sid", in.CallSID), slog.Any("error", err))
		h.notice(w, textUnavailable, languageOf(&in.Agent), fallbackOf(&in.Agent), callerID(in.From, in.To))
	default:
		h.connect(w, ticket, languageOf(&in.Agent), recordingNotice(in.Agent)...)
	}
}

// known answers the first webhook of a call that had its stream: a late retry, to whose answer the carrier does not
// listen, or a call that was sent back to the beginning and goes on.
func (h *Handler) known(w http.ResponseWriter, r *http.Request, form url.Values, in call.Incoming) {
	c, err := h.opt.Calls.BySID(r.Context(), in.CallSID)
	if err == nil && c.OrgID == in.OrgID && c.AccountSID == in.AccountSID && form.Get("CallStatus") == "in-progress" {
		h.goOn(w, r, c)
		return
	}
	h.opt.Logger.Warn("webhook repeated for an answered call", slog.String("call_sid", in.CallSID))
	h.twiml(w, twilio.Hangup{})
}

// recordingNotice is what a caller hears before a recording begins, where the agent wants one. The carrier says it, so
// that it is heard to its end before any sound is kept.
func recordingNotice(agent parley.Agent) []twilio.Verb {
	if v := agent.Voice; v != nil && v.Recording && v.RecordingNotice != "" {
		return []twilio.Verb{twilio.Say{Language: localeOf(languageOf(&agent)), Text: v.RecordingNotice}}
	}
	return nil
}

func languageOf(agent *parley.Agent) string {
	if agent.Voice == nil || agent.Voice.Language == nil {
		return ""
	}
	return *agent.Voice.Language
}

func fallbackOf(agent *parley.Agent) string {
	if agent.Voice == nil || agent.Voice.FallbackNumber == nil {
		return ""
	}
	return *agent.Voice.FallbackNumber
}

func direction(twilioDirection string) string {
	if twilioDirection == "" || twilioDirection == "inbound" {
		return "inbound"
	}
	return "outbound"
}

// callback finds the call of a callback and checks the signature with its organization's token. nil: the answer is
// written, by unknown when no such call is on record.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, unknown func(url.Values)) (*parley.Call, url.Values) {
	form := h.form(w, r)
	if form == nil {
		return nil, nil
	}
	c, err := h.opt.Calls.BySID(r.Context(), form.Get("CallSid"))
	if err == nil && c.FromBrowser() { // no carrier knows it
		h.unknown(w, r, form, func() { h.twiml(w, twilio.Hangup{}) })
		return nil, nil
	}
	if parley.IsNotFound(err) {
		unknown(form)
		return nil, nil
	}
	if err != nil {
		h.fail(w, r, "find call", err)
		return nil, nil
	}
	if _, ok := h.signed(w, r, c.OrgID, form); !ok {
		return nil, nil
	}
	if form.Get("AccountSid") != c.AccountSID {
		http.Error(w, "The call belongs to another account", http.StatusForbidden)
		return nil, nil
	}
	return &c, form
}

// resume says what follows a closed media stream: POST /twilio/resume. It is also the fallback URL of numbers: then it
// may come instead of the first webhook, or race with a request for the same call.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request) {
	c, form := h.callback(w, r, func(form url.Values) {
		if isOver(form) {
			h.unknown(w, r, form, func() { h.twiml(w, twilio.Hangup{}) })
			return
		}
		h.incoming(w, r, form) // the first webhook was never answered
	})
	if c == nil {
		return
	}
	if code := form.Get("ErrorCode"); code != "" {
		h.opt.Logger.Warn("the carrier fell back", slog.String("call_id", c.ID), slog.String("error_code", code), slog.String("error_path", pathOf(form.Get("ErrorUrl"))))
	}
	if isOver(form) {
		h.twiml(w, twilio.Hangup{})
		return
	}
	h.goOn(w, r, *c)
}

// pathOf is an address without its query, which may hold a token.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

// goOn answers a call that lives and has no stream.
func (h *Handler) goOn(w http.ResponseWriter, r *http.Request, c parley.Call) {
	if hops := hopsOf(r); h.draining.Load() && (c.Intent == parley.IntentNone || c.Intent == parley.IntentKeys) && hops < maxHops && h.opt.Calls.Others() {
		h.elsewhere(w, hops)
		return
	}
	next, err := h.next(r, c)
	switch {
	case err != nil:
		h.opt.Logger.Error("call not resumed", slog.String("call_id", c.ID), slog.Any("error", err))
		h.notice(w, textUnavailable, "", "", "")
	default:
		h.follow(w, &c, next)
		if next.Ticket != (call.Ticket{}) {
			h.opt.Capacity.Expect(c.CallSID, c.OrgID)
			return
		}
	}
	h.farewells.said(c.ID)
}

// next decides about it. The address that we send a call to says so.
func (h *Handler) next(r *http.Request, c parley.Call) (call.Next, error) {
	if epoch, err := strconv.ParseInt(r.URL.Query().Get(call.EpochParameter), 10, 64); err == nil {
		return h.opt.Calls.Recalled(r.Context(), c, epoch)
	}
	return h.opt.Calls.Resume(r.Context(), c)
}

// follow tells the carrier what is next.
func (h *Handler) follow(w http.ResponseWriter, c *parley.Call, next call.Next) {
	switch {
	case next.Intent == parley.IntentHangup:
		h.twiml(w, twilio.Hangup{})
	case next.Intent == parley.IntentTransfer:
		h.transfer(w, c, next)
	case next.Intent == parley.IntentNotice || h.streams.isShut():
		h.notice(w, textUnavailable, next.Language, next.FallbackNumber, callerID(c.From, c.To))
	case next.Intent == parley.IntentKeys:
		h.opt.Capacity.Expect(c.CallSID, c.OrgID)
		h.connect(w, next.Ticket, next.Language, twilio.Play{Digits: next.Errand.Digits})
	default:
		h.opt.Capacity.Expect(c.CallSID, c.OrgID)
		h.connect(w, next.Ticket, next.Language)
	}
}

// isOver reports whether a callback says that its call has ended.
func isOver(form url.Values) bool { return call.Final(form.Get("CallStatus")) }

// unknown answers a callback about a call that is not on record: it was refused before it got one, or it is a
// stranger's. The dialed number decides who must have signed.
func (h *Handler) unknown(w http.ResponseWriter, r *http.Request, form url.Values, answer func()) {
	route, err := h.opt.Calls.Route(r.Context(), form.Get("To"))
	if err != nil {
		h.fail(w, r, "route callback", err)
	} else if _, ok := h.signed(w, r, route.OrgID, form); ok {
		answer()
	}
}

// status books a call's progress: POST /twilio/status.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	c, form := h.callback(w, r, func(form url.Values) {
		h.unknown(w, r, form, func() { w.WriteHeader(http.StatusNoContent) })
	})
	if c == nil {
		return
	}
	if isOver(form) {
		h.opt.Capacity.Forget(c.CallSID)
	}
	if err := h.opt.Calls.Status(r.Context(), *c, form.Get("CallStatus")); err != nil {
		h.fail(w, r, "book call status", err)
		return
	}
	if isOver(form) {
		h.farewells.said(c.ID)
	}
	w.WriteHeader(http.StatusNoContent)
}
