package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Weather is what a Proxy does to the bytes that pass it. The zero value passes them on at once.
//
// It cannot reorder them: TCP delivers a connection's bytes in order or not at all. What can overtake what are the two
// directions and the two sockets of a call, each with a delay of its own.
type Weather struct {
	Seed          uint64
	Delay, Jitter time.Duration // of each chunk; the jitter is a random part on top
	// Splits is the share of chunks that are written in pieces of 1 to 7 bytes at their beginning and end.
	Splits float64
	// StallEvery is the distance between moments in which nothing passes for Stall. All connections stall together.
	StallEvery, Stall time.Duration
	// Cuts is the share of sockets (connections that were upgraded) that are cut, at an age between CutFrom and CutTo.
	Cuts           float64
	CutFrom, CutTo time.Duration
	// Holes is the share of the cuts that nobody is told of: the connection stays open, and nothing passes any more.
	Holes float64
}

const (
	proxyChunk   = 16 << 10 // bytes read at once
	proxyQueue   = 256      // chunks under way in one direction
	splitPieces  = 12       // at each end of a chunk
	maxPiece     = 7        // bytes
	proxyTimeout = 5 * time.Second
)

// Proxy stands between two ends of TCP connections and makes the weather there. Close it.
type Proxy struct {
	weather Weather
	target  string
	began   time.Time
	l       net.Listener
	running sync.WaitGroup

	mu    sync.Mutex
	calm  bool // no more cuts
	count int  // of connections so far
	open  map[*passage]bool
	fate  Fate
}

// Fate counts what a proxy has done.
type Fate struct{ Sockets, Cut, Holes int }

// passage is one connection through the proxy.
type passage struct {
	p              *Proxy
	client, server net.Conn
	rnd            *rand.Rand // of the choices about the connection as a whole
	ends           sync.Once

	mu      sync.Mutex
	socket  bool // it was upgraded
	cutAt   time.Time
	hole    bool
	inAHole bool
}

// NewProxy listens on the loopback interface and passes connections on to target (host:port).
func NewProxy(target string, w Weather) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{weather: w, target: target, began: time.Now(), l: l, open: map[*passage]bool{}}
	p.running.Go(p.accept)
	return p, nil
}

// Address is where to connect (host:port).
func (p *Proxy) Address() string { return p.l.Addr().String() }

// Calm ends the cuts: what has not been cut by now is not cut.
func (p *Proxy) Calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calm = true
}

// Fate returns what happened so far, and how many upgraded connections are open.
func (p *Proxy) Fate() (f Fate, open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.open {
		s.mu.Lock()
		if s.socket {
			open++
		}
		s.mu.Unlock()
	}
	return p.fate, open
}

// Close ends all connections and waits for everything that the proxy has started.
func (p *Proxy) Close() error {
	err := p.l.Close()
	p.mu.Lock()
	for s := range p.open {
		s.end(false)
	}
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.pass(client) })
	}
}

func (p *Proxy) pass(client net.Conn) {
	server, err := (&net.Dialer{Timeout: proxyTimeout}).Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.count++
	n := uint64(p.count)
	s := &passage{p: p, client: client, server: server, rnd: rand.New(rand.NewPCG(p.weather.Seed, n))}
	p.open[s] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { s.pump(client, server, rand.New(rand.NewPCG(p.weather.Seed+1, n)), true) })
	both.Go(func() { s.pump(server, client, rand.New(rand.NewPCG(p.weather.Seed+2, n)), false) })
	both.Wait()
	s.end(false)
	p.mu.Lock()
	delete(p.open, s)
	p.mu.Unlock()
}

// end closes both sides, with a reset if so wanted.
func (s *passage) end(reset bool) {
	s.ends.Do(func() {
		for _, c := range []net.Conn{s.client, s.server} {
			if t, ok := c.(*net.TCPConn); ok && reset {
				_ = t.SetLinger(0)
			}
			_ = c.Close()
		}
	})
}

// upgraded notes that this is a socket, and decides what becomes of it.
func (s *passage) upgraded() {
	w := s.p.weather
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket = true
	s.p.mu.Lock()
	s.p.fate.Sockets++
	s.p.mu.Unlock()
	if s.rnd.Float64() < w.Cuts {
		s.cutAt = time.Now().Add(w.CutFrom + time.Duration(s.rnd.Float64()*float64(w.CutTo-w.CutFrom)))
		s.hole = s.rnd.Float64() < w.Holes
	}
}

// due is what is done to a chunk that passes now.
func (s *passage) due(now time.Time) (cut, hole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inAHole {
		return false, true
	}
	if s.cutAt.IsZero() || now.Before(s.cutAt) {
		return false, false
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.calm {
		return false, false
	}
	if s.hole {
		s.inAHole = true
		s.p.fate.Holes++
		return false, true
	}
	s.p.fate.Cut++
	return true, false
}

// parcel is a chunk under way.
type parcel struct {
	data []byte
	at   time.Time // of arrival at the other side
}

// pump carries one direction until either side ends. The end of one direction ends the connection: HTTP and WebSocket
// do not go on with half of one.
func (s *passage) pump(from, to net.Conn, rnd *rand.Rand, up bool) {
	queue := make(chan parcel, proxyQueue)
	var writing sync.WaitGroup
	writing.Go(func() {
		if err := s.deliver(queue, to, rnd); err != nil {
			_ = from.Close() // the reader ends
			for range queue {
				continue // it may wait for room
			}
		}
	})
	defer writing.Wait()
	defer close(queue)
	w := s.p.weather
	delays := rand.New(rand.NewPCG(w.Seed+3, rnd.Uint64()))
	var last time.Time
	buf := make([]byte, proxyChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if up && bytes.Contains(buf[:min(n, 4096)], []byte("\r\nUpgrade: websocket\r\n")) {
				s.upgraded()
			}
			at := time.Now().Add(w.Delay)
			if w.Jitter > 0 {
				at = at.Add(time.Duration(delays.Int64N(int64(w.Jitter))))
			}
			if at.Before(last) {
				at = last
			}
			last = at
			queue <- parcel{bytes.Clone(buf[:n]), at}
		}
		if err != nil {
			return
		}
	}
}

var errCut = errors.New("cut")

// deliver writes what is due, until the queue or the connection ends.
func (s *passage) deliver(queue <-chan parcel, to net.Conn, rnd *rand.Rand) error {
	defer s.finish(to)
	for c := range queue {
		if wait := time.Until(s.p.afterStall(c.at)); wait > 0 {
			time.Sleep(wait)
		}
		switch cut, hole := s.due(time.Now()); {
		case hole:
			continue
		case cut:
			_, _ = to.Write(c.data[:len(c.data)/2]) // in the middle of a frame
			s.end(rnd.IntN(2) == 0)
			return errCut
		}
		if err := s.write(to, c.data, rnd); err != nil {
			return err
		}
	}
	return nil
}

// finish lets the other side know that nothing more will come.
func (s *passage) finish(to net.Conn) { _ = to.Close() }

// afterStall is when something that is due at some time can pass.
func (p *Proxy) afterStall(at time.Time) time.Time {
	w := p.weather
	if w.StallEvery <= 0 {
		return at
	}
	since := at.Sub(p.began)
	if rest := since % w.StallEvery; since >= w.StallEvery && rest < w.Stall {
		return at.Add(w.Stall - rest)
	}
	return at
}

// write sends a chunk, whole or split.
func (s *passage) write(to net.Conn, data []byte, rnd *rand.Rand) error {
	if rnd.Float64() >= s.p.weather.Splits {
		_, err := to.Write(data)
		return err
	}
	pieces := func(data []byte) ([]byte, error) {
		for n := 0; n < splitPieces && len(data) > 0; n++ {
			size := min(len(data), 1+rnd.IntN(maxPiece))
			if _, err := to.Write(data[:size]); err != nil {
				return data, err
			}
			data = data[size:]
		}
		return data, nil
	}
	rest, err := pieces(data)
	if err != nil {
		return err
	}
	if tail := splitPieces * (maxPiece + 1) / 2; len(rest) > tail {
		if _, err := to.Write(rest[:len(rest)-tail]); err != nil {
			return err
		}
		rest = rest[len(rest)-tail:]
	}
	for len(rest) > 0 && err == nil {
		rest, err = pieces(rest)
	}
	return err
}
