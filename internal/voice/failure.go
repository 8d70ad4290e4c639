package voice

import (
	"time"

	"parley/internal/leg"
)

// responseFailed asks for a failed response again: after a rate limit's time, else once at once and then in another
// session. What the agent would have said of its own accord is left unsaid.
func (s *Session) responseFailed(responseID string, fail *leg.ModelFailure, now time.Time) {
	o := &s.outage
	if responseID != "" && s.spoke == responseID {
		s.seq.asked = s.goingOn(s.seq.asked)
	}
	s.failed++
	if s.failed == 1 {
		o.failing = now
	}
	wait := retryDelay
	limited := rateLimited(fail)
	if limited {
		wait = max(backoff[min(s.failed+1, len(backoff)-1)], fail.RetryAfter, o.limited.Sub(now))
	}
	switch {
	case fatal(fail):
		s.modelGone("response_failed", failureText(fail))
	case optional(s.seq.asked.Purpose):
		s.failed = 0
		s.fault("model", "response_failed", failureText(fail))
	case now.Add(wait).Sub(o.failing) > s.cfg.Patience:
		s.modelGone("response_failed", failureText(fail))
	case !limited && s.failed > 1:
		s.seq.again()
		s.lose("response_failed", failureText(fail), 0)
	default:
		s.fault("model", "response_failed", failureText(fail))
		s.retryAt = now.Add(wait)
	}
}

// excuse is asked for in place of an answer that the provider withheld.
const excuse = `Your answer could not be given. Tell the caller in one short sentence, in the language of the conversation, that you cannot say more about that, and ask what else you can do for them.`

// responseCut: the provider ended a response by its filter or its length. A caller who has heard nothing, or has heard the
// agent fall silent within a sentence, hears an excuse; when that is cut as well, the response has failed.
func (s *Session) responseCut(ev leg.ModelEvent, now time.Time) {
	filtered := ev.Err != nil && ev.Err.Code == "content_filter"
	answered := s.spoke == ev.ResponseID || s.tools.response == ev.ResponseID
	sorry := leg.Ask{Instructions: s.instruct(excuse), NoTools: true}
	switch asked := s.seq.asked; {
	case asked == sorry && !answered:
		s.responseFailed(ev.ResponseID, ev.Err, now)
		return
	case asked != sorry && !optional(asked.Purpose) && (filtered || !answered):
		s.seq.want(sorry)
	}
	s.fault("model", "incomplete", failureText(ev.Err))
}

// rateLimited reports whether a failure passes with time, in any session.
func rateLimited(fail *leg.ModelFailure) bool {
	if fail == nil {
		return false
	}
	switch fail.Code {
	case "rate_limit_exceeded", "inference_rate_limit_exceeded", "tokens", "requests", "http_429":
		return true
	}
	return fail.Type == "rate_limit_error"
}
