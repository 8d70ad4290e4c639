package audio

import (
	"math"
	"sync"
)

// Waiting returns the tune that says "one moment": two soft bell notes and a long rest, as µ-law that can be repeated
// without a seam. It is 24 dB below full scale, well below a voice. The caller must not change it.
func Waiting() []byte { return waiting() }

var waiting = sync.OnceValue(func() []byte {
	const (
		length = 2400 * BytesPerMs
		peak   = 0.063 * 32767
	)
	samples := make([]int16, length)
	// G4 and C5, the second one beginning while the first fades: consonant, and within a telephone's band.
	bell(samples, 0, 392.00, peak)
	bell(samples, 260*BytesPerMs, 523.25, peak)
	return EncodeULaw(samples)
})

// bell adds a note that swells within 12 ms and fades within about a second.
func bell(to []int16, at int, hertz, peak float64) {
	for i := at; i < len(to); i++ {
		t := float64(i-at) / Rate
		envelope := (1 - math.Exp(-t/0.004)) * math.Exp(-t/0.28)
		if left := float64(len(to)-i) / Rate; left < 0.05 {
			envelope *= left / 0.05 // the seam
		}
		tone := math.Sin(2*math.Pi*hertz*t) + 0.25*math.Sin(4*math.Pi*hertz*t)*math.Exp(-t/0.12)
		to[i] += int16(peak / 1.25 * envelope * tone)
	}
}
