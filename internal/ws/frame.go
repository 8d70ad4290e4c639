package ws

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/coder/websocket"
)

// appendFrame appends a message as one frame (RFC 6455 section 5.2), masked if a client sends it. The library's own
// Write takes several locks and a system call for the mask; its frames (pings, pongs, closing) go through the same
// pipe, each in one piece, so that the two do not mix.
func appendFrame(dst []byte, typ websocket.MessageType, client bool, msg []byte) []byte {
	masked := byte(0)
	if client {
		masked = 0x80
	}
	dst = append(dst, 0x80|byte(typ)) // the whole message; the library's types are the opcodes
	switch n := len(msg); {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = append(dst, masked|126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	if !client {
		return append(dst, msg...)
	}
	// Go's ChaCha8, seeded by the system: what RFC 6455 section 5.3 asks for.
	key := rand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, msg...)
	mask(dst[start:], key)
	return dst
}

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
