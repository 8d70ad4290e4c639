package audio

import (
	"math"
	"math/rand/v2"
	"testing"
)

func tone(hz, amplitude float64, n int) []byte {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/Rate))
	}
	return EncodeULaw(pcm)
}

func TestLevelULaw(t *testing.T) {
	t.Parallel()
	if got := LevelULaw([]byte{Silence, Silence}); got != SilenceLevel {
		t.Errorf("silence is %v", got)
	}
	if got := LevelULaw(nil); got != SilenceLevel {
		t.Errorf("nothing is %v", got)
	}
	for _, want := range []float64{-10, -20, -40, -55} {
		got := LevelULaw(tone(440, 32768*math.Sqrt2*math.Pow(10, want/20), 1600))
		if math.Abs(got-want) > 0.5 {
			t.Errorf("a tone of %v dBFS is %v", want, got)
		}
	}
}

func TestPeriodicity(t *testing.T) {
	t.Parallel()
	pair := func(ulaw []byte) float64 {
		var a, b HalfFrame
		a.Halve(ulaw[:FrameBytes])
		b.Halve(ulaw[FrameBytes:])
		return Periodicity(&a, &b)
	}
	for _, hz := range []float64{90, 150, 220, 400} {
		if p := pair(tone(hz, 8000, 2*FrameBytes)); p < 0.95 {
			t.Errorf("a tone of %v Hz: %.2f", hz, p)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for range 200 {
		pcm := make([]int16, 2*FrameBytes)
		for i := range pcm {
			pcm[i] = int16(3000 * random.NormFloat64())
		}
		worst = max(worst, pair(EncodeULaw(pcm)))
	}
	if worst > 0.6 {
		t.Errorf("white noise: up to %.2f", worst)
	}
	if p := Periodicity(&HalfFrame{}, &HalfFrame{}); p != 0 {
		t.Errorf("silence: %v", p)
	}
}

func TestHalveBounds(t *testing.T) {
	t.Parallel()
	var h HalfFrame
	h.Halve(make([]byte, 1000))
	h.Halve(make([]byte, 3))
	if h[0] == 0 || h[1] != 0 {
		t.Errorf("%v", h[:3])
	}
	h.Halve(nil)
	if h != (HalfFrame{}) {
		t.Error("nothing is not silence")
	}
}

func BenchmarkLevelULaw(b *testing.B) {
	frame := tone(300, 5000, FrameBytes)
	for b.Loop() {
		LevelULaw(frame)
	}
}

func BenchmarkPeriodicity(b *testing.B) {
	var x, y HalfFrame
	x.Halve(tone(150, 5000, FrameBytes))
	y = x
	for b.Loop() {
		Periodicity(&x, &y)
	}
}
