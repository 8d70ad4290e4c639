package audio

import "math/bits"

// ITU-T G.711: 14-bit magnitudes with a bias of 33, here scaled by 4 to 16 bits.
const (
	bias = 33 << 2
	clip = 0x7FFF - bias
)

// decoded is the 16-bit sample of every µ-law byte.
var decoded = func() (t [256]int16) {
	for i := range t {
		b := ^byte(i)
		exponent, mantissa := b>>4&7, int(b&15)
		magnitude := (mantissa<<3+bias)<<exponent - bias
		if b&0x80 != 0 {
			magnitude = -magnitude
		}
		t[i] = int16(magnitude)
	}
	return t
}()

// EncodeULaw returns the µ-law bytes of 16-bit samples, one byte for each.
func EncodeULaw(samples []int16) []byte {
	return AppendULaw(make([]byte, 0, len(samples)), samples)
}

// AppendULaw appends the µ-law bytes of samples to dst.
func AppendULaw(dst []byte, samples []int16) []byte {
	for _, s := range samples {
		dst = append(dst, encode(s))
	}
	return dst
}

// DecodeULaw returns the 16-bit samples of µ-law bytes, one sample for each.
func DecodeULaw(ulaw []byte) []int16 {
	out := make([]int16, len(ulaw))
	for i, b := range ulaw {
		out[i] = decoded[b]
	}
	return out
}

func encode(s int16) byte {
	magnitude, sign := int(s), byte(0)
	if magnitude < 0 {
		magnitude, sign = -magnitude, 0x80
	}
	magnitude = min(magnitude, clip) + bias
	exponent := bits.Len(uint(magnitude)) - 8 // the bias makes bit 7 the lowest possible top bit
	mantissa := byte(magnitude>>(exponent+3)) & 15
	return ^(sign | byte(exponent)<<4 | mantissa)
}
