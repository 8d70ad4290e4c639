package ws

import (
	"encoding/binary"
	"math/rand/v2"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation byte = 0x0
	opText         byte = 0x1
	opBinary       byte = 0x2
	opClose        byte = 0x8
	opPing         byte = 0x9
	opPong         byte = 0xA
)

const (
	maxHeader  = 14  // bytes of a frame before its payload
	maxControl = 125 // bytes of a control frame's payload
)

// appendFrame appends a whole message or control frame, masked if a client sends it.
func appendFrame(dst []byte, op byte, client bool, payload []byte) []byte {
	masked := byte(0)
	if client {
		masked = 0x80
	}
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = append(dst, masked|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	if !client {
		return append(dst, payload...)
	}
	// Go's ChaCha8, seeded by the system: what RFC 6455 section 5.3 asks for.
	key := rand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

// mask masks or unmasks the whole payload of a frame.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

// header is the beginning of a frame.
type header struct {
	op     byte
	final  bool
	masked bool
	key    uint32
	length uint64
}

func (h header) control() bool { return h.op >= opClose }

// parseHeader reads the header at the start of b and checks what can be said of it alone. A size of 0 means that
// it is not complete yet.
func parseHeader(b []byte) (h header, size int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h = header{op: b[0] & 0x0F, final: b[0]&0x80 != 0, masked: b[1]&0x80 != 0, length: uint64(b[1] & 0x7F)}
	switch {
	case b[0]&0x70 != 0:
		return h, 0, errReservedBits
	case h.op > opPong || h.op > opBinary && h.op < opClose:
		return h, 0, errOpcode
	case h.control() && (!h.final || h.length > maxControl):
		return h, 0, errControl
	}
	size = 2
	switch h.length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	key := size
	if h.masked {
		size += 4
	}
	if len(b) < size {
		return h, 0, nil
	}
	switch h.length {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		h.length = binary.BigEndian.Uint64(b[2:])
		if h.length>>63 != 0 {
			return h, 0, errLength
		}
	}
	if h.masked {
		h.key = binary.LittleEndian.Uint32(b[key:])
	}
	return h, size, nil
}
