package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/store"
)

// Leases of processes that share a database. There is no common clock: each process counts its own beats, and another
// one whose beat has not changed for a number of them is dead. While the database answers nobody, nobody counts.
const (
	beatPeriod  = time.Second
	leaseBeats  = 6
	overTime    = 10 * time.Second // for the owner to end a call that the carrier says is over
	channelOver = "parley_call_over"
)

// nodes is what this process knows of the others. The zero value knows none; it is safe for concurrent use.
type nodes struct {
	mu    sync.Mutex
	count int64 // own beats
	seen  map[string]node
}

type node struct {
	beat      int64
	changedAt int64 // own count when beat was first seen
	confirmed bool  // it was seen to change
	draining  bool
}

// update notes what the database says after an own beat, and returns the processes that are dead.
func (n *nodes) update(all []store.Process, me string) (dead []store.Process) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	before := n.seen
	n.seen = map[string]node{}
	for _, p := range all {
		if p.ID == me {
			continue
		}
		known, met := before[p.ID]
		if !met || known.beat != p.Beat {
			known = node{beat: p.Beat, changedAt: n.count, confirmed: met}
		}
		known.draining = p.Draining
		n.seen[p.ID] = known
		if n.count-known.changedAt >= leaseBeats {
			dead = append(dead, p)
		}
	}
	return dead
}

// lives reports whether a process may still hold its calls.
func (n *nodes) lives(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	known, ok := n.seen[id]
	return ok && n.count-known.changedAt < leaseBeats
}

// others reports whether another process is seen to live and takes calls.
func (n *nodes) others() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, known := range n.seen {
		if known.confirmed && !known.draining && n.count-known.changedAt < leaseBeats/2 {
			return true
		}
	}
	return false
}

// Join makes this process known to those that share the database. It must come before the first call.
func (s *Service) Join(ctx context.Context) error {
	if !s.st.Shared() {
		return nil
	}
	return s.beat(ctx)
}

// Leave says that this process holds no calls any more. Calls that it holds all the same are taken over at once.
func (s *Service) Leave(ctx context.Context) error {
	if !s.st.Shared() {
		return nil
	}
	calls, err := s.st.ListLiveCalls(ctx, s.opt.Owner, 1)
	if err != nil || len(calls) > 0 {
		return err // the row tells the others about them
	}
	return s.st.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.DeleteProcess(ctx, s.opt.Owner, 0)
		return err
	})
}

// Drain says that this process wants no more calls.
func (s *Service) Drain() {
	s.draining.Store(true)
	s.rouse()
}

// Others reports whether another process takes calls, so that a draining one can hand its own over.
func (s *Service) Others() bool { return s.nodes.others() }

// rouse makes the keeper act before its next beat.
func (s *Service) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) beat(ctx context.Context) error {
	err := s.st.Write(ctx, func(tx *store.Tx) error { return tx.BeatProcess(ctx, s.opt.Owner, s.draining.Load()) })
	if err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	return nil
}

// keep beats until ctx ends. It never waits for the carrier, who may be slow: the others would take this process for dead.
// What it finds out about them goes to dead.
func (s *Service) keep(ctx context.Context, dead chan<- []store.Process) {
	ticker := time.NewTicker(beatPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake: // between beats: the others' leases are counted by the clock's alone
			if err := errors.Join(s.beat(ctx), s.endOver(ctx)); err != nil && ctx.Err() == nil {
				s.opt.Logger.Error("cannot end calls that are over", slog.Any("error", err))
			}
			continue
		case <-ticker.C:
		}
		found, err := s.look(ctx)
		if err != nil && ctx.Err() == nil {
			s.opt.Logger.Error("cannot look after the calls of all processes", slog.Any("error", err))
		}
		if len(found) > 0 {
			select {
			case dead <- found:
			default: // still busy with them; they are found again
			}
		}
	}
}

// look is one beat: it shows that this process lives, looks at the others, and ends what is over. It returns the dead.
func (s *Service) look(ctx context.Context) ([]store.Process, error) {
	ctx, cancel := context.WithTimeout(ctx, leaseBeats*beatPeriod)
	defer cancel()
	if err := s.beat(ctx); err != nil {
		return nil, err
	}
	all, err := s.st.ListProcesses(ctx)
	if err != nil {
		return nil, err
	}
	return s.nodes.update(all, s.opt.Owner), s.endOver(ctx)
}

// endOver ends the calls that another process was told are over: those held here by their sessions, and those whose
// owner did not do it in time.
func (s *Service) endOver(ctx context.Context) error {
	now := time.Now()
	calls, err := s.st.ListOverCalls(ctx, now.Add(time.Hour), 100) // clocks differ
	if err != nil || len(calls) == 0 {
		return err
	}
	late, err := s.st.ListOverCalls(ctx, now.Add(-overTime), 100)
	if err != nil {
		return err
	}
	overdue := map[string]bool{}
	for _, c := range late {
		overdue[c.ID] = true
	}
	for _, c := range calls {
		if mine := c.Owner == s.opt.Owner; mine && s.held.end(c.ID) && !overdue[c.ID] || !mine && !overdue[c.ID] {
			continue
		}
		if err := s.close(ctx, c, c.OverReason); err != nil {
			return err
		}
	}
	return nil
}

// inherit takes over the calls of a dead process: nobody hears their callers any more, so the carrier is asked at once
// to bring them back.
func (s *Service) inherit(ctx context.Context, p store.Process) {
	for {
		calls, err := s.st.ListLiveCalls(ctx, p.ID, 100)
		if err == nil && len(calls) == 0 {
			err = s.st.Write(ctx, func(tx *store.Tx) error {
				_, err := tx.DeleteProcess(ctx, p.ID, p.Beat)
				return err
			})
		}
		if err != nil {
			s.opt.Logger.Error("calls of a dead process not taken over", slog.String("process", p.ID), slog.Any("error", err))
		}
		if err != nil || len(calls) == 0 {
			return
		}
		s.opt.Logger.Warn("taking over the calls of a process that does not answer", slog.String("process", p.ID), slog.Int("calls", len(calls)))
		failed := s.each(ctx, calls, s.adopt)
		if failed > 0 {
			return // at the next beat
		}
	}
}

// adopt detaches the call of a dead process, which is fenced off, and has it brought back.
func (s *Service) adopt(ctx context.Context, c parley.Call) error {
	mine, err := s.fence(ctx, c, func(now parley.Call) bool {
		return now.State == parley.CallLive && now.StreamSID == c.StreamSID && now.Owner == c.Owner
	})
	if err != nil || mine == nil {
		return err
	}
	defer mine.writer.Close()
	err = mine.writer.Intent(ctx, parley.EventStreamDetached, parley.StreamDetachedData{Reason: "the process that held the call does not answer"},
		func(ctx context.Context, tx *store.Tx) error {
			mine.call.State, mine.call.Owner, mine.call.UpdatedAt = parley.CallDetached, "", time.Now().UTC()
			return tx.UpdateCall(ctx, c.OrgID, mine.call)
		})
	if err != nil {
		return fmt.Errorf("detach call: %w", err)
	}
	return s.rescue(ctx, mine.call)
}
