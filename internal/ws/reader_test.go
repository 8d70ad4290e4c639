package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf8"
)

// takeApart runs a server's reader over a stream that comes in pieces of at most piece bytes.
func takeApart(stream []byte, piece, limit int) (messages, pings []string, err error) {
	r := reader{limit: limit}
	r.control = func(op byte, payload []byte) {
		if op == opPing {
			pings = append(pings, string(payload))
		}
	}
	r.fill = func(r *reader) error {
		if r.buf == nil {
			r.buf = takeBuffer(tinyBytes)
		}
		if len(stream) == 0 {
			return io.EOF
		}
		n := copy(r.buf[r.have:], stream[:min(piece, len(stream))])
		stream, r.have = stream[n:], r.have+n
		return nil
	}
	for {
		op, msg, err := r.read()
		if err != nil {
			r.drop()
			return messages, pings, err
		}
		messages = append(messages, brief(bytes.Clone(msg), op == opBinary))
	}
}

// model is the simplest reader there is: it has the whole stream at once.
func model(stream []byte, limit int) (messages, pings []string, status int) {
	var msg []byte
	kind := byte(0)
	for {
		if len(stream) < 2 {
			return messages, pings, 0
		}
		first, second := stream[0], stream[1]
		op, n, rest := first&0x0F, uint64(second&0x7F), stream[2:]
		if first&0x70 != 0 || !slices.Contains([]byte{0, 1, 2, 8, 9, 10}, op) || op >= 8 && (first&0x80 == 0 || n > 125) {
			return messages, pings, 1002
		}
		extra := map[uint64]int{126: 2, 127: 8}[n]
		masked := second&0x80 != 0
		if need := extra + map[bool]int{true: 4}[masked]; len(rest) < need {
			return messages, pings, 0
		}
		if extra > 0 {
			n = binary.BigEndian.Uint64(append(make([]byte, 8-extra), rest[:extra]...))
			rest = rest[extra:]
		}
		if n>>63 != 0 || !masked || op == 0 && kind == 0 || (op == 1 || op == 2) && kind != 0 {
			return messages, pings, 1002
		}
		if op < 8 && n > uint64(limit-len(msg)) {
			return messages, pings, 1009
		}
		key := rest[:4]
		if rest = rest[4:]; uint64(len(rest)) < n {
			return messages, pings, 0
		}
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = rest[i] ^ key[i%4]
		}
		stream = rest[n:]
		switch op {
		case 8:
			var wrong *violation
			if errors.As(parseClose(payload), &wrong) {
				return messages, pings, wrong.status
			}
			return messages, pings, 1000
		case 9:
			pings = append(pings, string(payload))
			continue
		case 10:
			continue
		case 1, 2:
			kind = op
		}
		msg = append(msg, payload...)
		if first&0x80 != 0 {
			if kind == 1 && !utf8.Valid(msg) {
				return messages, pings, 1007
			}
			messages = append(messages, brief(msg, kind == 2))
			msg, kind = nil, 0
		}
	}
}

// FuzzReader compares the reader with the model, whatever comes and in whatever pieces.
func FuzzReader(f *testing.F) {
	for _, c := range conformance {
		var stream []byte
		for _, fr := range c.frames {
			stream = fr.append(stream, true)
		}
		if len(stream) < 2000 {
			f.Add(stream, uint16(len(stream)))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		compare(t, stream, int(piece)+1)
	})
}

func compare(t *testing.T, stream []byte, piece int) {
	const limit = 10_000
	messages, pings, err := takeApart(bytes.Clone(stream), piece, limit)
	wantMessages, wantPings, wantStatus := model(stream, limit)
	if !slices.Equal(messages, wantMessages) || !slices.Equal(pings, wantPings) {
		t.Fatalf("%x in pieces of %d: messages %q, pings %q; want %q, %q", stream, piece, messages, pings, wantMessages, wantPings)
	}
	status := 0
	var wrong *violation
	switch {
	case CloseStatus(err) >= 0:
		status = 1000
	case errors.As(err, &wrong):
		status = wrong.status
	}
	if status != wantStatus {
		t.Fatalf("%x in pieces of %d ended with %v, want status %d", stream, piece, err, wantStatus)
	}
}

// TestReaderAgainstModel mixes right and wrong frames at random: more of the states than a fuzzer finds in seconds.
func TestReaderAgainstModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var stream []byte
		for range rng.IntN(12) {
			f := frame{head: []byte{0, fin, 1, fin | 1, 2, fin | 2, fin | 9, fin | 10}[rng.IntN(8)]}
			f.payload = string(bytes.Repeat([]byte{'a' + byte(rng.IntN(26))}, []int{0, 1, 5, 125, 300, 3000}[rng.IntN(6)]))
			if rng.IntN(60) == 0 {
				f.head ^= 1 << rng.IntN(8)
			}
			f.wrong = rng.IntN(200) == 0
			stream = f.append(stream, true)
		}
		compare(t, stream, 1+rng.IntN(5000))
	}
}

// TestReaderHoldsNothing: after a message was handed out and read on from, no buffer is left; and what a header
// promises is not allocated before it comes.
func TestReaderHoldsNothing(t *testing.T) {
	t.Parallel()
	var stream []byte
	held := -1
	r := reader{limit: 64 << 20, control: func(byte, []byte) {}}
	r.fill = func(r *reader) error {
		if len(stream) == 0 {
			held = len(r.buf)
			return io.EOF
		}
		if r.buf == nil {
			r.buf = takeBuffer(tinyBytes)
		}
		n := copy(r.buf[r.have:], stream)
		stream, r.have = stream[n:], r.have+n
		return nil
	}
	stream = appendFrame(nil, opText, true, bytes.Repeat([]byte("x"), 100_000))
	if _, msg, err := r.read(); err != nil || len(msg) != 100_000 {
		t.Fatalf("%d bytes, %v", len(msg), err)
	}
	stream = appendFrame(nil, opPing, true, []byte("p"))
	if _, _, err := r.read(); !errors.Is(err, io.EOF) || held != 0 {
		t.Errorf("%d bytes are held at rest (%v)", held, err)
	}
	stream = []byte{fin | 2, 0x80 | 127, 0, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3, 4, 'x'} // 48 MiB
	if _, _, err := r.read(); !errors.Is(err, io.EOF) || held > smallBytes {
		t.Errorf("%d bytes are held for one (%v)", held, err)
	}
}
