package limit

import (
	"context"
	"sync"
)

// Slots lets each key have at most so many things under way at once; others of the same key wait in line, and no
// key waits for another. It remembers only keys that have something under way. Safe for concurrent use.
type Slots struct {
	each int
	mu   sync.Mutex
	keys map[string]*slot
}

// slot is a key with something under way or waiting.
type slot struct {
	free chan struct{} // a token for each place that is free
	uses int           // under way or waiting
}

// NewSlots allows each key that many at once.
func NewSlots(each int) *Slots { return &Slots{each: each, keys: map[string]*slot{}} }

// Acquire waits for a place and returns how to give it back, once. The error is the context's.
func (s *Slots) Acquire(ctx context.Context, key string) (release func(), err error) {
	k := s.enter(key)
	select {
	case <-k.free:
		return func() { k.free <- struct{}{}; s.leave(key, k) }, nil
	case <-ctx.Done():
		s.leave(key, k)
		return nil, ctx.Err()
	}
}

func (s *Slots) enter(key string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[key]
	if k == nil {
		k = &slot{free: make(chan struct{}, s.each)}
		for range s.each {
			k.free <- struct{}{}
		}
		s.keys[key] = k
	}
	k.uses++
	return k
}

func (s *Slots) leave(key string, k *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.uses--; k.uses == 0 {
		delete(s.keys, key)
	}
}
