package audio

import "testing"

// TestWaitingIsQuietAndSeamless: audible, well below a voice (which is around −20 dBFS), and without a click where it
// is repeated.
func TestWaitingIsQuietAndSeamless(t *testing.T) {
	t.Parallel()
	tune := Waiting()
	if len(tune)%FrameBytes != 0 {
		t.Errorf("%d bytes are not whole frames", len(tune))
	}
	samples := DecodeULaw(tune)
	loudest := 0
	for i, s := range samples {
		loudest = max(loudest, int(s), -int(s))
		next := samples[(i+1)%len(samples)]
		if step := int(next) - int(s); step > 1600 || step < -1600 {
			t.Fatalf("a click at sample %d: %d to %d", i, s, next)
		}
	}
	if loudest < 800 || loudest > 3300 { // −32 … −20 dBFS
		t.Errorf("its peak is %d", loudest)
	}
	if first, last := RMS(samples[:2400]), RMS(samples[len(samples)-4000:]); first < 300 || last > 40 {
		t.Errorf("notes at %.0f, rest at %.0f", first, last)
	}
}
