package phone

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"parley"
	"parley/internal/call"
	"parley/internal/twilio"
)

// restartPause is how long the carrier waits, after the spoken "one moment", before it asks what follows a lost stream: a
// server that was restarted is back by then.
const restartPause = 2 // seconds

func (h *Handler) twiml(w http.ResponseWriter, verbs ...twilio.Verb) {
	if err := twilio.WriteTwiML(w, verbs...); err != nil {
		h.opt.Logger.Warn("TwiML not delivered", slog.Any("error", err))
	}
}

// connect answers with a media stream. The verbs after it take over when the stream is lost: they keep the caller
// company while a server comes up, and ask it what follows. A call that we end on purpose must not go through them: the
// carrier is asked to hang up. Where it cannot be asked, as with a simulated phone that is not behind a REST API, they
// only ask.
//
// The verbs in before come first.
func (h *Handler) connect(w http.ResponseWriter, t call.Ticket, language string, before ...twilio.Verb) {
	verbs := append(before, twilio.Connect{Stream: twilio.Stream{
		URL:        h.streamURL + "/twilio/stream/" + t.Token,
		Parameters: []twilio.Parameter{{Name: "conversationId", Value: t.ConversationID}},
	}})
	if t.Asked {
		verbs = append(verbs, say(textMoment, language), twilio.Pause{Seconds: restartPause})
	}
	h.twiml(w, append(verbs, twilio.Redirect{Method: http.MethodPost, URL: h.opt.Calls.ResumeURL()})...)
}

// notice answers with words and what follows them. caller is the number that a fallback number's phone shows, "" = the
// caller's own.
func (h *Handler) notice(w http.ResponseWriter, t text, language, fallbackNumber, caller string) {
	if parley.IsE164(fallbackNumber) && !h.circles(fallbackNumber) {
		h.twiml(w, say(t, language), twilio.Dial{CallerID: caller, Number: twilio.DialNumber{Number: fallbackNumber}})
		return
	}
	h.twiml(w, say(t, language), twilio.Hangup{})
}

// lookTime bounds the look-ups of a notice, whose caller waits.
const lookTime = 2 * time.Second

// circles reports whether a fallback number would send the caller round in circles. When that cannot be found out it is
// dialed: most lead elsewhere.
func (h *Handler) circles(number string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	circles, err := h.opt.Calls.Circles(ctx, number)
	switch {
	case err != nil:
		h.opt.Logger.Warn("where a fallback number leads is not known", slog.Any("error", err))
	case circles:
		h.opt.Logger.Warn("fallback number not dialed: it leads back to this server's agents in circles; give one of a person")
	}
	return circles
}

// elsewhere sends the carrier round once more: this process is stopping, and the load balancer will soon send such
// requests to another one.
func (h *Handler) elsewhere(w http.ResponseWriter, hops int) {
	address := h.opt.PublicURL + "/twilio/resume?" + hopsParameter + "=" + strconv.Itoa(hops+1) + call.Retries
	h.twiml(w, twilio.Pause{Seconds: 1}, twilio.Redirect{Method: http.MethodPost, URL: address})
}

// hops of a call that is being sent elsewhere. After maxHops this process takes it again, for the time it has left.
const (
	hopsParameter = "hops"
	maxHops       = 5
)

func hopsOf(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get(hopsParameter))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
