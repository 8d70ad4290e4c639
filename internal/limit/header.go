package limit

import (
	"net/http"
	"strconv"
	"time"
)

// SetHeaders sets the rate-limit headers of an answer: RateLimit-Policy and RateLimit
// (draft-ietf-httpapi-ratelimit-headers-11) and the older X-RateLimit-Limit, -Remaining and -Reset. Unless the decision
// is Allowed, Retry-After is set, too. Times are whole seconds, rounded up; t and -Reset are until the limit is whole.
func (d Decision) SetHeaders(h http.Header) {
	// Every answer has these: one text and one list of values for all of them instead of one each.
	b := make([]byte, 0, 128)
	cut := make([]int, 0, 6)
	b = append(b, `"default";q=`...)
	b = strconv.AppendInt(b, int64(d.Limit), 10)
	b = append(b, `;w=60`...)
	cut = append(cut, len(b))
	b = append(b, `"default";r=`...)
	b = strconv.AppendInt(b, int64(d.Remaining), 10)
	b = append(b, `;t=`...)
	b = strconv.AppendInt(b, seconds(d.Reset), 10)
	for _, n := range [...]int64{int64(d.Limit), int64(d.Remaining), seconds(d.Reset), max(1, seconds(d.RetryAfter))} {
		cut = append(cut, len(b))
		b = strconv.AppendInt(b, n, 10)
	}
	cut = append(cut, len(b))
	text, values, from := string(b), make([]string, len(headers)), 0
	for i, name := range headers {
		values[i] = text[from:cut[i]]
		from = cut[i]
		if name != "Retry-After" || !d.Allowed {
			h[name] = values[i : i+1 : i+1]
		}
	}
}

// headers are the names in Go's canonical spelling, in the order of SetHeaders.
var headers = [...]string{
	"Ratelimit-Policy", "Ratelimit", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "Retry-After",
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
