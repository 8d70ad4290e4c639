package ws

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// pipe is a connection whose Write never waits: it gives the kernel what the kernel takes at once, keeps the
// rest, and lets a goroutine of its own, which only then exists, write that. So whoever sends a message writes
// it, and a frame of audio costs no change of goroutine on its way out. Under TLS it takes the records. Safe for
// concurrent use.
type pipe struct {
	net.Conn
	raw syscall.RawConn // nil: the kernel cannot be asked, everything goes the slow way

	mu       sync.Mutex
	now      []byte // being given to the kernel by try
	took     int
	tryErr   error
	try      func(fd uintptr) bool
	rest     []byte // to be written after what drain is writing
	draining bool
	drained  sync.Cond
	err      error
	limit    int           // of rest, bytes
	timeout  time.Duration // for the peer to take what drain writes
	failed   func(error)   // told when drain fails
}

// newPipe takes over a connection. own should follow.
func newPipe(c net.Conn) *pipe {
	p := &pipe{Conn: c, raw: rawOf(c), limit: 1 << 20, timeout: 5 * time.Second, failed: func(error) {}}
	p.drained.L = &p.mu
	p.try = func(fd uintptr) bool {
		p.took, p.tryErr = writeNow(fd, p.now)
		return true // whatever happened: do not wait until more fits
	}
	return p
}

// own sets the bounds and who is told, without a lock held, that the peer does not take what was kept for it.
func (p *pipe) own(bytes int, timeout time.Duration, failed func(error)) {
	p.mu.Lock()
	p.limit, p.timeout, p.failed = bytes, timeout, failed
	p.mu.Unlock()
}

// backlog is how many bytes wait for the peer.
func (p *pipe) backlog() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rest)
}

// Write takes all of b or fails for good.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	n := 0
	if p.raw != nil && !p.draining {
		p.now = b
		err := p.raw.Write(p.try)
		p.now = nil
		if err == nil {
			err = p.tryErr
		}
		if err != nil {
			p.err = &net.OpError{Op: "write", Net: "tcp", Err: err}
			return 0, p.err
		}
		n = p.took
	}
	if n == len(b) {
		return n, nil
	}
	if len(p.rest)+len(b)-n > p.limit {
		p.err = ErrSlowPeer
		return n, p.err
	}
	p.rest = append(p.rest, b[n:]...)
	if !p.draining {
		p.draining = true
		go p.drain()
	}
	return len(b), nil
}

// drain writes the rest until there is none.
func (p *pipe) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.rest) > 0 && p.err == nil {
		batch := p.rest
		p.rest = nil
		timeout, failed := p.timeout, p.failed
		p.mu.Unlock()
		_ = p.SetWriteDeadline(time.Now().Add(timeout))
		_, err := p.Conn.Write(batch)
		_ = p.SetWriteDeadline(time.Time{})
		if err != nil {
			failed(err)
		}
		p.mu.Lock()
		if p.err == nil {
			p.err = err
		}
	}
	p.rest, p.draining = nil, false
	p.drained.Broadcast()
}

// CloseWrite says that nothing more comes, where the connection can.
func (p *pipe) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// wait returns when nothing is being written; after Close that is at once.
func (p *pipe) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.draining {
		p.drained.Wait()
	}
}
