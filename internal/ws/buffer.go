package ws

import "sync"

// The sizes of the buffers that all connections share. A connection holds one only while there is something in
// it, so that ten thousand silent calls hold none.
const (
	tinyBytes  = 512     // a frame of audio in its JSON
	smallBytes = 4 << 10 // what one read takes
	keepBytes  = 64 << 10
)

var (
	tiny  = sync.Pool{New: func() any { return new([tinyBytes]byte) }}
	small = sync.Pool{New: func() any { return new([smallBytes]byte) }}
	large = sync.Pool{New: func() any { return new([keepBytes]byte) }}
)

// takeBuffer returns a buffer of at least n bytes, for giveBuffer. Larger than keepBytes it is not shared.
func takeBuffer(n int) []byte {
	switch {
	case n <= tinyBytes:
		return tiny.Get().(*[tinyBytes]byte)[:]
	case n <= smallBytes:
		return small.Get().(*[smallBytes]byte)[:]
	case n <= keepBytes:
		return large.Get().(*[keepBytes]byte)[:]
	}
	return make([]byte, n)
}

// giveBuffer takes a buffer of takeBuffer back; nil is none.
func giveBuffer(b []byte) {
	switch b = b[:cap(b)]; len(b) {
	case tinyBytes:
		tiny.Put((*[tinyBytes]byte)(b))
	case smallBytes:
		small.Put((*[smallBytes]byte)(b))
	case keepBytes:
		large.Put((*[keepBytes]byte)(b))
	}
}
