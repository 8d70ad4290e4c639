// Package event tells who is interested that a conversation's log has grown. It carries positions only: the
// reader fetches the events from the store, so a lost or coalesced message loses nothing.
//
// It works within one process, and on PostgreSQL among all that share the database.
package event

import (
	"sync"

	"parley"
)

// Bus fans positions out to subscribers. The zero value is not usable; it is safe for concurrent use.
type Bus struct {
	node string // tells our own notifications from others'

	mu   sync.Mutex
	subs map[string]map[chan int64]struct{}
}

// NewBus makes an empty bus.
func NewBus() *Bus { return &Bus{node: parley.NewID(), subs: map[string]map[chan int64]struct{}{}} }

// Publish says that a conversation's log now ends at seq. It never blocks: a subscriber that has not taken the
// position before gets only the newer one.
func (b *Bus) Publish(conversationID string, seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.subs[conversationID] {
		select {
		case <-c: // take the old position back
		default:
		}
		c <- seq // room for one, and only Publish sends
	}
}

// Subscribe delivers positions of a conversation until cancel is called; cancel may be called more than once.
func (b *Bus) Subscribe(conversationID string) (positions <-chan int64, cancel func()) {
	c := make(chan int64, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[conversationID] == nil {
		b.subs[conversationID] = map[chan int64]struct{}{}
	}
	b.subs[conversationID][c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs[conversationID], c)
		if len(b.subs[conversationID]) == 0 {
			delete(b.subs, conversationID)
		}
	}
}
