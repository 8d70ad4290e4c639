package limit

import (
	"math"
	"time"

	"parley/internal/store"
)

const (
	// leaseLife is how long tokens may be used after they were leased. It bounds by how much the requests of a
	// window can exceed the limit: a second's worth.
	leaseLife = int64(time.Second)
	// leaseShare bounds what a process leases in advance: a 20th of the burst.
	leaseShare = 20
	// askEvery bounds how often a process asks for a key whose bucket is empty, when the interval is shorter.
	askEvery = int64(20 * time.Millisecond)
	// drift is the share by which refusals are longer than the database's clock says, because this process's may
	// run faster: a client that comes back in time must not be early there.
	drift = 512
)

// lease is what this process holds of one key's limit: tokens, each of them one request that the shared bucket has
// already paid for. Times are of this process's clock unless they say otherwise. The mutex of shared guards it.
type lease struct {
	quota   quota // by which the tokens were leased; zero before the first refill
	size    int   // tokens to ask for in the next refill
	tokens  int
	expires int64 // of the tokens
	full    int64 // when the bucket is full, as far as this process knows
	fullAt  int64 // the same when the tokens were granted, in the database's time (store.RateGrant.FullAt)
	refused int64 // until then the database would refuse

	flight *flight // the refill under way
	next   *flight // the one after that; nil while nobody waits for it
}

// worthless is when a lease may be forgotten.
func (l *lease) worthless() int64 {
	if l.flight != nil || l.next != nil {
		return math.MaxInt64
	}
	return l.full
}

// answer decides without the database, if that is possible.
func (l *lease) answer(q quota, now int64) (d Decision, ok bool) {
	switch {
	case l.quota != q:
		return d, false // only a refill knows what the new limit allows
	case l.tokens > 0 && now < l.expires:
		l.tokens--
		return l.decision(q, now, true), true
	case now < l.refused:
		return l.refusal(q, now), true
	}
	return d, false
}

func (l *lease) refusal(q quota, now int64) Decision {
	d := l.decision(q, now, false)
	d.RetryAfter = max(d.RetryAfter, time.Duration(l.refused-now), 1)
	return d
}

// decision describes the bucket as if the tokens in hand were in it: an unused rest goes back.
func (l *lease) decision(q quota, now int64, allowed bool) Decision {
	return q.decision(l.full-now-int64(l.tokens)*l.quota.interval, allowed)
}

// request empties the lease and returns the refill to ask for, when so many requests wait. The size doubles while
// tokens are used up before they expire.
func (l *lease) request(key string, q quota, waiting int, now int64) store.RateRequest {
	switch {
	case l.quota != q:
		l.size = 1
	case now < l.expires:
		l.size *= 2
	default:
		l.size /= 2
	}
	l.size = max(1, min(l.size, q.limit/leaseShare))
	r := store.RateRequest{
		Key: key, Interval: time.Duration(q.interval), Window: time.Duration(q.window),
		Demand: waiting, Lease: max(l.size, waiting),
		Refund: time.Duration(int64(l.tokens) * l.quota.interval), RefundUntil: l.fullAt,
	}
	l.tokens = 0 // whether or not the statement succeeds: its outcome may stay unknown
	return r
}

// grant takes over what the database gave. Of those that wait now, tickets are allowed; demand is how many did when the
// database was asked.
func (l *lease) grant(q quota, g store.RateGrant, demand, waiting int, now int64) (tickets int) {
	tickets = min(g.Granted, waiting)
	l.quota, l.tokens, l.expires = q, g.Granted-tickets, now+leaseLife
	l.full, l.fullAt, l.refused = now+int64(g.Debt), g.FullAt, 0
	if g.Granted < demand {
		wait := int64(g.Debt) + q.interval - q.window
		l.refused = now + max(wait+wait/drift, askEvery)
	}
	return tickets
}
