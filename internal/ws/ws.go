// Package ws wraps one WebSocket so that the audio path never waits for a peer: sends go to the kernel at once, and
// what it does not take is kept in a bounded buffer and written by a goroutine under a deadline; reads are
// size-limited.
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

// keepBytes is the largest buffer that a connection keeps.
const keepBytes = 64 << 10

// ErrSlowPeer says that the peer did not read fast enough and the send queue is full.
var ErrSlowPeer = errors.New("websocket: send queue full, peer reads too slowly")

// ErrClosed says that the connection was closed on this side.
var ErrClosed = errors.New("websocket: closed")

// Conn is one WebSocket. Send, Close and CloseNow are safe for concurrent use; Read belongs to one goroutine.
// It has no goroutine of its own until it closes, or its peer does not read.
type Conn struct {
	c    *websocket.Conn
	pipe *pipe
	opt  Options

	client bool // this side dialed: it masks

	mu      sync.Mutex // also keeps messages in the order of Send
	frame   []byte     // send's buffer, reused
	closing bool
	status  websocket.StatusCode // of our goodbye
	reason  string
	err     error

	ping *time.Timer   // nil: no keep-alive
	ends sync.Once     // starts the end
	done chan struct{} // closed when the socket is

	buf []byte // Read's buffer, reused
}

// New takes over an established WebSocket.
func New(s Socket, opt Options) *Conn {
	if opt.ReadLimit == 0 {
		opt.ReadLimit = 1 << 20
	}
	if opt.QueueBytes == 0 {
		opt.QueueBytes = 1 << 20
	}
	if opt.WriteTimeout == 0 {
		opt.WriteTimeout = 5 * time.Second
	}
	s.SetReadLimit(opt.ReadLimit)
	// The library's own frames, answers to pings, come on top of the queue.
	w := &Conn{c: s.Conn, pipe: s.pipe, client: s.client, opt: opt, done: make(chan struct{})}
	s.pipe.own(2*opt.QueueBytes+4096, opt.WriteTimeout, w.lose)
	if opt.PingEvery > 0 {
		w.mu.Lock() // the timer may only fire when the variable is set
		w.ping = time.AfterFunc(opt.PingEvery, w.keepAlive)
		w.mu.Unlock()
	}
	return w
}

// Send sends one text message, or queues what the peer does not take now; it copies msg and never blocks. The
// error is ErrSlowPeer when the queue is full, and otherwise the reason why the connection is gone.
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
	case w.pipe.backlog()+len(msg) > w.opt.QueueBytes:
		return ErrSlowPeer
	}
	w.frame = appendFrame(w.frame[:0], typ, w.client, msg)
	_, err := w.pipe.Write(w.frame)
	if cap(w.frame) > keepBytes {
		w.frame = nil
	}
	if err != nil {
		w.err = err
		w.end()
	}
	return w.err
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
	w.end()
}

// CloseNow drops what is queued and tears the connection down.
func (w *Conn) CloseNow() { w.lose(ErrClosed) }

func (w *Conn) lose(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	_ = w.c.CloseNow()
	w.end()
}

// Done is closed when the socket is closed and nothing of the connection is left.
func (w *Conn) Done() <-chan struct{} { return w.done }

// end says goodbye, or only cleans up when there is nobody to say it to.
func (w *Conn) end() { w.ends.Do(func() { go w.finish() }) }

func (w *Conn) finish() {
	defer close(w.done)
	w.mu.Lock()
	status, reason, lost := w.status, w.reason, w.err != nil
	if w.err == nil {
		w.err = ErrClosed
	}
	if w.ping != nil {
		w.ping.Stop()
	}
	w.mu.Unlock()
	if !lost {
		// The closing handshake waits for the peer, who must first take what is queued; this bounds it.
		bound := time.AfterFunc(2*w.opt.WriteTimeout, func() { _ = w.c.CloseNow() })
		_ = w.c.Close(status, reason)
		bound.Stop()
	}
	_ = w.c.CloseNow()
	w.pipe.wait()
}

// keepAlive checks the peer and arms itself again; a peer without a pong is dead.
func (w *Conn) keepAlive() {
	ctx, cancel := context.WithTimeout(context.Background(), w.opt.WriteTimeout)
	defer cancel()
	if err := w.c.Ping(ctx); err != nil {
		w.lose(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.ping.Reset(w.opt.PingEvery)
	}
}
