package ws

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// rawPeer is the other end of a connection, frame by frame and with any mistake.
type rawPeer struct {
	t      *testing.T
	conn   net.Conn
	in     *bufio.Reader
	masked bool // it plays the client
}

// rawPair connects a Conn, of the side named, to a raw peer over TCP.
func rawPair(t *testing.T, client bool, opt Options) (*Conn, *rawPeer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p := newPipe(ours)
	w := New(Socket{conn: p, pipe: p, client: client}, opt)
	t.Cleanup(func() {
		w.CloseNow()
		<-w.Done()
		theirs.Close()
	})
	_ = theirs.SetDeadline(time.Now().Add(20 * time.Second))
	return w, &rawPeer{t, theirs, bufio.NewReader(theirs), !client}
}

// frame is what a table says about a frame; the zero mask of it is that of the peer's role.
type frame struct {
	head    byte // FIN, reserved bits, opcode
	payload string
	wrong   bool // masked as the other role
}

const fin = 0x80

func (f frame) append(b []byte, masked bool) []byte {
	at := len(b)
	b = appendFrame(b, 0, masked != f.wrong, []byte(f.payload))
	b[at] = f.head
	return b
}

func (p *rawPeer) send(frames ...frame) {
	p.t.Helper()
	var b []byte
	for _, f := range frames {
		b = f.append(b, p.masked)
	}
	p.write(b)
}

func (p *rawPeer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next frame that the Conn sent, whose mask is checked.
func (p *rawPeer) receive() (op byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(p.in, head); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != fin || head[1]&0x80 != 0 == p.masked {
		return 0, nil, fmt.Errorf("a frame begins with %x", head)
	}
	n := int(head[1] & 0x7F)
	if n > 125 {
		return 0, nil, errors.New("a long frame, of which this peer knows none")
	}
	var key [4]byte
	if !p.masked {
		if _, err := io.ReadFull(p.in, key[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(p.in, payload)
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0] & 0x0F, payload, err
}

// receiveClose returns the status of the next frame, which must say goodbye.
func (p *rawPeer) receiveClose() int {
	p.t.Helper()
	op, payload, err := p.receive()
	switch {
	case err != nil || op != opClose:
		p.t.Fatalf("got opcode %d, %q, %v; want a goodbye", op, payload, err)
	case len(payload) == 0:
		return StatusNone
	}
	return int(binary.BigEndian.Uint16(payload))
}

// receiveEOF checks that nothing follows.
func (p *rawPeer) receiveEOF() {
	p.t.Helper()
	if op, payload, err := p.receive(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("got opcode %d, %q, %v; want the end", op, payload, err)
	}
}
