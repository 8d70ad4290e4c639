// Package ws is one WebSocket (RFC 6455) for the audio path, which never waits for a peer: sends go to the kernel
// at once, and what it does not take is kept in a bounded buffer and written by a goroutine under a deadline; reads
// are size-limited. A silent connection holds neither a buffer nor, but for its reader, a goroutine.
//
// It knows nothing of what the messages mean, and it must stay free of Parley's other packages.
package ws

import (
	"net"
	"sync"
	"time"
)

// Options bound a connection. Zero values take the defaults named at each field.
type Options struct {
	ReadLimit    int           // largest message accepted, bytes; default 1 MiB
	QueueBytes   int           // largest backlog of unwritten messages, bytes; default 1 MiB
	WriteTimeout time.Duration // a single write that takes longer kills the connection; default 5 s
	PingEvery    time.Duration // keep-alive; 0 = none. A pong must come within WriteTimeout, which needs a Read that waits for it
}

// Conn is one WebSocket. Send, Close and CloseNow are safe for concurrent use; Read belongs to one goroutine.
// It has no goroutine of its own until it closes, or its peer does not read.
type Conn struct {
	conn   net.Conn
	pipe   *pipe
	opt    Options
	client bool // this side dialed: it masks

	mu      sync.Mutex // also keeps messages in the order of Send
	closing bool       // a goodbye was sent: nothing follows it
	err     error      // why nothing can be sent any more

	ping    *time.Timer // nil: no keep-alive
	pings   uint32      // of the last ping sent
	pending bool        // it was not answered yet

	ends sync.Once     // starts the end
	done chan struct{} // closed when the socket is

	reading sync.Mutex // held while something is read
	in      reader
	readErr error // why nothing more can be read
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
	w := &Conn{conn: s.conn, pipe: s.pipe, client: s.client, opt: opt, done: make(chan struct{})}
	w.in = reader{client: s.client, limit: opt.ReadLimit, fill: fillFrom(s.conn), control: w.control}
	w.in.begin(s.early)
	// Control frames and TLS come on top of the queue.
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
func (w *Conn) Send(msg []byte) error { return w.send(opText, msg) }

// SendBinary is Send for a binary message.
func (w *Conn) SendBinary(msg []byte) error { return w.send(opBinary, msg) }

func (w *Conn) send(op byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closing:
		return ErrClosed
	case w.pipe.backlog()+len(payload) > w.opt.QueueBytes:
		return ErrSlowPeer
	}
	return w.write(op, payload)
}

// write writes one frame; the lock must be held.
func (w *Conn) write(op byte, payload []byte) error {
	buf := takeBuffer(maxHeader + len(payload))
	_, err := w.conn.Write(appendFrame(buf[:0], op, w.client, payload))
	giveBuffer(buf)
	if err != nil && w.err == nil {
		w.err = err
		w.end()
	}
	return err
}

// Read returns the next text message. The slice is valid until the next Read. A binary message is an error.
// Read ends when the peer closes, or when Close or CloseNow is called here; every error is the last. It is a
// *CloseError when the peer said goodbye, io.ErrUnexpectedEOF when it went without, ErrTooBig, or words about what
// it did wrong; ErrClosed after our own Close.
func (w *Conn) Read() ([]byte, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	op, msg, err := w.read()
	if op == opBinary {
		return nil, w.stop(errBinaryMessage)
	}
	return msg, err
}

// ReadEither is Read for peers that send messages of both types.
func (w *Conn) ReadEither() (msg []byte, binary bool, err error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	op, msg, err := w.read()
	return msg, op == opBinary, err
}

// read reads a message; reading must be held.
func (w *Conn) read() (op byte, msg []byte, err error) {
	if w.readErr != nil {
		return 0, nil, w.readErr
	}
	op, msg, err = w.in.read()
	if err != nil {
		return 0, nil, w.stop(err)
	}
	return op, msg, nil
}
