package audio

import (
	"math"
	"testing"
)

// The end points and segment edges of G.711's table 2a, scaled by 4 to 16 bits.
func TestULawKnownValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ulaw   byte
		sample int16
	}{
		{0x00, -32124}, {0x80, 32124}, {0x0F, -16764}, {0x8F, 16764}, {0x9F, 8316}, {0xAF, 4092},
		{0xBF, 1980}, {0xCF, 924}, {0xDF, 396}, {0xEF, 132}, {0xFE, 8}, {0xFF, 0}, {0x7E, -8}, {0x70, -120}, {0x55, -716},
	} {
		if got := DecodeULaw([]byte{c.ulaw})[0]; got != c.sample {
			t.Errorf("decode %#02x = %d, want %d", c.ulaw, got, c.sample)
		}
		if got := EncodeULaw([]int16{c.sample})[0]; got != c.ulaw {
			t.Errorf("encode %d = %#02x, want %#02x", c.sample, got, c.ulaw)
		}
	}
	if got := EncodeULaw([]int16{math.MinInt16, math.MaxInt16}); got[0] != 0x00 || got[1] != 0x80 {
		t.Errorf("clipping: %#02x", got)
	}
}

func TestULawRoundTrips(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		again := EncodeULaw(DecodeULaw([]byte{byte(b)}))[0]
		if again != byte(b) && b != 0x7F { // 0x7F is minus zero
			t.Errorf("%#02x came back as %#02x", b, again)
		}
	}
	for s := math.MinInt16; s <= math.MaxInt16; s++ {
		got := int(DecodeULaw(EncodeULaw([]int16{int16(s)}))[0])
		// Half a step of the segment, plus what lies beyond the largest value.
		limit := max(float64(s), -float64(s))/32 + 8
		if math.Abs(float64(got-s)) > max(limit, 660) || math.Abs(float64(got-s)) > limit && s > -32124 && s < 32124 {
			t.Fatalf("%d came back as %d", s, got)
		}
	}
}

func BenchmarkEncodeULaw(b *testing.B) {
	s, buf := sine(440, Rate, FrameBytes, 9000), make([]byte, 0, FrameBytes)
	b.ReportAllocs()
	b.SetBytes(2 * FrameBytes)
	for b.Loop() {
		buf = AppendULaw(buf[:0], s)
	}
}

func BenchmarkDecodeULaw(b *testing.B) {
	u := EncodeULaw(sine(440, Rate, FrameBytes, 9000))
	b.ReportAllocs()
	b.SetBytes(FrameBytes)
	for b.Loop() {
		DecodeULaw(u)
	}
}

func BenchmarkRMSULaw(b *testing.B) {
	u := EncodeULaw(sine(440, Rate, FrameBytes, 9000))
	b.SetBytes(FrameBytes)
	for b.Loop() {
		RMSULaw(u)
	}
}
