package limit

import "time"

// maxPerMinute keeps the interval at 1 µs or more; what is above counts as this.
const maxPerMinute = 60_000_000

// quota is a limit as the generic cell rate algorithm (GCRA) takes it. A bucket is one number: the time at which it is
// full. Its debt is how long that is from now; each request adds one interval, and no debt may exceed the window. All
// times here are nanoseconds.
//
// As the burst is the number of requests per minute, the window of every limit is one minute (and less than a
// microsecond). A debt therefore means the same share of any limit: when a limit is changed, the bucket stays as full
// as it was, in proportion, and everything else is by the new limit at once.
type quota struct {
	limit    int
	interval int64 // what one request costs
	window   int64 // limit × interval
}

// quotaOf returns the quota of a limit. A limit below 1 counts as 1.
func quotaOf(perMinute int) quota {
	n := min(max(perMinute, 1), maxPerMinute)
	interval := (int64(time.Minute) + int64(n) - 1) / int64(n) // rounded up: never more than the limit
	return quota{n, interval, interval * int64(n)}
}

// take takes one request from a bucket that is full at the time full. Refused, the debt is unchanged. A bucket from
// the future (a clock set back) counts as empty.
func (q quota) take(full, now int64) (debt int64, ok bool) {
	debt = min(max(full-now, 0), q.window)
	if debt+q.interval > q.window {
		return debt, false
	}
	return debt + q.interval, true
}

// Decision is the answer to one request and what its client may know of the limit.
type Decision struct {
	Allowed   bool
	Limit     int           // requests per minute, and at most at once
	Remaining int           // requests that would pass now, one after the other
	Reset     time.Duration // until Limit requests would pass
	// RetryAfter is how long until one request would pass, 0 when one would now.
	RetryAfter time.Duration
}

func (q quota) decision(debt int64, allowed bool) Decision {
	debt = min(max(debt, 0), q.window)
	return Decision{
		Allowed:    allowed,
		Limit:      q.limit,
		Remaining:  int((q.window - debt) / q.interval),
		Reset:      time.Duration(debt),
		RetryAfter: time.Duration(max(0, debt+q.interval-q.window)),
	}
}
