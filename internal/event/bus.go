// Package event tells readers inside this process that a conversation's log has grown. It carries positions,
// not events: a subscriber reads the log from where it stands. It must not block a publisher and must not
// know what events mean.
package event

import "sync"

// Bus is publish/subscribe of {conversation, seq}. It is safe for concurrent use.
type Bus struct {
	mu   sync.Mutex
	subs map[string]map[*subscription]struct{} // by conversation id
}

type subscription struct{ ch chan int64 }

// NewBus returns an empty bus.
func NewBus() *Bus {
	return &Bus{subs: map[string]map[*subscription]struct{}{}}
}

// Publish tells the conversation's subscribers that seq is committed. It never blocks: a subscriber that has
// not yet taken an older position gets the newest one instead.
func (b *Bus) Publish(conversationID string, seq int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs[conversationID] {
		s.offer(seq)
	}
}

// offer replaces the position that waits in the channel. Only holders of the bus's lock send, so after
// draining there is room.
func (s *subscription) offer(seq int64) {
	select {
	case waiting := <-s.ch:
		seq = max(seq, waiting)
	default:
	}
	s.ch <- seq
}

// Subscribe returns a channel with the newest committed position of a conversation, and a function that ends
// the subscription and closes the channel; it may be called more than once. What was committed before is not
// told: subscribe first, then read the log.
func (b *Bus) Subscribe(conversationID string) (positions <-chan int64, cancel func()) {
	s := &subscription{ch: make(chan int64, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs[conversationID] == nil {
		b.subs[conversationID] = map[*subscription]struct{}{}
	}
	b.subs[conversationID][s] = struct{}{}
	return s.ch, sync.OnceFunc(func() { b.remove(conversationID, s) })
}

func (b *Bus) remove(conversationID string, s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs[conversationID], s)
	if len(b.subs[conversationID]) == 0 {
		delete(b.subs, conversationID)
	}
	close(s.ch)
}
