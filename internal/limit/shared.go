package limit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"parley/internal/store"
)

const (
	statementTimeout = time.Second
	backOff          = int64(500 * time.Millisecond) // after a failed refill, until the next is tried
	maxWaiting       = 1000                          // requests that wait for the same refill
	sweepEvery       = int64(time.Minute)
)

// shared leases tokens from the database. It is safe for concurrent use.
type shared struct {
	db     *store.Store
	logger *slog.Logger
	clock  func() int64
	// deadline of a statement; tests that are not about it are more patient.
	deadline time.Duration

	mu      sync.Mutex
	leases  table[string, *lease]
	outage  bool  // the last refill failed
	retryAt int64 // when the next may be tried in an outage
	probing bool  // it is being tried
	swept   int64
	cursor  string // where the next sweep goes on
}

// flight is one refill and the requests that it answers. While one is under way, the next one collects those that come.
type flight struct {
	members int // requests that wait for it, its leader included
	started bool
	done    chan struct{}
	ended   bool // and done is closed, and the rest is set
	tickets int  // members that are allowed and have not taken note
	err     error
}

func newShared(db *store.Store, logger *slog.Logger, clock func() int64) *shared {
	return &shared{
		db: db, logger: logger, clock: clock, deadline: statementTimeout,
		leases: newTable[string](maxKeys, func(l **lease) int64 { return (*l).worthless() }),
	}
}

func (s *shared) take(ctx context.Context, key string, q quota) (Decision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	l := s.lease(key, now)
	if d, ok := l.answer(q, now); ok {
		return d, nil
	}
	if s.down(now) {
		return s.unavailable(l, q)
	}
	if l.next == nil {
		l.next = &flight{done: make(chan struct{})}
	}
	f := l.next
	if f.members == maxWaiting {
		return s.unavailable(l, q)
	}
	f.members++
	if err := s.fly(ctx, key, l, f, q); err != nil {
		if f.members--; f.members == 0 && l.next == f {
			l.next = nil
		}
		d, _ := s.unavailable(l, q)
		return d, err
	}
	if now-s.swept >= sweepEvery && !s.outage {
		s.sweep(ctx)
	}
	return s.outcome(l, f, q)
}

func (s *shared) lease(key string, now int64) *lease {
	if l := s.leases.get(key); l != nil {
		return *l
	}
	return *s.leases.add(key, now, &lease{})
}

// fly returns when f has ended, or ctx. A member waits for the flight that was under way when it came, and for its
// own: two statements. Whoever finds that f could start leads it, and waits for the whole statement (at most
// statementTimeout) even when its client has gone: others wait for it, too.
func (s *shared) fly(ctx context.Context, key string, l *lease, f *flight, q quota) error {
	for !f.ended {
		other := f
		if !f.started {
			other = l.flight
		}
		if other == nil {
			s.lead(ctx, key, l, f, q)
			return nil
		}
		if err := s.wait(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// outcome answers a member of a flight that has ended. Its answer is by the limit of the leader: they asked at the
// same time.
func (s *shared) outcome(l *lease, f *flight, q quota) (Decision, error) {
	now := s.clock()
	switch {
	case f.err != nil:
		return s.unavailable(l, q)
	case f.tickets > 0:
		f.tickets--
		return l.decision(q, now, true), nil
	}
	return l.refusal(q, now), nil
}

func (s *shared) lead(ctx context.Context, key string, l *lease, f *flight, q quota) {
	l.flight, l.next, f.started, f.err = f, nil, true, ErrUnavailable
	probe := s.outage
	defer func() { // also on a panic: the others must not wait for nothing
		l.flight, s.probing = nil, s.probing && !probe
		f.ended = true
		close(f.done)
	}()
	if s.down(s.clock()) {
		probe = false
		return
	}
	s.probing = s.probing || probe
	r := l.request(key, q, f.members, s.clock())
	var g store.RateGrant
	err := s.unlocked(ctx, func(ctx context.Context) (err error) {
		g, err = s.db.RefillRate(ctx, r)
		return err
	})
	s.note(ctx, err)
	if err == nil {
		f.err = nil
		f.tickets = l.grant(q, g, r.Demand, f.members, s.clock())
	}
}

// note remembers whether the database answers, and logs when that changes.
func (s *shared) note(ctx context.Context, err error) {
	if err != nil {
		s.retryAt = s.clock() + backOff
	}
	if s.outage == (err != nil) {
		return
	}
	s.outage = err != nil
	if s.outage {
		s.logger.LogAttrs(ctx, slog.LevelError, "shared rate limits are unavailable", slog.String("error", err.Error()))
		return
	}
	s.logger.LogAttrs(ctx, slog.LevelInfo, "shared rate limits are available again")
}

// down reports whether the database is known not to answer, and it is not time to try it.
func (s *shared) down(now int64) bool { return s.outage && (now < s.retryAt || s.probing) }

func (s *shared) unavailable(l *lease, q quota) (Decision, error) {
	now := s.clock()
	d := l.decision(q, now, false)
	d.RetryAfter = max(d.RetryAfter, time.Duration(s.retryAt-now), 1)
	return d, ErrUnavailable
}

// wait waits for the end of a flight, or of ctx.
func (s *shared) wait(ctx context.Context, f *flight) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sweep deletes what is worth nothing any more from the database. Its failure is found by the next refill.
func (s *shared) sweep(ctx context.Context) {
	s.swept = s.clock()
	after, next := s.cursor, ""
	_ = s.unlocked(ctx, func(ctx context.Context) (err error) {
		next, err = s.db.SweepRates(ctx, after)
		return err
	})
	s.cursor = next
}

// unlocked runs a statement without the mutex, with a deadline of its own.
func (s *shared) unlocked(ctx context.Context, statement func(context.Context) error) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.deadline)
	defer cancel()
	return statement(ctx)
}
