package voice

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"parley"
	"parley/internal/audio"
)

// earSim feeds a gate frame by frame on a clock of its own.
type earSim struct {
	g   gate
	now time.Time
	rng *rand.Rand
}

func newEar(threshold float64) *earSim {
	v := parley.DefaultVoiceConfig()
	v.InterruptionThreshold = threshold
	return &earSim{g: newGate(&v), now: time.Unix(1_700_000_000, 0), rng: rand.New(rand.NewPCG(1, 1))}
}

// hear lets the gate hear d of a voice at a level over noise at a level, in dBFS, and returns its highest verdict.
func (e *earSim) hear(d time.Duration, voice, hiss float64, speaks bool) (v verdict) {
	for range int(d / audio.FrameDuration) {
		pcm := make([]int16, frameBytes)
		for i := range pcm {
			x := 2 * math.Pi * float64(i) / 40
			s := 32768 * dB(voice) * math.Sqrt(2.0/3) * (math.Sin(x) + math.Sin(2*x) + math.Sin(3*x))
			pcm[i] = int16(max(-32000, min(32000, s+32768*dB(hiss)*e.rng.NormFloat64())))
		}
		e.now = e.now.Add(audio.FrameDuration)
		e.g.hear(audio.EncodeULaw(pcm), e.now, 40*time.Millisecond, speaks)
		v = max(v, e.g.verdict())
	}
	return v
}

const nothing = -90.0

func TestGateByLength(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]verdict{40 * ms: silent, 120 * ms: voiced, 400 * ms: voiced, 700 * ms: proven} {
		e := newEar(0.5)
		e.hear(2*time.Second, nothing, -60, false)
		if got := e.hear(d, -22, -60, false); got != want {
			t.Errorf("%v of a voice: %v, want %v", d, got, want)
		}
		if got := e.hear(400*ms, nothing, -60, false); got == proven && d < 500*ms {
			t.Errorf("%v of a voice and silence: %v", d, got)
		}
	}
}

func TestGateKeepsHissesOut(t *testing.T) {
	t.Parallel()
	e := newEar(0.5)
	e.hear(2*time.Second, nothing, -60, false)
	if got := e.hear(900*ms, nothing, -20, false); got > noise {
		t.Errorf("900 ms of noise: %v", got)
	}
}

// TestGateThreshold: the higher the threshold, the louder the caller has to be.
func TestGateThreshold(t *testing.T) {
	skipUnderRace(t)
	t.Parallel()
	softest := func(threshold float64) float64 {
		for level := -60.0; ; level++ {
			e := newEar(threshold)
			e.hear(2*time.Second, nothing, -70, false)
			if e.hear(time.Second, level, -70, false) == proven {
				return level
			}
		}
	}
	low, middle, high := softest(0), softest(0.5), softest(1)
	if !(low < middle-8 && middle < high-8) || middle < -46 || middle > -36 {
		t.Errorf("a caller interrupts from %v, %v and %v dBFS", low, middle, high)
	}
}

func TestGateAdaptsToAQuietCaller(t *testing.T) {
	t.Parallel()
	e := newEar(0.5)
	e.hear(2*time.Second, nothing, -72, false)
	if got := e.hear(time.Second, -47, -72, false); got == proven {
		t.Fatal("a voice this quiet interrupts without being known")
	}
	e.hear(4*time.Second, nothing, -72, false)
	e.hear(1500*ms, -47, -72, true) // a turn of the caller's, while the agent is silent
	e.hear(time.Second, nothing, -72, false)
	if got := e.hear(time.Second, -47, -72, false); got != proven {
		t.Errorf("a quiet caller whose voice is known: %v", got)
	}
}

func TestGateAdaptsToALoudCaller(t *testing.T) {
	t.Parallel()
	e := newEar(0.5)
	e.hear(time.Second, nothing, -70, false)
	e.hear(1500*ms, -12, -70, true)
	e.hear(time.Second, nothing, -70, false)
	if got := e.hear(time.Second, -38, -70, false); got == proven {
		t.Error("somebody 26 dB below the caller interrupts")
	}
}

func TestGateAdaptsToRisingNoise(t *testing.T) {
	t.Parallel()
	e := newEar(0.5)
	for level := -65.0; level < -25; level++ {
		if got := e.hear(200*ms, nothing, level, false); got > noise {
			t.Errorf("noise that has risen to %v dBFS: %v", level, got)
		}
	}
	if got := e.hear(time.Second, -28, -26, false); got == proven {
		t.Error("a voice below the noise interrupts")
	}
	if got := e.hear(time.Second, -12, -26, false); got != proven {
		t.Errorf("a voice 14 dB above the noise: %v", got)
	}
}

// TestGateExpectsTheEcho: what would interrupt a silent agent is taken for the echo of a loud one.
func TestGateExpectsTheEcho(t *testing.T) {
	t.Parallel()
	agent := func(e *earSim, d time.Duration) { // plays a voice at −20 dBFS, ahead of the clock
		for at := e.now; at.Before(e.now.Add(d)); at = at.Add(slotTime) {
			e.g.echo.sent(-20, at)
		}
	}
	e := newEar(0.5)
	e.hear(2*time.Second, nothing, -70, false)
	agent(e, 2*time.Second)
	if got := e.hear(time.Second, -36, -70, false); got != silent {
		t.Errorf("an echo of −16 dB: %v", got)
	}
	agent(e, 2*time.Second)
	if got := e.hear(time.Second, -14, -70, false); got != proven {
		t.Errorf("a caller above the echo: %v", got)
	}
	e = newEar(0.5)
	e.hear(2*time.Second, nothing, -70, false)
	agent(e, 500*ms)
	e.g.echo.cleared(e.now)
	e.hear(600*ms, nothing, -70, false)
	if got := e.hear(time.Second, -36, -70, false); got != proven {
		t.Errorf("what cannot be an echo, because the agent's audio was cleared: %v", got)
	}
}

func TestGateTakesPiecesOfAnyLength(t *testing.T) {
	t.Parallel()
	whole, pieces := newEar(0.5), newEar(0.5)
	ulaw := append(make([]byte, 0, 9600), audio.EncodeULaw(make([]int16, 4800))...)
	for range 30 {
		ulaw = append(ulaw, vowel...)
	}
	whole.g.hear(ulaw, whole.now, 0, false)
	for n := 1; len(ulaw) > 0; n = n*7%311 + 1 {
		n = min(n, len(ulaw))
		pieces.g.hear(ulaw[:n], pieces.now, 0, false)
		ulaw = ulaw[n:]
	}
	if whole.g.sound != pieces.g.sound || whole.g.verdict() != proven {
		t.Errorf("%+v, in pieces %+v", whole.g.sound, pieces.g.sound)
	}
}

func TestGateAllocatesNothing(t *testing.T) {
	e := newEar(0.5)
	if n := testing.AllocsPerRun(1000, func() {
		e.now = e.now.Add(slotTime)
		e.g.echo.sent(-20, e.now.Add(160*ms))
		e.g.hear(vowel, e.now, 0, false)
		e.g.verdict()
	}); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// BenchmarkGate is a frame in silence, in a sound, and of the agent.
func BenchmarkGate(b *testing.B) {
	for name, frame := range map[string][]byte{"quiet": quiet, "voice": vowel} {
		b.Run(name, func(b *testing.B) {
			e := newEar(0.5)
			b.ReportAllocs()
			for b.Loop() {
				e.now = e.now.Add(slotTime)
				e.g.hear(frame, e.now, 0, false)
				e.g.verdict()
			}
		})
	}
	b.Run("agent", func(b *testing.B) {
		e := newEar(0.5)
		b.ReportAllocs()
		for b.Loop() {
			e.now = e.now.Add(slotTime)
			e.g.echo.sent(audio.LevelULaw(vowel), e.now)
		}
	})
}
