package ws

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	answerTime = 5 * time.Second // for the answer to a goodbye, unless WriteTimeout is less
	lingerTime = time.Second     // for a peer that broke the protocol to read why
	partBytes  = 8 << 20         // what a peer can have under way when it gets the goodbye
)

// Close sends what is queued and says goodbye with status 1000. It returns at once; Done tells when the connection
// is gone: the peer has taken everything and answered, or has had its time for both.
func (w *Conn) Close() { w.CloseWith(StatusNormal, "") }

// CloseWith is Close with a status of RFC 6455 and a reason of at most 123 bytes. The first Close decides.
func (w *Conn) CloseWith(status int, reason string) {
	w.goodbye(status, reason)
	w.end()
}

// CloseNow drops what is queued and tears the connection down, without a goodbye.
func (w *Conn) CloseNow() { w.lose(ErrClosed) }

// Done is closed when the socket is closed and nothing of the connection is left.
func (w *Conn) Done() <-chan struct{} { return w.done }

// goodbye sends a close frame behind everything else, once.
func (w *Conn) goodbye(status int, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing || w.err != nil {
		return
	}
	w.closing = true
	_ = w.write(opClose, appendClose(nil, status, reason))
}

// lose gives the connection up. It does not wait: TLS gets no word either.
func (w *Conn) lose(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	_ = wire(w.conn).Close()
	w.end()
}

// wire is the connection under pipe and TLS.
func wire(c net.Conn) net.Conn {
	for {
		switch over := c.(type) {
		case *pipe:
			c = over.Conn
		case *tls.Conn:
			c = over.NetConn()
		default:
			return c
		}
	}
}

// stop notes why nothing more can be read, and ends the connection; reading must be held.
func (w *Conn) stop(err error) error {
	w.in.drop()
	var peer *CloseError
	var wrong *violation
	switch {
	case errors.As(err, &peer):
		w.CloseWith(peer.Status, "")
	case errors.As(err, &wrong):
		w.CloseWith(wrong.status, wrong.text)
	default:
		err = w.why(err)
		w.lose(err)
	}
	w.readErr = err
	return err
}

// why says what a failed read means.
func (w *Conn) why(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return w.err
	case w.closing:
		return ErrClosed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	}
	return fmt.Errorf("websocket: %w", err)
}

// end starts the end: a goodbye that was sent gets its answer, then everything is closed.
func (w *Conn) end() { w.ends.Do(func() { go w.finish() }) }

func (w *Conn) finish() {
	defer close(w.done)
	w.mu.Lock()
	lost := w.err != nil
	if w.ping != nil {
		w.ping.Stop()
	}
	w.mu.Unlock()
	if !lost {
		w.pipe.wait() // the goodbye stands behind what is queued; the pipe has its own deadline
		bound := time.AfterFunc(min(w.opt.WriteTimeout, answerTime), w.CloseNow)
		w.part()
		_ = w.conn.Close() // TLS says goodbye too
		bound.Stop()
	}
	w.lose(ErrClosed)
	w.pipe.wait()
}

// part reads until the peer has said goodbye or is gone; what it sends before that is lost. A read that is under
// way goes on.
func (w *Conn) part() {
	if err := w.discard(); errors.As(err, new(*violation)) {
		w.linger()
	}
}

// discard reads on in the reader's place until nothing more can be read, and says why.
func (w *Conn) discard() error {
	w.reading.Lock()
	defer w.reading.Unlock()
	w.in.keepHanded()
	fill, left := w.in.fill, partBytes
	w.in.fill = func(r *reader) error {
		if left <= 0 {
			return ErrClosed
		}
		before := r.have
		err := fill(r)
		left -= r.have - before
		return err
	}
	for w.readErr == nil {
		_, _, _ = w.read()
	}
	return w.readErr
}

// linger lets a peer that broke the protocol read the goodbye: closing while it sends would take that from it.
func (w *Conn) linger() {
	_ = w.conn.SetReadDeadline(time.Now().Add(lingerTime))
	if c, ok := w.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	buf := takeBuffer(smallBytes)
	defer giveBuffer(buf)
	for left := partBytes; left > 0; {
		n, err := w.conn.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}
