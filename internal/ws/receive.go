package ws

import (
	"io"
	"net"
	"syscall"
)

// fillFrom returns what fills a reader from a connection. Of a TCP connection the kernel is asked, so that no
// buffer waits with the reader; of others, TLS above all, a tiny one does.
func fillFrom(c net.Conn) func(*reader) error {
	if raw := rawOf(c); raw != nil {
		s := &rawSource{raw: raw}
		s.try = s.receive
		return s.fill
	}
	return func(r *reader) error {
		if r.buf == nil {
			r.buf = takeBuffer(tinyBytes)
		}
		n, err := c.Read(r.buf[r.have:])
		r.have += n
		if n > 0 {
			return nil // the error comes again
		}
		return err
	}
}

// rawSource fills a reader from the kernel.
type rawSource struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // receive, bound once

	into *reader
	err  error
}

func (s *rawSource) fill(r *reader) error {
	s.into, s.err = r, nil
	err := s.raw.Read(s.try)
	s.into = nil
	if err == nil {
		err = s.err
	}
	return err
}

// receive reports false when there is nothing yet: it is called again when there is.
func (s *rawSource) receive(fd uintptr) bool {
	r := s.into
	borrowed := r.buf == nil
	if borrowed {
		r.buf = takeBuffer(smallBytes)
	}
	n, again, err := readNow(fd, r.buf[r.have:])
	r.have += n
	if n == 0 && borrowed {
		giveBuffer(r.buf)
		r.buf = nil
	}
	if n == 0 && !again && err == nil {
		err = io.EOF
	}
	s.err = err
	return !again
}

// rawOf is how the kernel is asked about a connection without a layer between, or nil. It does not ask for the
// interface: what wraps a connection, to encrypt or to count, may have the method and must not be bypassed.
func rawOf(c net.Conn) syscall.RawConn {
	if !canAsk {
		return nil
	}
	if p, ok := c.(*pipe); ok {
		c = p.Conn
	}
	var asked syscall.Conn
	switch c := c.(type) {
	case *net.TCPConn:
		asked = c
	case *net.UnixConn:
		asked = c
	default:
		return nil
	}
	raw, err := asked.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
