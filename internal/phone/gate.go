package phone

import "sync"

// gate counts the media streams that are open and lets no more in once it is shut. A WaitGroup would not do: a
// stream may come at the very moment when the last one ends. The zero value is open.
type gate struct {
	mu   sync.Mutex
	n    int
	shut bool
	left sync.Cond // n has become 0
}

// enter counts a stream, which must leave; false when the gate is shut.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.n++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		g.left.Broadcast()
	}
}

// close waits until no stream is open and shuts the gate in the same moment.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left.L = &g.mu
	for g.n > 0 {
		g.left.Wait()
	}
	g.shut = true
}

// isShut reports whether no stream is let in any more.
func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}
