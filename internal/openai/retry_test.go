package openai

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryHints(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]time.Duration{
		"Rate limit reached for gpt-realtime on tokens per min (TPM): Limit 40000. Please try again in 1.242s. Visit …": 1242 * time.Millisecond,
		"Please try again in 20ms.":       20 * time.Millisecond,
		"please TRY AGAIN IN 1m2.5s":      62500 * time.Millisecond,
		"Please try again in 3h.":         maxRetryHint,
		"Please try again in a moment.":   0,
		"Please try again later.":         0,
		"try again in 99999999999999999h": 0,
		"":                                0,
	} {
		if got := retryHint(message); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
	for _, c := range []struct {
		h    http.Header
		want time.Duration
	}{
		{http.Header{"Retry-After": {"2"}}, 2 * time.Second},
		{http.Header{"Retry-After": {"0.5"}}, 500 * time.Millisecond},
		{http.Header{"Retry-After-Ms": {"250"}, "Retry-After": {"1"}}, 250 * time.Millisecond},
		{http.Header{"Retry-After": {"1e300"}}, maxRetryHint},
		{http.Header{"Retry-After": {"-1"}}, 0},
		{http.Header{"Retry-After": {"Wed, 21 Oct 2015 07:28:00 GMT"}}, 0},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{}, 0},
	} {
		if got := retryHeader(c.h); got != c.want {
			t.Errorf("%v: %v, want %v", c.h, got, c.want)
		}
	}
	if got := usedUp([]rateLimit{{Remaining: 5, ResetSeconds: 60}, {Remaining: 0, ResetSeconds: 1.5}, {Remaining: 0, ResetSeconds: 0.5}}); got != 1500*time.Millisecond {
		t.Errorf("used up for %v", got)
	}
}
