package audio

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// tones mixes sines of the given frequencies, each of an amplitude, and white noise of an RMS.
func tones(d time.Duration, noise float64, amplitude float64, freqs ...float64) []int16 {
	r := rand.New(rand.NewPCG(1, uint64(d)))
	out := make([]int16, int(d.Seconds()*Rate))
	for i := range out {
		v := r.NormFloat64() * noise
		for k, f := range freqs {
			v += amplitude * math.Sin(2*math.Pi*f*float64(i)/Rate+float64(k))
		}
		out[i] = int16(max(-32000, min(32000, v)))
	}
	return out
}

// vowel is a voiced sound: harmonics of a gliding fundamental, shaped by a resonance.
func vowel(d time.Duration, from, to, formant float64) []int16 {
	out := make([]int16, int(d.Seconds()*Rate))
	phase := 0.0
	for i := range out {
		f := from + (to-from)*float64(i)/float64(len(out))
		phase += 2 * math.Pi * f / Rate
		v := 0.0
		for h := 1.0; h*f < 3400; h++ {
			v += math.Sin(h*phase) / (1 + (h*f-formant)/250*(h*f-formant)/250)
		}
		out[i] = int16(3000 * v)
	}
	return out
}

// beeps counts them and returns when the last one ended.
func beeps(samples []int16, shift int) (n int, at time.Duration) {
	var d BeepDetector
	u := EncodeULaw(append(make([]int16, shift), samples...))
	for i := 0; i+FrameBytes <= len(u); i += FrameBytes {
		if d.Hear(u[i : i+FrameBytes]) {
			n, at = n+1, Duration(i)
		}
	}
	return n, at
}

func join(parts ...[]int16) (all []int16) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestBeepsAreFound(t *testing.T) {
	t.Parallel()
	quiet := tones(time.Second, 40, 0)
	for _, freq := range []float64{425, 440, 800, 1000, 1400, 1950} {
		for _, length := range []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
			for _, amplitude := range []float64{900, 4000, 20000} {
				for _, shift := range []int{0, 37, 81, 159} { // the beep begins anywhere in a frame
					name := fmt.Sprintf("%g Hz, %v, %g, +%d", freq, length, amplitude, shift)
					speech := vowel(700*time.Millisecond, 140, 110, 700)
					n, at := beeps(join(speech, quiet, tones(length, 40, amplitude, freq), quiet), shift)
					end := 1700*time.Millisecond + length + Duration(shift)
					if n != 1 || at < end-30*time.Millisecond || at > end+30*time.Millisecond {
						t.Errorf("%s: %d beeps, the last one until %v, want one until %v", name, n, at, end)
					}
				}
			}
		}
	}
}

func TestOtherSoundsAreNoBeeps(t *testing.T) {
	t.Parallel()
	second := time.Second
	cases := map[string][]int16{
		"silence":        make([]int16, Rate),
		"noise":          tones(second, 3000, 0),
		"quiet tone":     tones(second, 20, 150, 1000),
		"short tone":     tones(100*time.Millisecond, 20, 5000, 1000),
		"low tone":       tones(second, 20, 5000, 300),
		"high tone":      tones(second, 20, 5000, 2400),
		"endless tone":   tones(10*second, 20, 5000, 1000),
		"ringback":       tones(2*second, 20, 5000, 440, 480),
		"dial tone":      tones(second, 20, 5000, 350, 440),
		"key 1":          tones(300*time.Millisecond, 20, 5000, 697, 1209),
		"tone in noise":  tones(second, 4000, 4000, 1000),
		"whistle, glide": vowel(second, 500, 1800, 1000),
	}
	for _, f := range [][3]float64{{90, 120, 500}, {110, 100, 700}, {180, 220, 300}, {220, 180, 850}, {260, 240, 2300}, {320, 350, 450}, {200, 200, 600}} {
		cases[fmt.Sprintf("vowel %v", f)] = vowel(second, f[0], f[1], f[2])
	}
	for name, sound := range cases {
		if n, at := beeps(join(sound, make([]int16, Rate)), 0); n != 0 {
			t.Errorf("%s: %d beeps, the last one until %v", name, n, at)
		}
	}
}

func BenchmarkBeepDetector(b *testing.B) {
	var d BeepDetector
	frames := [][]byte{EncodeULaw(vowel(FrameDuration, 120, 120, 700)), EncodeULaw(tones(FrameDuration, 0, 5000, 1000))}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.Hear(frames[i&1])
	}
}
