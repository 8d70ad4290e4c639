package chat

import (
	"context"
	"log/slog"
	"time"

	"parley"
	"parley/internal/store"
)

// lookAgain is how long a mirror waits for word of its run before it looks by itself.
const lookAgain = time.Second

// errUnknownHere ends a mirror whose process stops, or whose database does not answer: the run may go on.
var errUnknownHere = &parley.Error{Code: parley.CodeUnavailable, Message: sayRestarting}

// follow returns the mirror of a run that another process is at work on: a Run that all its readers here share, fed from
// what the other one stores.
func (s *Service) follow(ctx context.Context, row store.Run) (*Run, error) {
	r, err := s.restore(ctx, row)
	if err != nil {
		return nil, err
	}
	r.mirror = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.runs[row.ID]; ok {
		return known, nil
	}
	if s.closing {
		return nil, errUnknownHere
	}
	if s.mirrors >= s.o.MaxRuns {
		return nil, parley.Errorf(parley.CodeRateLimited, "The server is busy: please try again in a moment")
	}
	s.runs[row.ID] = r
	s.mirrors++
	s.wg.Add(1)
	go s.feed(r)
	return r, nil
}

// feed follows a run until it has ended. It takes at most as long as a run can: two turns, and the time to find out
// that their processes died.
func (s *Service) feed(r *Run) {
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(s.others, 2*(s.o.Deadline+2*s.o.Lease))
	defer cancel()
	positions, unsubscribe := s.o.Log.Bus().Subscribe(r.ConversationID)
	defer unsubscribe()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for ctx.Err() == nil {
		ended, err := s.glance(ctx, r)
		if ended {
			break
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("chat run of another process not followed for a moment", slog.String("run_id", r.ID), slog.Any("error", err))
		}
		word := positions
		if err != nil {
			word = nil
		}
		select {
		case <-word:
		case <-look.C:
		case <-ctx.Done():
		}
	}
	over := r.abandon()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mirrors--
	if over {
		s.keepRun(r)
	} else if s.runs[r.ID] == r {
		delete(s.runs, r.ID)
	}
}

// glance gives a mirror what was stored since the last time, and reports whether the run has ended.
func (s *Service) glance(ctx context.Context, r *Run) (ended bool, err error) {
	row, err := s.o.Store.FindRun(ctx, r.OrgID, r.ID) // before the chunks: when it has ended, all of them are there
	if err != nil {
		return false, err
	}
	switch {
	case row.Status != store.RunRunning:
		err := s.conclude(ctx, r, row)
		return err == nil, err
	case expired(row):
		return false, s.reap(ctx, row) // which is published
	}
	r.begunAgain(row.Attempt)
	return false, s.loadChunks(ctx, r)
}

// begunAgain raises the ids of a run to those of another attempt, which is only made when nothing was said or done.
func (r *Run) begunAgain(attempt int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.text) == 0 && len(r.marks) == 0 {
		r.base = int64(attempt-1) * attemptIDs
	}
}

// abandon ends a run of which nothing more will be known here: its readers' channels are closed. It reports whether the
// run had ended before.
func (r *Run) abandon() (ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.done:
		return true
	default:
	}
	r.cut, r.err = true, errUnknownHere
	r.wake()
	close(r.done)
	return false
}
