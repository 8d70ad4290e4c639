package limit

import (
	"maps"
	"net/http"
	"strconv"
	"testing"
	"time"
)

func retryAfterHeader(t testing.TB, d Decision) int {
	t.Helper()
	h := http.Header{}
	d.SetHeaders(h)
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    Decision
		want map[string]string
	}{
		{Decision{Allowed: true, Limit: 600, Remaining: 599, Reset: 100 * time.Millisecond}, map[string]string{
			"RateLimit-Policy": `"default";q=600;w=60`, "RateLimit": `"default";r=599;t=1`,
			"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "599", "X-RateLimit-Reset": "1",
		}},
		{Decision{Allowed: true, Limit: 60_000_000, Remaining: 59_999_999}, map[string]string{
			"RateLimit-Policy": `"default";q=60000000;w=60`, "RateLimit": `"default";r=59999999;t=0`,
			"X-RateLimit-Limit": "60000000", "X-RateLimit-Remaining": "59999999", "X-RateLimit-Reset": "0",
		}},
		{Decision{Limit: 1, Reset: time.Minute, RetryAfter: 59*time.Second + 1}, map[string]string{
			"RateLimit-Policy": `"default";q=1;w=60`, "RateLimit": `"default";r=0;t=60`,
			"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60", "Retry-After": "60",
		}},
		{Decision{Limit: 600}, map[string]string{
			"RateLimit-Policy": `"default";q=600;w=60`, "RateLimit": `"default";r=0;t=0`,
			"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0", "Retry-After": "1",
		}},
	} {
		h := http.Header{}
		c.d.SetHeaders(h)
		got := map[string]string{}
		for name := range c.want {
			got[name] = h.Get(name)
		}
		if len(h) != len(c.want) || !maps.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.d, h, c.want)
		}
		h.Add("RateLimit", "other") // must not write over the neighbor
		if got := h.Get("X-RateLimit-Limit"); got != c.want["X-RateLimit-Limit"] {
			t.Errorf("values share memory: %q", got)
		}
	}
}

func BenchmarkHeaders(b *testing.B) {
	b.ReportAllocs()
	d := Decision{Allowed: true, Limit: 600, Remaining: 599, Reset: time.Second}
	h := http.Header{}
	for b.Loop() {
		d.SetHeaders(h)
	}
}
