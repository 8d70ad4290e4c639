package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// groupSize bounds how many writes share a transaction.
const groupSize = 32

// group lets the writes that wait for SQLite's only writer share a transaction, so that they wait for one sync of
// the disk instead of one each (docs/adr/0011). The first leads: it runs its own function, then those that came
// meanwhile, each in a savepoint, commits, and hands the lead to the next. A write that nobody joins is a plain
// transaction.
type group struct {
	mu      sync.Mutex
	led     bool
	waiting []*member // oldest first
}

// member is one call of Write.
type member struct {
	ctx   context.Context
	fn    func(tx *Tx) error
	asked time.Time
	turn  chan struct{} // closed when it leads, or when its outcome is known
	leads bool

	err      error
	panicked any // what fn panicked with, for the goroutine that called Write
}

// join adds a member and reports whether it leads.
func (g *group) join(m *member) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led {
		g.waiting = append(g.waiting, m)
		return false
	}
	g.led = true
	return true
}

// leave removes a member that is still waiting.
func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// next takes the oldest member that waits, nil when there is none.
func (g *group) next() *member {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return nil
	}
	m := g.waiting[0]
	g.waiting = g.waiting[1:]
	return m
}

// back puts members that must run again before those that wait.
func (g *group) back(members []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(append([]*member{}, members...), g.waiting...)
}

// pass ends the lead: the oldest member that waits has it now.
func (g *group) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.led = false
		return
	}
	m := g.waiting[0]
	g.waiting = g.waiting[1:]
	m.leads = true
	close(m.turn)
}

// writeGrouped is Write where there is one writer.
func (s *Store) writeGrouped(ctx context.Context, fn func(tx *Tx) error) error {
	m := &member{ctx: ctx, fn: fn, asked: time.Now(), turn: make(chan struct{})}
	leads := s.group.join(m)
	if !leads {
		select {
		case <-m.turn:
		case <-ctx.Done():
			if s.group.leave(m) {
				return fmt.Errorf("beginning transaction: %w", ctx.Err())
			}
			<-m.turn // it runs, or leads: the outcome comes soon
		}
		leads = m.leads
	}
	if leads {
		defer s.group.pass()
		for done := false; !done; { // each round that is not the last answers one member
			done = s.lead(m)
		}
		return m.err
	}
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.err
}

// lead runs a transaction with the leader's function and those of members that joined. done is false when another
// member broke the transaction: it was answered, and all others must run again.
func (s *Store) lead(leader *member) (done bool) {
	var joined []*member
	answered := false
	defer func() { // also on a panic of the leader's function, which runs before anybody joins
		if !answered {
			s.group.back(joined)
		}
	}()
	leader.err = nil
	var broke *member
	err := s.transact(leader.ctx, leader.asked, func(tx *Tx) error {
		if err := leader.fn(tx); err != nil {
			return err
		}
		for len(joined) < groupSize-1 {
			m := s.group.next()
			if m == nil {
				break
			}
			m.err, m.panicked = nil, nil
			err := tx.Savepoint(leader.ctx, func() error { return m.run(tx) })
			if err != nil && leader.ctx.Err() != nil { // that ended the transaction, whatever m did
				joined = append(joined, m)
				return leader.ctx.Err()
			}
			if m.err = err; IsBroken(err) {
				broke = m
				return err
			}
			joined = append(joined, m)
		}
		return nil
	})
	switch {
	case broke != nil:
		close(broke.turn)
		return false // the joined go back, and join again
	case err != nil && !errors.Is(err, ErrCommitUnknown):
		leader.err = err
		return true // the joined go back; one of them leads next
	}
	answered, leader.err = true, err
	for _, m := range joined {
		if err != nil { // also where it failed: it may have been refused for what another wrote, and is now lost
			m.err = err
		}
		close(m.turn)
	}
	return true
}

// errPanicked undoes the savepoint of a function that panicked.
var errPanicked = errors.New("the function panicked")

// run calls the function on the leader's goroutine; a panic is kept for the member's own.
func (m *member) run(tx *Tx) (err error) {
	if err := m.ctx.Err(); err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			m.panicked, err = p, errPanicked
		}
	}()
	return m.fn(tx)
}
