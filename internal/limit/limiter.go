package limit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley/internal/store"
)

// ErrUnavailable says that the limiter could not ask its shared database: it does not answer, or so many requests wait
// for it that no more may. The cause is in the log, once for each outage.
var ErrUnavailable = errors.New("the shared rate limits are unavailable")

// maxKeys bounds how many keys are remembered: some 10 MB.
const maxKeys = 1 << 16

// Options configure New.
type Options struct {
	// Shared is the database through which several processes share their limits. Nil, or SQLite (which has one
	// process), means that this process counts by itself.
	Shared *store.Store
	// Logger hears when the shared database stops and begins to answer; nil means none.
	Logger *slog.Logger
	// Now is the clock of this process; nil means time.Now. Only differences of it are used, so it may be wrong.
	Now func() time.Time
}

// Limiter limits requests per key. It is safe for concurrent use and needs no closing.
type Limiter struct {
	clock  func() int64
	own    *memory[string]
	shared *shared // nil: in memory
}

// New returns a limiter in which every key has its whole limit, except for what other processes used of it.
func New(o Options) *Limiter {
	l := &Limiter{clock: clockOf(o.Now)}
	if o.Shared == nil || !o.Shared.SharesRates() {
		l.own = newMemory[string](maxKeys)
		return l
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l.shared = newShared(o.Shared, o.Logger, l.clock)
	return l
}

// Take asks for one request of a key's limit: perMinute requests in a minute, and at most as many at once. The limit
// may differ from call to call: the bucket stays as full as it was in proportion.
//
// In memory it neither waits nor fails. Shared, it fails with ErrUnavailable when the database does not answer, or
// with the context's error when that ended before there was an answer; it then waited at most a few seconds, and not
// at all while the database is known to be down. The decision beside an error is not Allowed and holds what was last
// known of the limit, and after which time to try again.
func (l *Limiter) Take(ctx context.Context, key string, perMinute int) (Decision, error) {
	q := quotaOf(perMinute)
	if l.shared != nil {
		return l.shared.take(ctx, key, q)
	}
	debt, ok := l.own.take(key, q, l.clock())
	return q.decision(debt, ok), nil
}

// clockOf returns a clock in nanoseconds since now. It is monotonic if now is.
func clockOf(now func() time.Time) func() int64 {
	if now == nil {
		start := time.Now()
		return func() int64 { return int64(time.Since(start)) }
	}
	start := now()
	return func() int64 { return int64(now().Sub(start)) }
}
