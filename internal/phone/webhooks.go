package phone

import (
	"log/slog"
	"net/http"
	"strings"

	"parley"
	"parley/internal/call"
	"parley/internal/twilio"
)

// voice answers an incoming call: POST /twilio/voice.
func (h *Handler) voice(w http.ResponseWriter, r *http.Request) {
	form := h.form(w, r)
	if form == nil {
		return
	}
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
	switch agent := route.Agent; {
	case agent == nil || agent.Type != parley.AgentVoice:
		log.Info("call refused: no agent answers the number")
		h.notice(w, noticeUnknown, "")
	case !agent.Status.Answers():
		log.Info("call refused: the agent is not active", slog.String("agent_id", agent.ID))
		h.notice(w, noticeInactive, fallbackOf(agent))
	case h.draining.Load() || (h.opt.Refuse != nil && h.opt.Refuse()):
		log.Warn("call refused: this server takes no new calls now")
		h.notice(w, noticeBusy, fallbackOf(agent))
	case !h.admit(form.Get("CallSid"), agent):
		h.notice(w, noticeBusy, fallbackOf(agent))
	default:
		h.answer(w, r, call.Incoming{
			OrgID: route.OrgID, Agent: *agent, CallSID: form.Get("CallSid"), AccountSID: form.Get("AccountSid"),
			From: form.Get("From"), To: form.Get("To"), Direction: direction(form.Get("Direction")),
			Simulated: account.Simulated || form.Get(call.FormTest) == "true", Test: form.Get(call.FormTest) == "true",
		})
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, in call.Incoming) {
	ticket, err := h.opt.Calls.Begin(r.Context(), in)
	switch {
	case parley.IsConflict(err):
		// A late retry of a webhook whose call is already being held, or over: there is nothing to answer.
		h.opt.Capacity.Forget(in.CallSID)
		h.opt.Logger.Warn("webhook repeated for an answered call", slog.String("call_sid", in.CallSID))
		h.twiml(w, twilio.Hangup{})
	case err != nil:
		h.opt.Capacity.Forget(in.CallSID)
		h.opt.Logger.Error("call not recorded", slog.String("call_sid", in.CallSID), slog.Any("error", err))
		h.notice(w, noticeUnavailable, fallbackOf(&in.Agent))
	default:
		h.connect(w, ticket)
	}
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

// callback finds the call of a callback and checks the signature with its organization's token. nil: the
// answer is written.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) (*parley.Call, string) {
	form := h.form(w, r)
	if form == nil {
		return nil, ""
	}
	c, err := h.opt.Calls.BySID(r.Context(), form.Get("CallSid"))
	if parley.IsNotFound(err) || err == nil && c.FromBrowser() {
		// A call that was refused before it got a record, or a stranger's: the dialed number decides.
		route, err := h.opt.Calls.Route(r.Context(), form.Get("To"))
		if err != nil {
			h.fail(w, r, "route callback", err)
		} else if _, ok := h.signed(w, r, route.OrgID, form); ok {
			h.twiml(w, twilio.Hangup{})
		}
		return nil, ""
	}
	if err != nil {
		h.fail(w, r, "find call", err)
		return nil, ""
	}
	if _, ok := h.signed(w, r, c.OrgID, form); !ok {
		return nil, ""
	}
	if form.Get("AccountSid") != c.AccountSID {
		http.Error(w, "The call belongs to another account", http.StatusForbidden)
		return nil, ""
	}
	return &c, form.Get("CallStatus")
}

// resume says what follows a closed media stream: POST /twilio/resume.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request) {
	c, status := h.callback(w, r)
	if c == nil {
		return
	}
	defer h.farewells.said(c.ID)
	if status != "" && status != "in-progress" && status != "ringing" {
		h.twiml(w, twilio.Hangup{})
		return
	}
	next, err := h.opt.Calls.Resume(r.Context(), *c)
	switch {
	case err != nil:
		h.opt.Logger.Error("call not resumed", slog.String("call_id", c.ID), slog.Any("error", err))
		h.notice(w, noticeUnavailable, "")
	case next.Intent == parley.IntentHangup:
		h.twiml(w, twilio.Hangup{})
	case next.Intent == parley.IntentNotice || h.draining.Load():
		h.notice(w, noticeUnavailable, next.FallbackNumber)
	default:
		h.opt.Capacity.Expect(c.CallSID, c.OrgID)
		h.connect(w, next.Ticket)
	}
}

// status books a call's progress: POST /twilio/status.
func (h *Handler) status(w http.ResponseWriter, r *http.Request) {
	c, status := h.callback(w, r)
	if c == nil {
		return
	}
	if call.Final(status) {
		h.opt.Capacity.Forget(c.CallSID)
	}
	if err := h.opt.Calls.Status(r.Context(), *c, status); err != nil {
		h.fail(w, r, "book call status", err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
