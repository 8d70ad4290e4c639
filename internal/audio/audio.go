// Package audio owns sound as numbers: µ-law and 16-bit PCM frames, their energy, resampling and WAV files.
//
// It is a leaf: pure functions, no goroutines, no files, no other package of Parley. It must not know who
// speaks or over which wire.
package audio

import (
	"math"
	"time"
)

// The one format of Parley's audio path: G.711 µ-law, 8 kHz, mono, in frames of 20 ms.
const (
	Rate          = 8000                  // samples, and with µ-law also bytes, per second
	FrameBytes    = 160                   // bytes of one frame
	FrameDuration = 20 * time.Millisecond // time of one frame
	BytesPerMs    = 8

	// Silence is the µ-law byte of the sample 0.
	Silence byte = 0xFF
)

// Duration returns how long n µ-law bytes play.
func Duration(n int) time.Duration { return time.Duration(n) * time.Second / Rate }

// RMS returns the root mean square of PCM samples, 0–32768; 0 for none.
func RMS(samples []int16) float64 {
	if len(samples) == 0 {
		return 0
	}
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// RMSULaw returns what RMS returns for the decoded bytes, without decoding them.
func RMSULaw(ulaw []byte) float64 {
	if len(ulaw) == 0 {
		return 0
	}
	var sum int64
	for _, b := range ulaw {
		s := int64(decoded[b])
		sum += s * s
	}
	return math.Sqrt(float64(sum) / float64(len(ulaw)))
}
