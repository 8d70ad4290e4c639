package voice

import (
	"bytes"

	"parley/internal/leg"
)

// What a session that waits for another stream of its call keeps of its model's events: more than the longest answer.
const (
	parkedEvents = 8192
	parkedBytes  = maxItemBytes
)

// lot reads the model's events while nobody runs the session. A leg that nobody reads makes the model's socket wait, and
// its pongs with it: a model in the middle of an answer would be taken for dead.
type lot struct {
	quit, left chan struct{}
	events     []leg.ModelEvent // in order; read after left
	closed     bool             // the model's session has ended
}

// park begins to read. It ends with unpark or Release.
func (s *Session) park() {
	if s.modelEvents == nil {
		return
	}
	l := &lot{quit: make(chan struct{}), left: make(chan struct{})}
	s.lot = l
	go l.read(s.modelEvents)
}

func (l *lot) read(events <-chan leg.ModelEvent) {
	defer close(l.left)
	size := 0
	for len(l.events) < parkedEvents && size < parkedBytes {
		select {
		case ev, ok := <-events:
			if !ok {
				l.closed = true
				return
			}
			ev.Audio = bytes.Clone(ev.Audio)
			l.events = append(l.events, ev)
			size += len(ev.Audio)
		case <-l.quit:
			return
		}
	}
}

// leave ends the reading. It may be called on no lot.
func (l *lot) leave() {
	if l != nil {
		close(l.quit)
		<-l.left
	}
}

// unpark takes up what the model said meanwhile, in order.
func (s *Session) unpark() {
	l, model := s.lot, s.model
	if l == nil {
		return
	}
	s.lot = nil
	l.leave()
	for i := range l.events {
		if s.onModel(l.events[i], true); s.model != model || s.outcome != nil {
			return // the rest is of a session that is gone
		}
	}
	if l.closed {
		s.onModel(leg.ModelEvent{}, false)
	}
}
