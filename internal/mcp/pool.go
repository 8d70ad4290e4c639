package mcp

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

var (
	errClosed = errors.New("mcp: closed")
	// ErrBusy is a call beyond the bound of sessions.
	ErrBusy = errors.New("mcp: too many sessions with servers at once")
)

// Pool keeps sessions with servers between calls. It is safe for concurrent use and must be closed.
type Pool struct {
	version       string
	idle, patient time.Duration

	ctx    context.Context // the pool's life, which bounds what it does in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	entries map[string]*entry
	each    map[string]int // by owner
	all     int
}

// entry is a session that is kept: its users call on it side by side.
type entry struct {
	key, owner string
	ready      chan struct{} // closed when session or err is there
	session    *sdk.ClientSession
	err        error

	// Guarded by the pool.
	users int
	gone  bool // no new user finds it; the last one closes it
	timer *time.Timer
}

// NewPool makes an empty Pool.
func NewPool(o Options) *Pool {
	p := &Pool{version: cmp.Or(o.Version, "dev"), idle: cmp.Or(o.Idle, time.Minute), patient: cmp.Or(o.Connect, 10*time.Second),
		entries: map[string]*entry{}, each: map[string]int{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// enter counts something under way, unless the pool is closed.
func (p *Pool) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.wg.Add(1)
	}
	return !p.closed
}

// take finds the session with a server, or begins one, and waits for it. kept says that it was there before. The
// caller leaves it.
func (p *Pool) take(ctx context.Context, s Server) (e *entry, kept bool, err error) {
	e, kept, err = p.find(s)
	if err != nil {
		return nil, false, err
	}
	select {
	case <-e.ready:
		err = e.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		p.leave(e, e.failed())
		return nil, false, err
	}
	return e, kept, nil
}

// failed reports whether the session could not be begun.
func (e *entry) failed() bool {
	select {
	case <-e.ready:
		return e.err != nil
	default:
		return false
	}
}

func (p *Pool) find(s Server) (e *entry, kept bool, err error) {
	key := s.key()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, errClosed
	}
	if e := p.entries[key]; e != nil {
		p.wg.Add(1)
		e.users++
		if e.timer != nil {
			e.timer.Stop()
		}
		return e, true, nil
	}
	if p.full(s.Owner) {
		p.evict(s.Owner)
	}
	if p.full(s.Owner) {
		return nil, false, ErrBusy
	}
	e = &entry{key: key, owner: s.Owner, ready: make(chan struct{}), users: 1}
	p.wg.Add(1)
	p.entries[key] = e
	p.all++
	p.each[s.Owner]++
	p.wg.Go(func() { // not in the caller's time: others may wait for the same session
		defer close(e.ready)
		ctx, cancel := context.WithTimeout(p.ctx, p.patient)
		defer cancel()
		ctx, t := withTrip(ctx)
		defer t.cancel()
		if e.session, e.err = p.connect(ctx, s); e.err != nil {
			e.err = t.explain(e.err)
		}
	})
	return e, false, nil
}

// full reports whether there is no place for another session of an owner.
func (p *Pool) full(owner string) bool { return p.all >= maxSessions || p.each[owner] >= maxEach }

// evict makes room by ending one session that nobody uses: one of the owner, when it is the owner who has too many.
func (p *Pool) evict(owner string) {
	own := p.each[owner] >= maxEach
	for _, e := range p.entries {
		if e.users == 0 && (!own || e.owner == owner) {
			p.forget(e)
			p.end(e)
			return
		}
	}
}

// leave gives a session back. A broken one is found by nobody any more.
func (p *Pool) leave(e *entry, broken bool) {
	defer p.wg.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	e.users--
	if broken {
		p.forget(e)
	}
	switch {
	case e.users > 0:
	case e.gone:
		p.end(e)
	default:
		e.timer = time.AfterFunc(p.idle, func() { p.expire(e) })
	}
}

func (p *Pool) expire(e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.users == 0 && !e.gone {
		p.forget(e)
		p.end(e)
	}
}

// forget takes an entry out. The mutex is held.
func (p *Pool) forget(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	if e.timer != nil {
		e.timer.Stop()
	}
	delete(p.entries, e.key)
}

// end closes a session that nobody uses or finds, in the background: the server is told. The mutex is held.
func (p *Pool) end(e *entry) {
	p.all--
	if p.each[e.owner]--; p.each[e.owner] == 0 {
		delete(p.each, e.owner)
	}
	p.wg.Go(func() {
		<-e.ready // bounded by the time for connecting
		if e.session != nil {
			_ = e.session.Close() // tells the server, for 5 s at most
		}
	})
}

// discard closes a session that was never kept. The caller has entered.
func (p *Pool) discard(session *sdk.ClientSession) {
	p.wg.Go(func() { _ = session.Close() })
}

// Close ends all sessions and waits until that is done, some seconds at most. Calls under way fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, e := range p.entries {
		p.forget(e)
		if e.users == 0 {
			p.end(e)
		}
	}
	p.mu.Unlock()
	p.cancel()
	p.wg.Wait()
	return nil
}
