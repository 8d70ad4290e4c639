package audio

import "math"

// sincZeros is how many zero crossings of the sinc are kept on each side: more is sharper and slower.
const sincZeros = 16

// Resample converts samples from one rate to another (both in Hz, positive) with a Blackman-windowed sinc
// that also removes what the lower rate cannot carry. The result has the same duration, rounded to a sample.
func Resample(samples []int16, from, to int) []int16 {
	if from == to || len(samples) == 0 || from <= 0 || to <= 0 {
		return append([]int16(nil), samples...)
	}
	g := gcd(from, to)
	from, to = from/g, to/g
	cutoff := 0.95 * math.Min(1, float64(to)/float64(from)) // of the input's Nyquist frequency; the rest is the filter's slope
	half := int(math.Ceil(sincZeros / cutoff))
	kernels := make([][]float32, to) // one per position of an output sample between two input samples

	out := make([]int16, (len(samples)*to+from/2)/from)
	for i := range out {
		left, phase := i*from/to, i*from%to
		if kernels[phase] == nil {
			kernels[phase] = kernel(float64(phase)/float64(to), cutoff, half)
		}
		var sum float32
		for k, w := range kernels[phase] {
			if j := left - half + 1 + k; j >= 0 && j < len(samples) {
				sum += w * float32(samples[j])
			}
		}
		out[i] = int16(math.Round(float64(max(-32768, min(32767, sum)))))
	}
	return out
}

// kernel returns the 2×half weights around a point that lies frac of the way to the next input sample; they
// sum to 1, so that a constant stays what it is.
func kernel(frac, cutoff float64, half int) []float32 {
	weights, sum := make([]float64, 2*half), 0.0
	for k := range weights {
		x := float64(k-half+1) - frac
		if w := x / float64(half); math.Abs(w) < 1 {
			window := 0.42 + 0.5*math.Cos(math.Pi*w) + 0.08*math.Cos(2*math.Pi*w)
			weights[k] = window * sinc(cutoff*x)
			sum += weights[k]
		}
	}
	out := make([]float32, len(weights))
	for k, w := range weights {
		out[k] = float32(w / sum)
	}
	return out
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
