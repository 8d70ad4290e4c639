package audio

import "math"

// squares is the square of the sample of every µ-law byte.
var squares = func() (t [256]int32) {
	for i, s := range decoded {
		t[i] = int32(s) * int32(s)
	}
	return t
}()

// FullScale is the mean square of the loudest square wave, which LevelULaw calls 0 dBFS.
const FullScale = 32768 * 32768

// SilenceLevel is the level of digital silence, in dBFS: below every line's noise.
const SilenceLevel = -96

// LevelULaw returns the level of µ-law bytes in dBFS, by their mean square; SilenceLevel for none.
func LevelULaw(ulaw []byte) float64 {
	var sum int64
	for _, b := range ulaw {
		sum += int64(squares[b])
	}
	if sum == 0 {
		return SilenceLevel
	}
	return 10 * math.Log10(float64(sum)/float64(len(ulaw))/FullScale)
}

// HalfFrame is one 20 ms frame at half the rate, 4 kHz.
type HalfFrame [FrameBytes / 2]int16

// Halve decodes a frame of µ-law to half its rate. Bytes beyond a frame are ignored, missing ones are silence.
func (h *HalfFrame) Halve(ulaw []byte) {
	*h = HalfFrame{}
	for i := 0; i+1 < len(ulaw) && i/2 < len(h); i += 2 {
		h[i/2] = int16((int32(decoded[ulaw[i]]) + int32(decoded[ulaw[i+1]])) / 2)
	}
}

// The pitches of human voices, as lags at 4 kHz: 500 Hz down to 80 Hz.
const (
	shortestLag = 8
	longestLag  = 50
)

// Periodicity returns how much a frame repeats itself at a pitch of the human voice, with the frame before it:
// the largest normalized autocorrelation, 0–1. Vowels are above 0.7, hisses and knocks below 0.5.
func Periodicity(before, now *HalfFrame) float64 {
	var x [2 * len(HalfFrame{})]int32
	for i := range before {
		x[i], x[len(before)+i] = int32(before[i]), int32(now[i])
	}
	n := len(before)
	var energy, lagged int64
	for i := n; i < 2*n; i++ {
		energy += int64(x[i]) * int64(x[i])
		lagged += int64(x[i-shortestLag]) * int64(x[i-shortestLag])
	}
	best := 0.0
	for lag := shortestLag; lag <= longestLag; lag++ {
		var sum int64
		for i := n; i < 2*n; i++ {
			sum += int64(x[i]) * int64(x[i-lag])
		}
		if sum > 0 && lagged > 0 && energy > 0 {
			best = max(best, float64(sum)/math.Sqrt(float64(energy)*float64(lagged)))
		}
		in, out := int64(x[n-lag-1]), int64(x[2*n-lag-1])
		lagged += in*in - out*out
	}
	return min(best, 1)
}
