package store

import (
	"sync/atomic"
	"time"
)

// Stats is a snapshot of the writer's work since Open.
type Stats struct {
	Commits    int64
	WriterWait time.Duration // of the last transaction: asking for the connection until it began
	LastWrite  time.Duration // of the last transaction: beginning until the end of its commit
	MaxWrite   time.Duration // the longest so far
}

type statistics struct {
	commits, wait, last, longest atomic.Int64
}

func (s *statistics) committed(wait, write time.Duration) {
	s.commits.Add(1)
	s.wait.Store(int64(wait))
	s.last.Store(int64(write))
	for old := s.longest.Load(); int64(write) > old && !s.longest.CompareAndSwap(old, int64(write)); {
		old = s.longest.Load()
	}
}

// Stats returns a snapshot for metrics.
func (s *Store) Stats() Stats {
	return Stats{
		Commits:    s.stats.commits.Load(),
		WriterWait: time.Duration(s.stats.wait.Load()),
		LastWrite:  time.Duration(s.stats.last.Load()),
		MaxWrite:   time.Duration(s.stats.longest.Load()),
	}
}
