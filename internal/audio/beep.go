package audio

import (
	"math"
	"math/cmplx"
	"time"
)

// What counts as a beep: one steady tone. Voices have harmonics and glide; ringing, dialing and key tones are two tones.
const (
	beepLowest   = 400.0 // Hz
	beepHighest  = 2000.0
	beepShortest = 150 * time.Millisecond
	beepLongest  = 4 * time.Second // a longer one is a fax, or a fault
	beepShare    = 0.9             // of the frame's energy, in the tone
	beepDrift    = 0.03            // of the frequency, from the tone's beginning on
	beepSwing    = 2.0             // between the levels of the tone's frames, as a factor
	beepLevel    = 300             // RMS
	quietLevel   = 150             // RMS: line noise is below
)

// BeepDetector finds the beep of an answering machine in µ-law audio. The zero value is ready; it is not safe for
// concurrent use. It keeps no audio and allocates nothing.
type BeepDetector struct {
	tone  int     // samples of the tone so far
	freq  float64 // of the tone, Hz
	level float64 // RMS of its first full frame
	loud  bool
}

// Hear takes the next audio, a frame of about 20 ms, and reports whether a beep ended with the audio before it.
func (d *BeepDetector) Hear(ulaw []byte) (ended bool) {
	level := RMSULaw(ulaw)
	d.loud = level > quietLevel
	freq, pure := 0.0, false
	if level > beepLevel {
		freq, pure = pureTone(ulaw)
	}
	if pure && d.tone > 0 && math.Abs(freq-d.freq) <= beepDrift*d.freq && level < d.level*beepSwing && level > d.level/beepSwing {
		d.tone += len(ulaw)
		return false
	}
	// The last frame of a tone is cut by its end, so the one before counts.
	was := Duration(d.tone)
	d.tone = 0
	if pure {
		d.tone, d.freq, d.level = len(ulaw), freq, level
	}
	return was >= beepShortest && was <= beepLongest
}

// Loud reports whether the audio heard last was louder than line noise.
func (d *BeepDetector) Loud() bool { return d.loud }

// pureTone returns the frequency of the strongest tone, and whether nearly all energy is in it.
//
// The autocorrelations of a sinusoid at lags 1 and 2 give its frequency without a search, and white noise adds nothing to
// them (Pisarenko). Each half of the frame is then projected onto that frequency: the angle between the halves corrects
// it, and their lengths are the tone's amplitude even if it was not quite right.
func pureTone(ulaw []byte) (freq float64, pure bool) {
	n := len(ulaw) &^ 1
	if n < FrameBytes/2 {
		return 0, false
	}
	var energy, r1, r2, a, b float64 // a, b: the samples before
	for _, u := range ulaw[:n] {
		x := float64(decoded[u])
		energy += x * x
		r1 += x * a
		r2 += x * b
		a, b = x, a
	}
	r1 *= float64(n) / float64(n-1)
	r2 *= float64(n) / float64(n-2)
	c := (r2 + math.Sqrt(r2*r2+8*r1*r1)) / (4 * r1)
	if !(c > -1 && c < 1) { // also when r1 is 0
		return 0, false
	}
	w := math.Acos(c)
	turn := complex(c, -math.Sqrt(1-c*c))
	var halves [2]complex128
	phase := complex(1, 0)
	for i, u := range ulaw[:n] {
		halves[2*i/n] += complex(float64(decoded[u]), 0) * phase
		phase *= turn
	}
	w += cmplx.Phase(halves[1]*cmplx.Conj(halves[0])) / float64(n/2)
	freq = w * Rate / (2 * math.Pi)
	if freq < beepLowest || freq > beepHighest {
		return freq, false
	}
	amplitude := cmplx.Abs(halves[0]) + cmplx.Abs(halves[1])
	return freq, 2*amplitude*amplitude/float64(n) >= beepShare*energy
}
