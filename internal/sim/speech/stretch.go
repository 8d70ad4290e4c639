package speech

import (
	"math"

	"parley/internal/audio"
)

const (
	frame  = 240 // samples: 30 ms, two or three periods of a voice
	hop    = frame / 2
	search = 40 // samples: how far a frame may move to fit its neighbor
)

// SayAt is Say at another speed, 0.25–1.5 as in OpenAI's sessions: time is stretched, the pitch stays. Speeds
// outside 0.1–10 and 1 give the plain clip.
func SayAt(text string, speed float64) Clip {
	c := Say(text)
	if speed == 1 || !(speed >= 0.1 && speed <= 10) || len(c.ULaw) < 2*frame {
		return c
	}
	out := Clip{ULaw: audio.EncodeULaw(stretch(audio.DecodeULaw(c.ULaw), speed))}
	out.ULaw = out.ULaw[:len(out.ULaw)/samplesMs*samplesMs]
	at := func(ms int) int { return min(out.Ms(), int(float64(ms)/speed)) }
	for _, w := range c.Words {
		out.Words = append(out.Words, Word{Text: w.Text, StartMs: at(w.StartMs), EndMs: at(w.EndMs)})
	}
	return out
}

// stretch overlaps frames taken at another pace than they are laid down (WSOLA): each is moved by up to
// search samples to where it continues the one before best, so that periods do not cancel out.
func stretch(in []int16, speed float64) []int16 {
	n := int(float64(len(in)) / speed)
	sum := make([]float64, n+frame)
	follow := 0 // what would naturally come next in the input
	for at := 0; at < n; at += hop {
		from := int(float64(at) * speed)
		if at > 0 {
			from = bestFit(in, follow, from)
		}
		for i := range frame {
			if from+i < len(in) {
				window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/frame)
				if at == 0 && i < hop {
					window = 1
				}
				sum[at+i] += window * float64(in[from+i])
			}
		}
		follow = from + hop
	}
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(max(-32768, min(32767, sum[i])))
	}
	return out
}

// bestFit returns the start near from whose first samples look most like those at follow.
func bestFit(in []int16, follow, from int) int {
	best, score := from, math.Inf(-1)
	for start := max(0, from-search); start <= from+search; start += 2 {
		if follow+hop > len(in) || start+hop > len(in) {
			break
		}
		var s float64
		for i := 0; i < hop; i += 2 {
			s += float64(in[follow+i]) * float64(in[start+i])
		}
		if s > score {
			best, score = start, s
		}
	}
	return best
}
