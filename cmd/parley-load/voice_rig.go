package main

import (
	"fmt"
	"sync"
	"time"
)

const (
	echoDelay = 20 * time.Millisecond // of the model, for each chunk, as in the measurements of the peers
	frameTime = 20 * time.Millisecond
	// tickTime is a frame by the phones' clocks, which are a little slow: profilers sample by the kernel's ticks,
	// and would always see the same moment of a load that keeps step with them.
	tickTime  = frameTime + 7*time.Microsecond
	lateAfter = 20 * time.Millisecond // added by the subject
	ringSize  = 512                   // frames that may be under way in a call: 10 s
	idleWait  = time.Millisecond      // how long an ask of another goroutine may wait
)

// rig is the load generator: the phones and the models of all calls, on one goroutine, because both ends of a
// call then share one clock and no lock. Phones send a frame every 20 ms on an absolute clock, models send
// each back after 20 ms. It does nothing that costs: a message is found by its first bytes and copied.
//
// It is no simulator: it knows only the messages that this measurement needs and does not judge the protocol
// (that is internal/sim's business, and the subcommand `calls` measures with it).
type rig struct {
	poll    *poller
	clips   templates
	began   time.Time
	sockets map[int]*socket
	lines   []*rigCall    // in the order of their ticks
	start   time.Duration // of the first tick
	turn    int           // the line whose phone is next
	round   int64         // how often all have had their tick
	held    holdQueue

	counting bool // frames sent now are counted
	every    int  // ticks between interruptions; 0 = none
	skipped  int  // ticks
	up, down []time.Duration
	trip     []time.Duration // both, without the model's delay
	late     []time.Duration // the phones' clock
	echoLate []time.Duration
	clears   []time.Duration // speech_started → clear

	mu   sync.Mutex
	asks []func()
	err  error
	done chan struct{}
	quit bool
}

func newRig(voice []byte, samples int) (*rig, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	r := &rig{poll: p, clips: newTemplates(voice), began: time.Now(), sockets: map[int]*socket{}, done: make(chan struct{})}
	for _, s := range []*[]time.Duration{&r.up, &r.down, &r.trip, &r.late, &r.echoLate} {
		*s = make([]time.Duration, 0, samples) // so that the garbage collector stays away
	}
	return r, nil
}

// clock is the time since the rig was made.
func (r *rig) clock() time.Duration { return time.Since(r.began) }

// do runs f on the rig's goroutine and waits for it.
func (r *rig) do(f func()) error {
	ran := make(chan struct{})
	r.mu.Lock()
	r.asks = append(r.asks, func() { f(); close(ran) })
	r.mu.Unlock()
	select {
	case <-ran:
		return nil
	case <-r.done:
		return fmt.Errorf("the load generator has ended: %w", r.err)
	}
}

// run is the loop. It ends after close, or when the kernel fails.
func (r *rig) run() {
	defer close(r.done)
	for !r.quit && r.err == nil {
		r.mu.Lock()
		asks := r.asks
		r.asks = nil
		r.mu.Unlock()
		for _, f := range asks {
			f()
		}
		next := r.tick()
		r.err = r.poll.wait(min(next-r.clock(), idleWait), r.ready)
	}
	for _, s := range r.sockets {
		_ = s.close()
	}
	_ = r.poll.close()
}

// close ends the loop and its sockets.
func (r *rig) close() {
	_ = r.do(func() { r.quit = true })
	<-r.done
}

// add takes over a socket.
func (r *rig) add(s *socket) error {
	r.sockets[s.fd] = s
	if err := s.parse(r.clock()); err != nil { // what came with the handshake
		return err
	}
	return r.poll.add(s.fd)
}

func (r *rig) ready(fd int) {
	s := r.sockets[fd]
	if s == nil {
		return
	}
	if len(s.out) > 0 {
		s.flush()
	}
	if err := s.receive(r.clock); err != nil || s.gone {
		s.gone = true
		delete(r.sockets, fd)
		_ = s.close() // takes it off the poller
	}
}

// tick does what is due and returns when something is due next. The ticks of the lines are spread evenly over
// the 20 ms of a frame, so the next one is always known.
func (r *rig) tick() (next time.Duration) {
	next = r.clock() + idleWait
	for n := len(r.lines); n > 0; {
		due := r.start + tickTime*time.Duration(r.round) + tickTime*time.Duration(r.turn)/time.Duration(n)
		now := r.clock()
		if behind := (now - due) / tickTime; behind > 3 {
			// Somebody else had this processor. Phones do not speak faster afterwards.
			r.round += int64(behind)
			r.skipped += int(behind) * n
			continue
		}
		if due > now {
			next = min(next, due)
			break
		}
		if l := r.lines[r.turn]; l.phone != nil && !l.phone.gone {
			if r.counting {
				r.late = append(r.late, now-due)
			}
			l.tick(now)
		}
		if r.turn++; r.turn == n {
			r.turn, r.round = 0, r.round+1
		}
	}
	for {
		h := r.held.first()
		if h == nil {
			return next
		}
		now := r.clock()
		if h.due > now {
			return min(next, h.due)
		}
		if r.counting {
			r.echoLate = append(r.echoLate, now-h.due)
		}
		h.line.echo(h, now)
		r.held.drop()
	}
}

// held is a chunk that waits for its echo.
type held struct {
	due      time.Duration
	line     *rigCall
	response int
	number   int
	payload  [frameChars]byte
}

// holdQueue is a ring that grows: every chunk waits equally long, so they leave in the order of arrival.
type holdQueue struct {
	ring    []held
	head, n int
}

func (q *holdQueue) add() *held {
	if q.n == len(q.ring) {
		grown := make([]held, max(64, 2*len(q.ring)))
		for i := range q.n {
			grown[i] = q.ring[(q.head+i)%len(q.ring)]
		}
		q.ring, q.head = grown, 0
	}
	h := &q.ring[(q.head+q.n)%len(q.ring)]
	q.n++
	return h
}

func (q *holdQueue) first() *held {
	if q.n == 0 {
		return nil
	}
	return &q.ring[q.head]
}

func (q *holdQueue) drop() { q.head, q.n = (q.head+1)%len(q.ring), q.n-1 }

// use makes these the rig's calls.
func (r *rig) use(lines []*rigCall) {
	r.lines, r.start, r.turn, r.round = lines, r.clock(), 0, 0
}

// count starts counting frames, or ends it.
func (r *rig) count(on bool) {
	r.counting = on
	for _, l := range r.lines {
		if on {
			l.from, l.until = l.number, 1<<30
		} else {
			l.until = l.number
		}
	}
}
