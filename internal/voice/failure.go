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
