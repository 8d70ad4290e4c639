// Package ws wraps one WebSocket so that the audio path never waits for a peer: sends are queued in a bounded
// buffer and written by the connection's own goroutine under a watchdog; reads are size-limited.
//
// It knows nothing of what the messages mean, and it must stay free of Parley's other packages.
package ws

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Options bound a connection. Zero values take the defaults named at each field.
type Options struct {
	ReadLimit    int64         // largest message accepted, bytes; default 1 MiB (the library's 32 KiB is too small for Realtime)
	QueueBytes   int           // largest backlog of unwritten messages, bytes; default 1 MiB
	WriteTimeout time.Duration // a single write that takes longer kills the connection; default 5 s
	PingEvery    time.Duration // keep-alive; 0 = none. A pong must come within WriteTimeout
}

// keepBytes is the largest queue buffer that a quiet connection keeps.
const keepBytes = 64 << 10

// ErrSlowPeer says that the peer did not read fast enough and the send queue is full.
var ErrSlowPeer = errors.New("websocket: send queue full, peer reads too slowly")

// ErrClosed says that the connection was closed on this side.
var ErrClosed = errors.New("websocket: closed")

// Conn is one WebSocket. Send, Close and CloseNow are safe for concurrent use; Read belongs to one goroutine.
// Every Conn owns one writer goroutine, which ends with the connection.
type Conn struct {
	c   *websocket.Conn
	opt Options

	mu      sync.Mutex
	data    []byte // queued messages, back to back
	ends    []end  // where each of them ends
	closing bool
	status  websocket.StatusCode // of our goodbye
	reason  string
	err     error

	wake chan struct{} // capacity 1: the queue changed
	done chan struct{} // closed when the writer has ended

	buf []byte // Read's buffer, reused
}

// end is where a queued message ends in the queue's buffer, and its type.
type end struct {
	at  int
	typ websocket.MessageType
}

// New takes over an established WebSocket and starts its writer.
func New(c *websocket.Conn, opt Options) *Conn {
	if opt.ReadLimit == 0 {
		opt.ReadLimit = 1 << 20
	}
	if opt.QueueBytes == 0 {
		opt.QueueBytes = 1 << 20
	}
	if opt.WriteTimeout == 0 {
		opt.WriteTimeout = 5 * time.Second
	}
	c.SetReadLimit(opt.ReadLimit)
	w := &Conn{c: c, opt: opt, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.write()
	return w
}

// Send queues one text message; it copies msg and never blocks. The error is ErrSlowPeer when the queue is
// full, and otherwise the reason why the connection is gone.
func (w *Conn) Send(msg []byte) error { return w.send(msg, websocket.MessageText) }

// SendBinary is Send for a binary message.
func (w *Conn) SendBinary(msg []byte) error { return w.send(msg, websocket.MessageBinary) }

func (w *Conn) send(msg []byte, typ websocket.MessageType) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closing:
		return ErrClosed
	case len(w.data)+len(msg) > w.opt.QueueBytes:
		return ErrSlowPeer
	}
	w.data = append(w.data, msg...)
	w.ends = append(w.ends, end{len(w.data), typ})
	w.signal()
	return nil
}

func (w *Conn) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Read returns the next text message. The slice is valid until the next Read. A binary message is an error.
// Read ends when the peer closes, or when Close or CloseNow is called here: it takes no context on purpose,
// because the library closes the whole connection when a read's context ends.
func (w *Conn) Read() ([]byte, error) {
	msg, binary, err := w.ReadEither()
	if binary && err == nil {
		return nil, errors.New("websocket: binary message where text was expected")
	}
	return msg, err
}

// ReadEither is Read for peers that send messages of both types.
func (w *Conn) ReadEither() (msg []byte, binary bool, err error) {
	typ, r, err := w.c.Reader(context.Background())
	if err != nil {
		return nil, false, err
	}
	msg, err = w.readAll(r)
	return msg, typ == websocket.MessageBinary, err
}

func (w *Conn) readAll(r io.Reader) ([]byte, error) {
	w.buf = w.buf[:0]
	for {
		if len(w.buf) == cap(w.buf) {
			w.buf = append(w.buf, 0)[:len(w.buf)]
		}
		n, err := r.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if err == io.EOF {
			return w.buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Close lets the writer send what is queued, then says goodbye with status 1000. It returns at once; Done tells
// when the connection is gone, at most 2×WriteTimeout later.
func (w *Conn) Close() { w.CloseWith(int(websocket.StatusNormalClosure), "") }

// CloseWith is Close with a status of RFC 6455 and a reason of at most 123 bytes. The first Close decides.
func (w *Conn) CloseWith(status int, reason string) {
	w.mu.Lock()
	if !w.closing {
		w.closing, w.status, w.reason = true, websocket.StatusCode(status), reason
	}
	w.mu.Unlock()
	w.signal()
}

// CloseNow drops what is queued and tears the connection down.
func (w *Conn) CloseNow() {
	w.fail(ErrClosed)
	_ = w.c.CloseNow()
	w.signal()
}

// Done is closed when the writer has ended and the socket is closed.
func (w *Conn) Done() <-chan struct{} { return w.done }

func (w *Conn) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
}

// take swaps the queue for empty buffers.
func (w *Conn) take(data []byte, ends []end) ([]byte, []end, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, e := w.data, w.ends
	w.data, w.ends = data[:0], ends[:0]
	return d, e, w.closing || w.err != nil
}

func (w *Conn) goodbye() (websocket.StatusCode, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status, w.reason
}

func (w *Conn) write() {
	defer close(w.done)
	// One timer for all writes: contexts with deadlines would cost about a dozen allocations per frame.
	watchdog := time.AfterFunc(time.Hour, func() {
		w.fail(errors.New("websocket: write timed out"))
		_ = w.c.CloseNow()
	})
	watchdog.Stop()
	defer watchdog.Stop()

	var ping *time.Timer
	if w.opt.PingEvery > 0 {
		ping = time.AfterFunc(time.Hour, func() { w.ping(ping) })
		defer ping.Stop()
		ping.Reset(w.opt.PingEvery) // only now may it fire: the variable is set
	}

	var data []byte
	var ends []end
	for range w.wake {
		var last bool
		data, ends, last = w.take(data, ends)
		start := 0
		for _, e := range ends {
			watchdog.Reset(w.opt.WriteTimeout)
			err := w.c.Write(context.Background(), e.typ, data[start:e.at])
			watchdog.Stop()
			if err != nil {
				w.fail(err)
				_ = w.c.CloseNow()
				return
			}
			start = e.at
		}
		if cap(data) > keepBytes {
			data = nil // after a burst, do not hold its buffer for the rest of the call
		}
		if last {
			// The closing handshake waits for the peer; the watchdog bounds it.
			watchdog.Reset(w.opt.WriteTimeout)
			w.fail(ErrClosed)
			_ = w.c.Close(w.goodbye())
			return
		}
	}
}

// ping checks the peer and arms itself again; a peer without a pong is dead.
func (w *Conn) ping(again *time.Timer) {
	ctx, cancel := context.WithTimeout(context.Background(), w.opt.WriteTimeout)
	defer cancel()
	if err := w.c.Ping(ctx); err != nil {
		w.fail(err)
		_ = w.c.CloseNow()
		return
	}
	select {
	case <-w.done:
	default:
		again.Reset(w.opt.PingEvery)
	}
}
