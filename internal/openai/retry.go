package openai

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"parley/internal/leg"
)

// maxRetryHint bounds what a server may ask us to wait.
const maxRetryHint = 10 * time.Minute

// hint is how OpenAI's messages name a time: "Please try again in 1m2.5s", "… in 20ms".
var hint = regexp.MustCompile(`(?i)try again in ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+)`)

// retryHint reads when asking again may help from an error's message; 0 = it does not say.
func retryHint(message string) time.Duration {
	m := hint.FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	d, err := time.ParseDuration(m[1])
	if err != nil || d < 0 {
		return 0
	}
	return min(d, maxRetryHint)
}

// retryHeader reads the same from an answer's headers.
func retryHeader(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return time.Duration(min(ms/1000, maxRetryHint.Seconds()) * float64(time.Second))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, maxRetryHint.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, time.Until(at)), maxRetryHint)
	}
	return 0
}

// usedUp is how long it takes until all limits allow something again.
func usedUp(limits []rateLimit) (wait time.Duration) {
	for _, l := range limits {
		if l.Remaining <= 0 && l.ResetSeconds > 0 {
			wait = max(wait, time.Duration(min(l.ResetSeconds, maxRetryHint.Seconds())*float64(time.Second)))
		}
	}
	return wait
}

// Retryable reports whether dialing again can help: after a transport failure, a rate limit or a server error,
// but not after a refusal.
func Retryable(err error) bool {
	fail, ok := errors.AsType[*leg.ModelFailure](err)
	if !ok {
		return true
	}
	switch fail.Code {
	case "http_408", "http_425", "http_500", "http_502", "http_503", "http_504", "http_529", "http_429", "rate_limit_exceeded", "server_error", "server_overloaded":
		return true
	}
	return false
}
