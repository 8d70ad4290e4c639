package voice

import (
	"math/bits"

	"parley/internal/audio"
)

// soundingRMS is the level of a frame of the agent's voice that is no pause: −45 dBFS.
const soundingRMS = 185

// sounding remembers which frames of an item's audio sound, a bit each, after the audio itself is forgotten.
type sounding struct {
	frames []uint64
	n      int // frames so far
	carry  []byte
}

// hear takes the item's audio in pieces of any length.
func (s *sounding) hear(ulaw []byte) {
	for len(ulaw) > 0 {
		if len(s.carry) == 0 && len(ulaw) >= frameBytes {
			s.frame(ulaw[:frameBytes])
			ulaw = ulaw[frameBytes:]
			continue
		}
		n := min(len(ulaw), frameBytes-len(s.carry))
		s.carry, ulaw = append(s.carry, ulaw[:n]...), ulaw[n:]
		if len(s.carry) == frameBytes {
			s.frame(s.carry)
			s.carry = s.carry[:0]
		}
	}
}

func (s *sounding) frame(ulaw []byte) {
	if s.n%64 == 0 {
		s.frames = append(s.frames, 0)
	}
	if audio.RMSULaw(ulaw) > soundingRMS {
		s.frames[s.n/64] |= 1 << (s.n % 64)
	}
	s.n++
}

// within is how many of the first bytes of the audio sound.
func (s *sounding) within(first int64) (n int64) {
	whole := min(int(first/frameBytes), s.n)
	for i, word := range s.frames {
		if rest := whole - 64*i; rest <= 0 {
			break
		} else if rest < 64 {
			word &= 1<<rest - 1
		}
		n += int64(bits.OnesCount64(word)) * frameBytes
	}
	return n
}
