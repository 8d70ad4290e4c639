package main

import (
	"math"
	"math/rand/v2"
)

const rate = 8000

// noise is a short sound that is no speech; make synthesizes it, another one for every seed.
type noise struct {
	kind string
	make func(seed uint64) []int16
}

var noises = []noise{
	{"cough", cough}, {"throat", throat}, {"sneeze", sneeze}, {"clap", clap}, {"door", door}, {"breath", breath},
	{"keys", keys}, {"clink", clink}, {"laugh", laugh}, {"bark", bark},
}

// tape is a sound being made.
type tape struct {
	*rand.Rand
	pcm []float64
}

func blank(seed uint64, ms int) *tape {
	return &tape{rand.New(rand.NewPCG(seed, 7)), make([]float64, ms*rate/1000)}
}

// between picks a number from a range.
func (t *tape) between(low, high float64) float64 { return low + (high-low)*t.Float64() }

// add lays samples down from ms on.
func (t *tape) add(ms float64, in []float64) {
	at := int(ms * rate / 1000)
	for i, s := range in {
		if at+i < len(t.pcm) {
			t.pcm[at+i] += s
		}
	}
}

func (t *tape) done() []int16 {
	peak := 1e-9
	for _, s := range t.pcm {
		peak = max(peak, math.Abs(s))
	}
	out := make([]int16, len(t.pcm))
	for i, s := range t.pcm {
		out[i] = int16(26000 * s / peak)
	}
	return out
}

// resonance filters in through formants (Hz) of 120 Hz bandwidth, in parallel.
func resonance(in []float64, formants ...float64) []float64 {
	out := make([]float64, len(in))
	for _, f := range formants {
		r := math.Exp(-math.Pi * 120 / rate)
		a, b := 2*r*math.Cos(2*math.Pi*f/rate), -r*r
		var y1, y2 float64
		for i, x := range in {
			y := (1-r)*x + a*y1 + b*y2
			y1, y2 = y, y1
			out[i] += y
		}
	}
	return out
}

// hiss is white noise that rises in attack ms and falls by the factor e every decay ms.
func (t *tape) hiss(ms, attack, decay float64) []float64 {
	out := make([]float64, int(ms*rate/1000))
	for i := range out {
		at := float64(i) * 1000 / rate
		gain := math.Exp(-max(0, at-attack) / decay)
		if at < attack {
			gain = at / attack
		}
		out[i] = gain * t.NormFloat64()
	}
	return out
}

// pulses is a glottis: pulses of a pitch that glides and jitters, with the envelope of a half sine.
func (t *tape) pulses(ms, from, to, jitter float64) []float64 {
	out := make([]float64, int(ms*rate/1000))
	phase := 0.0
	for i := range out {
		x := float64(i) / float64(len(out))
		phase += (from + (to-from)*x) * (1 + jitter*t.NormFloat64()) / rate
		if phase >= 1 {
			phase--
			out[i] = 6 * math.Sin(math.Pi*x)
		}
	}
	return out
}

// cough: one to three times an explosion, a noisy decay, and now and then a voiced end.
func cough(seed uint64) []int16 {
	t := blank(seed, 1100)
	at := 0.0
	for range 1 + t.IntN(3) {
		length := t.between(160, 260)
		t.add(at, resonance(t.hiss(length, 8, t.between(50, 90)), t.between(500, 800), t.between(1200, 1700), 2600))
		t.add(at+t.between(60, 110), resonance(t.pulses(t.between(40, 110), t.between(150, 260), 110, 0.3), 550, 1400))
		at += length + t.between(40, 140)
	}
	return t.done()
}

// throat: a rough, slow voice under noise.
func throat(seed uint64) []int16 {
	t := blank(seed, 700)
	at := 0.0
	for range 1 + t.IntN(2) {
		length := t.between(180, 300)
		t.add(at, resonance(t.pulses(length, t.between(60, 90), t.between(50, 70), 0.5), 500, 1200, 2300))
		t.add(at, resonance(t.hiss(length, 40, 120), 600, 1500))
		at += length + t.between(30, 80)
	}
	return t.done()
}

func sneeze(seed uint64) []int16 {
	t := blank(seed, 700)
	t.add(0, resonance(t.pulses(t.between(90, 170), t.between(180, 280), 300, 0.1), 700, 1200))
	t.add(t.between(170, 240), resonance(t.hiss(t.between(250, 400), 10, t.between(80, 140)), 1800, 2500, 3200))
	return t.done()
}

func clap(seed uint64) []int16 {
	t := blank(seed, 900)
	at := 0.0
	for range 1 + t.IntN(4) {
		t.add(at, resonance(t.hiss(90, 1, t.between(8, 20)), t.between(900, 1400), 2400))
		at += t.between(150, 260)
	}
	return t.done()
}

func door(seed uint64) []int16 {
	t := blank(seed, 700)
	t.add(0, resonance(t.hiss(40, 1, 6), 2200, 2900))
	t.add(t.between(20, 120), resonance(t.hiss(450, 3, t.between(60, 130)), t.between(310, 360), t.between(420, 600)))
	return t.done()
}

func breath(seed uint64) []int16 {
	t := blank(seed, 1300)
	t.add(0, resonance(t.hiss(t.between(500, 900), 250, t.between(120, 250)), t.between(700, 1100), 1900, 2900))
	return t.done()
}

func keys(seed uint64) []int16 {
	t := blank(seed, 1500)
	for at := 0.0; at < 1400; at += t.between(70, 190) {
		click := t.hiss(25, 1, t.between(2, 5))
		for i := range click {
			click[i] *= t.between(0.5, 1)
		}
		t.add(at, resonance(click, t.between(1500, 2000), 2900))
	}
	return t.done()
}

// clink: a cup, a spoon, keys on a table: ringing partials.
func clink(seed uint64) []int16 {
	t := blank(seed, 600)
	for hit := range 1 + t.IntN(3) {
		ring := make([]float64, 300*rate/1000)
		for range 4 {
			f, decay := t.between(900, 3300), t.between(20, 80)
			for i := range ring {
				at := float64(i) * 1000 / rate
				ring[i] += math.Exp(-at/decay) * math.Sin(2*math.Pi*f*float64(i)/rate)
			}
		}
		t.add(float64(hit)*t.between(100, 200), ring)
	}
	return t.done()
}

// laugh: short voiced syllables with breath between them.
func laugh(seed uint64) []int16 {
	t := blank(seed, 900)
	at, pitch := 0.0, t.between(130, 260)
	for range 2 + t.IntN(2) {
		t.add(at, resonance(t.hiss(60, 20, 30), 900, 1700))
		t.add(at+50, resonance(t.pulses(t.between(70, 100), pitch, pitch*0.9, 0.05), 700, 1200, 2500))
		at += t.between(170, 210)
	}
	return t.done()
}

// bark: one or two.
func bark(seed uint64) []int16 {
	t := blank(seed, 900)
	at := 0.0
	for range 1 + t.IntN(2) {
		length := t.between(100, 180)
		t.add(at, resonance(t.pulses(length, t.between(350, 500), t.between(250, 320), 0.15), 800, 1500))
		t.add(at, resonance(t.hiss(length, 15, 60), 1000, 2000))
		at += length + t.between(200, 350)
	}
	return t.done()
}
