package voice

import (
	"sync"
	"time"
)

// takeoverTimeout is how long a new stream waits for the session of the old one to let go.
const takeoverTimeout = 2 * time.Second

// seats know the sessions of this process by their call: those that run, and those that are kept for another stream
// of their call. The zero value is ready; it is safe for concurrent use.
type seats struct {
	mu    sync.Mutex
	taken map[string]*seat
	over  sync.WaitGroup // releases of sessions that nobody came back for
}

// seat is the place of one call's session.
type seat struct {
	left   chan struct{} // closed when the session does not run any more
	kept   *Session      // nil while it runs, or when it is over
	expiry *time.Timer
	given  bool // another stream sits here now, and does not wait for the session any more
}

// sit takes the place of a call for a new stream. The result is the session that was kept there, nil if there is
// none, and a function that gives the place up: with a session to keep for some time, or with nil.
func (t *seats) sit(callID string) (*Session, func(keep *Session, d time.Duration)) {
	mine := &seat{left: make(chan struct{})}
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[string]*seat{}
	}
	before := t.taken[callID]
	t.taken[callID] = mine
	t.mu.Unlock()
	leave := func(keep *Session, d time.Duration) { t.leave(callID, mine, keep, d) }
	if before == nil {
		return nil, leave
	}
	wait := time.NewTimer(takeoverTimeout)
	defer wait.Stop()
	select {
	case <-before.left:
	case <-wait.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := before.kept
	before.kept, before.given = nil, true
	if kept != nil {
		before.expiry.Stop()
	}
	return kept, leave
}

// leave gives a place up.
func (t *seats) leave(callID string, s *seat, keep *Session, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(s.left)
	if keep != nil && s.given { // nobody will ask for it
		t.over.Go(func() { end(keep) })
		return
	}
	s.kept = keep
	if keep != nil {
		s.expiry = time.AfterFunc(d, func() { t.expire(callID, s) })
	} else if t.taken[callID] == s {
		delete(t.taken, callID)
	}
}

// expire releases a session that nobody came back for.
func (t *seats) expire(callID string, s *seat) {
	t.mu.Lock()
	kept := s.kept
	s.kept = nil
	if t.taken[callID] == s {
		delete(t.taken, callID)
	}
	if kept != nil {
		t.over.Add(1)
	}
	t.mu.Unlock()
	if kept != nil {
		defer t.over.Done()
		end(kept)
	}
}

func end(s *Session) {
	s.Release()
	s.Wait()
}

// close releases every kept session and waits for them.
func (t *seats) close() {
	t.mu.Lock()
	waiting := map[string]*seat{}
	for id, s := range t.taken {
		if s.kept != nil {
			s.expiry.Stop()
			waiting[id] = s
		}
	}
	t.mu.Unlock()
	for id, s := range waiting {
		t.expire(id, s)
	}
	t.over.Wait()
}
