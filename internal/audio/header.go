package audio

import (
	"bytes"
	"math"
)

// ULawHeaderBytes is the length of what ULawHeader returns.
const ULawHeaderBytes = 58

// ULawHeader returns the head of a WAV file of µ-law at 8 kHz, its channels interleaved. data is the length of the
// audio that follows; a negative one says that the file ends where it ends, for files that are still being written.
func ULawHeader(channels int, data int64) []byte {
	size := uint32(math.MaxUint32)
	riff := size
	if data >= 0 && data < math.MaxUint32-ULawHeaderBytes {
		size, riff = uint32(data), uint32(data)+ULawHeaderBytes-8
	}
	b := bytes.NewBuffer(make([]byte, 0, ULawHeaderBytes))
	b.WriteString("RIFF")
	le(b, riff)
	b.WriteString("WAVEfmt ")
	// Formats other than PCM have an extension size, and a fact chunk with the number of samples (RFC 2361).
	le(b, uint32(18), uint16(tagULaw), uint16(channels), uint32(Rate), uint32(Rate*channels), uint16(channels), uint16(8), uint16(0))
	b.WriteString("fact")
	le(b, uint32(4), size/uint32(channels))
	b.WriteString("data")
	le(b, size)
	return b.Bytes()
}
