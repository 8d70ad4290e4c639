package audio

import (
	"math"
	"testing"
)

func TestResampleKeepsSpeechAndDuration(t *testing.T) {
	t.Parallel()
	for _, from := range []int{6000, 11025, 16000, 22050, 24000, 44100, 48000, 96000} {
		in := sine(1000, from, from, 10000)
		out := Resample(in, from, Rate)
		if len(out) != Rate {
			t.Errorf("%d Hz: %d samples for a second, want %d", from, len(out), Rate)
			continue
		}
		want := sine(1000, Rate, Rate, 10000)
		diff := make([]int16, 0, Rate)
		for i := 200; i < Rate-200; i++ { // the edges ring
			diff = append(diff, out[i]-want[i])
		}
		if snr := 20 * math.Log10(RMS(want)/max(RMS(diff), 1e-9)); snr < 40 {
			t.Errorf("%d Hz: signal to error %.1f dB, want at least 40", from, snr)
		}
	}
}

func TestResampleRemovesWhatWouldFold(t *testing.T) {
	t.Parallel()
	out := Resample(sine(6000, 48000, 48000, 10000), 48000, Rate) // would be heard at 2 kHz
	if got := RMS(out[200 : Rate-200]); got > 10 {
		t.Errorf("a 6 kHz tone leaves RMS %.1f at 8 kHz, want at most 10", got)
	}
}

func TestResampleEdges(t *testing.T) {
	t.Parallel()
	if got := Resample(nil, 44100, 8000); len(got) != 0 {
		t.Errorf("nothing became %d samples", len(got))
	}
	in := []int16{1, 2, 3}
	same := Resample(in, 8000, 8000)
	same[0] = 9
	if in[0] != 1 {
		t.Error("the result shares memory with the input")
	}
	flat := make([]int16, 4000)
	for i := range flat {
		flat[i] = math.MaxInt16
	}
	for i, s := range Resample(flat, 16000, 8000)[100:1900] {
		if s < math.MaxInt16-1 {
			t.Fatalf("constant became %d at %d", s, i)
		}
	}
}

func BenchmarkResample44100(b *testing.B) {
	in := sine(440, 44100, 44100, 9000)
	for b.Loop() {
		Resample(in, 44100, Rate)
	}
}
