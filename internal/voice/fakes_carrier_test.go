package voice

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/leg"
)

// carrierSim is the far end of a call on the bubble's clock: it plays what it gets at 1×, in 20 ms steps,
// echoes marks when the audio before them has been played, and returns pending marks at once on clear. Every
// message takes the delay of its direction and a random part of jitter, and none overtakes another.
type carrierSim struct {
	way
	events chan leg.CarrierEvent
	inbox  chan carrierMsg // what the session sends, with its arrival time
	quit   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once

	mu      sync.Mutex
	refused error         // of every send, once set
	stalled time.Duration // of the next send

	gate    sync.Mutex // of events
	gone    bool
	holding bool // the caller's frames are held back
	losing  bool // echoes of marks get lost
	queue   []carrierMsg
	played  []byte
	clears  int
	dropped int // bytes cleared
	marks   []string
	echoAt  time.Time // of the last echo: echoes keep their order
	begun   time.Time
	silent  int   // ms since something was played
	dry     []int // ms of silence in the middle of what was played, one entry for each hole
	clearAt []time.Time
	keepAir bool
	air     []byte // all that the caller's ear got since the beginning, silence too, if keepAir
}

// way is how long messages take.
type way struct {
	up, down, jitter time.Duration // up: to the carrier
	// Every stallEvery nothing arrives for stall, in either direction.
	stallEvery, stall time.Duration
}

// arrives is when what was sent at a time and takes d comes out.
func (w way) arrives(begin, sent time.Time, d time.Duration) time.Time {
	at := sent.Add(w.takes(d))
	if w.stall > 0 {
		if into := at.Sub(begin) % w.stallEvery; at.Sub(begin) > w.stallEvery && into < w.stall {
			at = at.Add(w.stall - into)
		}
	}
	return at
}

// takes is how long a message takes now.
func (w way) takes(d time.Duration) time.Duration {
	if w.jitter > 0 {
		d += time.Duration(rand.Int64N(int64(w.jitter)))
	}
	return d
}

type carrierMsg struct {
	at    time.Time
	audio []byte
	mark  string
	clear bool
}

func newCarrierSim(w way) *carrierSim {
	c := &carrierSim{way: w, events: make(chan leg.CarrierEvent, 1000), inbox: make(chan carrierMsg, 10_000), quit: make(chan struct{}), begun: time.Now()}
	c.wg.Add(1)
	go c.play()
	return c
}

func (c *carrierSim) Events() <-chan leg.CarrierEvent { return c.events }
func (c *carrierSim) Err() error                      { return nil }
func (c *carrierSim) Wait()                           { c.wg.Wait() }
func (c *carrierSim) Close()                          { c.once.Do(func() { close(c.quit) }) }

// refuse makes every further send fail.
func (c *carrierSim) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

func (c *carrierSim) SendMedia(ulaw []byte) error {
	return c.send(carrierMsg{audio: append([]byte(nil), ulaw...)})
}

func (c *carrierSim) SendMark(name string) error {
	return c.send(carrierMsg{mark: name})
}

func (c *carrierSim) SendClear() error {
	c.mu.Lock()
	c.clearAt = append(c.clearAt, time.Now())
	c.mu.Unlock()
	return c.send(carrierMsg{clear: true})
}

// stall makes the next send take some time, which a real one never does: a process that is late looks like this.
func (c *carrierSim) stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = d
}

func (c *carrierSim) send(m carrierMsg) error {
	c.mu.Lock()
	refused, stall := c.refused, c.stalled
	c.stalled = 0
	c.mu.Unlock()
	time.Sleep(stall)
	if refused != nil {
		return refused
	}
	m.at = c.arrives(c.begun, time.Now(), c.up)
	c.inbox <- m
	return nil
}

// play advances in steps of 1 ms: fine enough for every assertion, cheap on a virtual clock.
func (c *carrierSim) play() {
	defer c.wg.Done()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var waiting []carrierMsg
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
	drain:
		for {
			select {
			case m := <-c.inbox:
				waiting = append(waiting, m)
			default:
				break drain
			}
		}
		for len(waiting) > 0 && !waiting[0].at.After(now) {
			c.arrive(waiting[0])
			waiting = waiting[1:]
		}
		c.step()
	}
}

// heard returns n bytes of what the caller's ear got until ms ago; silence before the beginning.
func (c *carrierSim) heard(n, ago int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := bytes.Repeat([]byte{audio.Silence}, n)
	from := len(c.air) - ago*bytesPerMs - n
	for i := max(0, -from); i < n && from+i < len(c.air); i++ {
		out[i] = c.air[from+i]
	}
	return out
}

func (c *carrierSim) arrive(m carrierMsg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.clear {
		c.queue = append(c.queue, m)
		return
	}
	c.clears++
	for _, q := range c.queue {
		c.dropped += len(q.audio)
		if q.mark != "" {
			c.echo(q.mark)
		}
	}
	c.queue = nil
}

// step plays one millisecond.
func (c *carrierSim) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && c.queue[0].mark != "" {
		c.echo(c.queue[0].mark)
		c.queue = c.queue[1:]
	}
	if len(c.queue) == 0 {
		c.silent++
		if c.keepAir {
			c.air = append(c.air, quiet[:bytesPerMs]...)
		}
		return
	}
	if c.silent > 0 && len(c.played) > 0 {
		c.dry = append(c.dry, c.silent)
	}
	c.silent = 0
	head := &c.queue[0]
	n := min(bytesPerMs, len(head.audio))
	c.played = append(c.played, head.audio[:n]...)
	if c.keepAir {
		c.air = append(append(c.air, head.audio[:n]...), quiet[:bytesPerMs-n]...)
	}
	if head.audio = head.audio[n:]; len(head.audio) == 0 {
		c.queue = c.queue[1:]
	}
}

func (c *carrierSim) echo(name string) {
	c.marks = append(c.marks, name)
	at := c.arrives(c.begun, time.Now(), c.down)
	if at.Before(c.echoAt) {
		at = c.echoAt
	}
	c.echoAt = at
	time.AfterFunc(time.Until(at), func() { c.deliver(leg.CarrierEvent{Kind: leg.CarrierMark, Name: name}) })
}

func (c *carrierSim) deliver(ev leg.CarrierEvent) {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.gone || c.holding && ev.Kind == leg.CarrierMedia || c.losing && ev.Kind == leg.CarrierMark {
		return
	}
	select {
	case c.events <- ev:
	case <-c.quit:
	}
}

// holdFrames holds the caller's frames back from now on, or no longer.
func (c *carrierSim) holdFrames(hold bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.holding = hold
}

// loseMarks loses the echoes of marks from now on, or no longer.
func (c *carrierSim) loseMarks(lose bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.losing = lose
}

// vanish closes the events without a stop.
func (c *carrierSim) vanish() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.gone = true
	close(c.events)
}

func (c *carrierSim) playedMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.played)) / bytesPerMs
}

// cleared is how often the buffer was cleared.
func (c *carrierSim) cleared() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clears
}
