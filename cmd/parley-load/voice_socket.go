package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// The opcodes of RFC 6455 that are used here.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
)

// socket is one end of a WebSocket in the rig, after its handshake. It belongs to the rig's goroutine.
type socket struct {
	fd      int
	file    *os.File // keeps fd
	client  bool     // masks what it sends
	in      []byte   // received, in[:n] not yet parsed
	n       int
	out     []byte // did not fit into the kernel's buffer yet
	scratch []byte
	gone    bool
	message func(raw []byte, now time.Duration)
}

// newSocket takes the connection over from Go's network poller. early is what was read behind the handshake.
func newSocket(conn net.Conn, client bool, early []byte) (*socket, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.New("not a TCP connection")
	}
	file, err := tcp.File()
	_ = conn.Close() // file is a copy
	if err != nil {
		return nil, err
	}
	s := &socket{fd: int(file.Fd()), file: file, client: client, in: make([]byte, 4096)}
	if len(early) > len(s.in) {
		s.in = make([]byte, len(early))
	}
	s.n = copy(s.in, early)
	return s, nil
}

// receive reads once and hands on every complete message.
func (s *socket) receive(clock func() time.Duration) error {
	if s.n == len(s.in) {
		s.in = append(s.in, make([]byte, len(s.in))...)
	}
	n, again, err := readSocket(s.fd, s.in[s.n:])
	if again {
		return nil
	}
	if err != nil || n == 0 {
		return errors.Join(errors.New("the connection was cut"), err)
	}
	s.n += n
	return s.parse(clock())
}

// parse takes the complete frames out of in.
func (s *socket) parse(now time.Duration) error {
	at := 0
	for {
		op, payload, size, err := parseFrame(s.in[at:s.n])
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		at += size
		switch op {
		case opText:
			s.message(payload, now)
		case opPing:
			s.send(opPong, payload)
		case opClose:
			s.gone = true
			return nil
		}
	}
	s.n = copy(s.in, s.in[at:s.n])
	return nil
}

// parseFrame reads one frame and unmasks its payload in place; size 0 means that it is not complete yet.
// Nobody who is measured sends fragments: one is an error.
func parseFrame(b []byte) (op byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	if b[0]&0x80 == 0 || b[0]&0x70 != 0 {
		return 0, nil, 0, fmt.Errorf("a WebSocket frame begins with %#x", b[0])
	}
	op, head, length := b[0]&0x0F, 2, int(b[1]&0x7F)
	switch {
	case length == 126 && len(b) >= 4:
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case length == 127 && len(b) >= 10:
		head, length = 10, int(binary.BigEndian.Uint64(b[2:])&(1<<32-1))
	case length >= 126:
		return 0, nil, 0, nil
	}
	masked := b[1]&0x80 != 0
	if masked {
		head += 4
	}
	if len(b) < head+length {
		return 0, nil, 0, nil
	}
	payload = b[head : head+length]
	if masked {
		unmask(payload, [4]byte(b[head-4:head]))
	}
	return op, payload, head + length, nil
}

func unmask(b []byte, key [4]byte) {
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	k |= k << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// appendFrame appends a whole frame. A client masks with zeros: that changes no byte here and costs the
// receiver what any mask costs it.
func appendFrame(dst []byte, op byte, client bool, payload []byte) []byte {
	mask := byte(0)
	if client {
		mask = 0x80
	}
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, mask|byte(n))
	case n < 1<<16:
		dst = append(dst, mask|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(n))
	}
	if client {
		dst = append(dst, 0, 0, 0, 0)
	}
	return append(dst, payload...)
}

// text sends one message. What the kernel does not take now goes before what is sent next.
func (s *socket) text(raw []byte) { s.send(opText, raw) }

func (s *socket) send(op byte, payload []byte) {
	if s.gone {
		return
	}
	if len(s.out) > 0 {
		s.out = appendFrame(s.out, op, s.client, payload)
		s.flush()
		return
	}
	s.scratch = appendFrame(s.scratch[:0], op, s.client, payload)
	n, err := writeSocket(s.fd, s.scratch)
	if err != nil {
		s.gone = true
		return
	}
	s.out = append(s.out, s.scratch[n:]...)
}

func (s *socket) flush() {
	n, err := writeSocket(s.fd, s.out)
	if err != nil {
		s.gone = true
		return
	}
	s.out = s.out[:copy(s.out, s.out[n:])]
}

func (s *socket) close() error { return s.file.Close() }
