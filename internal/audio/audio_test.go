package audio

import (
	"math"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	if d := Duration(FrameBytes); d != FrameDuration {
		t.Errorf("Duration(one frame) = %v, want %v", d, FrameDuration)
	}
	if d := Duration(3600 * Rate); d != time.Hour {
		t.Errorf("Duration(an hour) = %v", d)
	}
}

func TestRMS(t *testing.T) {
	t.Parallel()
	if got := RMS(nil); got != 0 {
		t.Errorf("RMS(nil) = %v", got)
	}
	if got := RMS([]int16{3, -4, 3, -4}); math.Abs(got-math.Sqrt(12.5)) > 1e-9 {
		t.Errorf("RMS = %v, want sqrt(12.5)", got)
	}
	s := sine(440, Rate, 800, 8000)
	u := EncodeULaw(s)
	if got, want := RMSULaw(u), RMS(DecodeULaw(u)); math.Abs(got-want) > 1e-6 {
		t.Errorf("RMSULaw = %v, RMS of the decoded = %v", got, want)
	}
	if got := RMSULaw([]byte{Silence, Silence}); got != 0 {
		t.Errorf("RMSULaw(silence) = %v", got)
	}
}

// sine returns n samples of a tone.
func sine(hz float64, rate, n int, amplitude float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}
