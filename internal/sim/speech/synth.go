package speech

import (
	"math"
	"strings"
	"unicode"

	"parley/internal/audio"
)

const (
	rate      = 8000
	samplesMs = rate / 1000
	pitchHz   = 118.0
	// level is the RMS that every synthesized text is brought to: −20 dBFS, where telephone speech lies.
	level = 3277.0
	peak  = 30000.0
)

// synthesize speaks text with three formant resonators, excited by pulses for voiced sounds and by noise for
// the others. Letters stand for sounds, which is wrong for English spelling and good enough for rhythm,
// energy and timing.
func synthesize(text string) Clip {
	v := voice{noise: 0x2545F491}
	var words []Word
	tokens := strings.Fields(text)
	for i, token := range tokens {
		start := len(v.out) / samplesMs
		for _, s := range sounds(token) {
			v.speak(s)
		}
		end := len(v.out) / samplesMs
		words = append(words, Word{Text: token, StartMs: start, EndMs: end})
		if i < len(tokens)-1 {
			v.pause(pauseAfter(token))
		}
	}
	return Clip{ULaw: v.finish(), Words: words}
}

// pauseAfter is the silence after a word in ms, by its punctuation.
func pauseAfter(token string) int {
	switch last := token[len(token)-1]; {
	case strings.ContainsRune(".?!", rune(last)):
		return 320
	case strings.ContainsRune(",;:", rune(last)):
		return 180
	}
	return 45
}

// sounds turns a written word into sounds. A word without any letter or digit is a short murmur.
func sounds(token string) []sound {
	var out []sound
	rs := []rune(strings.ToLower(token))
	for i := 0; i < len(rs); i++ {
		if i+1 < len(rs) {
			if s, ok := pairs[string(rs[i:i+2])]; ok {
				out = append(out, s)
				i++
				continue
			}
		}
		r := rs[i]
		if name, ok := digits[r]; ok {
			for _, c := range name {
				out = append(out, letters[c])
			}
			continue
		}
		if s, ok := letters[r]; ok {
			if r == 'e' && i == len(rs)-1 && len(out) > 2 {
				continue // silent
			}
			out = append(out, s)
		} else if unicode.IsLetter(r) {
			out = append(out, letters['a'])
		}
	}
	if len(out) == 0 {
		out = append(out, letters['m'])
	}
	return out
}

// voice renders sounds one after the other; its filters carry over, so that sounds glide into each other.
type voice struct {
	out    []float64
	f      [3]float64 // formants in Hz, gliding
	y1, y2 [3]float64 // resonator memories
	phase  float64    // of the pitch period, 0…1
	noise  uint32
}

func (v *voice) pause(ms int) {
	v.out = append(v.out, make([]float64, ms*samplesMs)...)
	v.y1, v.y2 = [3]float64{}, [3]float64{}
}

func (v *voice) speak(s sound) {
	if s.closure > 0 {
		v.pause(s.closure)
	}
	n := s.ms * samplesMs
	for i := range n {
		t := float64(i) / float64(n)
		edge := min(1, 8*t, 8*(1-t)+0.15) // soft edges avoid clicks
		var x float64
		if s.voiced {
			x = v.pulse(len(v.out))
		}
		if s.hiss > 0 {
			x += s.hiss * v.white()
		}
		var y float64
		for k := range v.f {
			if v.f[k] == 0 {
				v.f[k] = s.formants[k]
			}
			v.f[k] += (s.formants[k] - v.f[k]) * 0.004 // about 30 ms to arrive
			y += v.resonate(k, x) * [3]float64{1, 0.55, 0.3}[k]
		}
		v.out = append(v.out, y*edge*s.gain)
	}
}

// pulse is the glottal source with a slow melody, so that the voice does not drone.
func (v *voice) pulse(at int) float64 {
	f := pitchHz * (1 + 0.09*math.Sin(float64(at)/2600) - 0.03*math.Sin(float64(at)/700))
	v.phase += f / rate
	if v.phase >= 1 {
		v.phase--
		return 8
	}
	return -0.1
}

func (v *voice) white() float64 {
	v.noise ^= v.noise << 13
	v.noise ^= v.noise >> 17
	v.noise ^= v.noise << 5
	return float64(int32(v.noise)) / math.MaxInt32
}

// resonate is a two-pole filter at formant k, with a bandwidth of 90–200 Hz.
func (v *voice) resonate(k int, x float64) float64 {
	r := 1 - math.Pi*(70+40*float64(k+1))/rate
	c := 2 * r * math.Cos(2*math.Pi*v.f[k]/rate)
	y := (1-r)*x + c*v.y1[k] - r*r*v.y2[k]
	v.y2[k], v.y1[k] = v.y1[k], y
	return y
}

// finish brings the text to its level and encodes it.
func (v *voice) finish() []byte {
	var sum, top float64
	var n int
	for _, y := range v.out {
		if y != 0 {
			sum += y * y
			n++
		}
		top = max(top, math.Abs(y))
	}
	if n == 0 {
		return nil
	}
	gain := level / math.Sqrt(sum/float64(n))
	pcm := make([]int16, len(v.out))
	for i, y := range v.out {
		y *= gain
		if a := math.Abs(y); a > peak/2 { // bend peaks instead of clipping them
			y = math.Copysign(peak/2+peak/2*math.Tanh((a-peak/2)/(peak/2)), y)
		}
		pcm[i] = int16(y)
	}
	return audio.EncodeULaw(pcm)
}
