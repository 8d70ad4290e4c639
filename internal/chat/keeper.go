package chat

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley"
	"parley/internal/store"
)

// renewBatch is how many leases one transaction renews.
const renewBatch = 200

// keep renews the leases of the active runs, thrice per lease time, in one transaction for many, and forgets
// old runs.
func (s *Service) keep() {
	defer close(s.ended)
	tick := time.NewTicker(s.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		s.renew()
		s.mu.Lock()
		s.forget(time.Now())
		s.mu.Unlock()
	}
}

func (s *Service) renew() {
	s.mu.Lock()
	turns := make([]*turn, 0, len(s.active))
	for t := range s.active {
		if t.leased.Load() {
			turns = append(turns, t)
		}
	}
	s.mu.Unlock()
	for len(turns) > 0 {
		batch := turns[:min(renewBatch, len(turns))]
		turns = turns[len(batch):]
		if err := s.renewBatch(batch); err != nil {
			s.log.Error("renewing chat leases", slog.Any("error", err))
		}
	}
}

// renewBatch renews some leases. A run that is not ours any more is canceled; one that has just ended is not
// renewed either, and canceling it has no effect.
func (s *Service) renewBatch(batch []*turn) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.o.Lease/3)
	defer cancel()
	var lost []*turn
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		lost = lost[:0]
		until := time.Now().Add(s.o.Lease)
		for _, t := range batch {
			err := tx.RenewRun(ctx, t.run.OrgID, t.run.ID, until)
			if parley.IsNotFound(err) {
				lost = append(lost, t)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range lost {
		t.run.cancel(errLost)
	}
	for _, t := range batch {
		if w := t.writer.Load(); w != nil && errors.Is(w.Err(), store.ErrFenced) {
			t.run.cancel(errLost)
		}
	}
	return nil
}

// forget drops ended runs that are too old or too many. s.mu is held.
func (s *Service) forget(now time.Time) {
	n := 0
	for n < len(s.kept) && (s.bytes > keepBytes || now.Sub(s.kept[n].endedAt) > s.o.Keep) {
		s.bytes -= s.kept[n].size()
		if s.runs[s.kept[n].ID] == s.kept[n] {
			delete(s.runs, s.kept[n].ID)
		}
		s.kept[n] = nil
		n++
	}
	s.kept = s.kept[n:]
}

// size estimates the memory of an ended run.
func (r *Run) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 1024 + 2*len(r.text) + 128*len(r.marks)
	for _, c := range r.result.ToolCalls {
		n += 256 + len(c.Arguments)
		if c.Result != nil {
			n += len(*c.Result)
		}
	}
	return n
}
