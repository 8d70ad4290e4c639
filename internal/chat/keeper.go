package chat

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/store"
)

// What the keeper does how often.
const (
	lookEvery  = 500 * time.Millisecond // at other processes, at runs that are to stop, and at those that were lost
	sweepEvery = 30 * time.Second       // of chunks that nobody reads any more
	keptChunks = 24 * time.Hour         // contract: runs can be replayed for at least an hour

	renewBatch = 200 // leases that one transaction renews
	reapBatch  = 100 // runs that one look finds
	reapAtOnce = 8
)

// keep renews the leases of the active runs, thrice per lease time, in one transaction for many, stops what was wished
// to stop elsewhere, and forgets old runs.
func (s *Service) keep() {
	wishes, unsubscribe := s.o.Log.Bus().Subscribe(s.o.Owner)
	defer unsubscribe()
	renew, look := time.NewTicker(s.o.Lease/3), time.NewTicker(lookEvery)
	defer renew.Stop()
	defer look.Stop()
	for {
		var err error
		select {
		case <-s.life.Done():
			return
		case <-renew.C:
			s.renew()
			s.mu.Lock()
			s.forget(time.Now())
			s.mu.Unlock()
		case <-wishes:
			err = s.stopWished(s.life)
		case <-look.C:
			if s.o.Store.Shared() { // else nobody else can wish or die
				err = errors.Join(s.stopWished(s.life), s.expireDead(s.life))
			}
		}
		if err != nil && s.life.Err() == nil {
			s.log.Error("looking after chat runs of other processes", slog.Any("error", err))
		}
	}
}

// mourn looks after lost runs and ratings that wait for the log, and deletes old chunks. It is not the keeper's work: leases must be renewed meanwhile.
func (s *Service) mourn() {
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		var err error
		select {
		case <-s.others.Done():
			return
		case <-look.C:
			err = s.reapExpired(s.others)
			if s.o.Store.Shared() { // else ratings wait only when a message came between
				err = errors.Join(err, s.logRatings(s.others))
			}
		case <-sweep.C:
			err = errors.Join(s.sweep(s.others), s.logRatings(s.others))
		}
		if err != nil && s.others.Err() == nil {
			s.log.Error("looking after lost chat runs", slog.Any("error", err))
		}
	}
}

// reapExpired looks after all runs whose lease ended.
func (s *Service) reapExpired(ctx context.Context) error {
	for ctx.Err() == nil {
		rows, err := s.o.Store.ListExpiredRuns(ctx, time.Now(), reapBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		s.log.Warn("chat runs were lost with their process", slog.Int("runs", len(rows)))
		var wg sync.WaitGroup
		errs := make([]error, len(rows))
		slots := make(chan struct{}, reapAtOnce)
		for i, row := range rows {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				errs[i] = s.reap(ctx, row)
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil || len(rows) < reapBatch {
			return err
		}
	}
	return nil
}

// sweep deletes the chunks of runs that ended long ago: the log has their texts.
func (s *Service) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		n := 0
		err := s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.SweepChunks(ctx, time.Now().Add(-keptChunks))
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// stopWished stops the runs that somebody wished to stop in another process.
func (s *Service) stopWished(ctx context.Context) error {
	ids, err := s.o.Store.ListStoppedRuns(ctx, s.o.Owner)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if r := s.runs[id]; r != nil {
			r.cancel(errStopped)
		}
	}
	return nil
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
			err := tx.RenewRun(ctx, t.row.OrgID, t.row, until)
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
		if w := t.writer.Load(); w != nil && w.Err() != nil {
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
	for _, m := range r.marks {
		if d, ok := m.Data.(ToolRequestedData); ok {
			n += len(d.Arguments)
		}
	}
	for _, c := range r.result.ToolCalls {
		n += 256 + len(c.Arguments)
		if c.Result != nil {
			n += len(*c.Result)
		}
	}
	return n
}
