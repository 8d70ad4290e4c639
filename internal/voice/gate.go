package voice

import (
	"time"

	"parley"
	"parley/internal/audio"
)

// The gate's scale, in frames of 20 ms.
const (
	pauseLoud    = 3  // loud frames of a sound that may pause the agent …
	pauseVoiced  = 2  // … of which are voiced
	speechSpan   = 29 // from its first to its last voiced frame, in speech: 580 ms. Nods and short commands end before
	speechVoiced = 13 // … and so many frames of it are voiced …
	speechShare  = 35 // … and such a percentage of what lies between these two
	soundGap     = 15 // quiet frames that end a sound: syllables and words are closer together
	soundOver    = 10 // quiet frames after which a sound that is not yet speech is taken for over
	maxSpan      = 150
	periodic     = 0.62 // audio.Periodicity of a voiced frame
)

// gate tells the caller's speech from short sounds, noise and the echo of the agent's own voice. It hears every
// frame of the caller and knows every frame of the agent that is being heard, so that its verdict is ready when the
// model says that speech has begun.
//
// A frame is loud when it stands above a bar: the noise of the line, the louder part of the background, the
// expected echo, and a share of the level at which this caller speaks. Loud frames close to each other are a sound.
// A sound is speech when it is long enough and enough of it is voiced.
//
// It allocates nothing, knows no clock but the times it is given, and belongs to the session's goroutine.
type gate struct {
	strict float64 // interruptionThreshold: 0 = whoever makes a noise, 1 = only who is loud

	carry [frameBytes]byte
	n     int // bytes in carry

	before [frameBytes]byte // the frame before this one, for the periodicity of both
	floor  noiseFloor
	bed    rising // dBFS: the louder part of what is heard while nobody is taken for speaking
	caller level  // at which the caller speaks
	echo   echo
	sound  sound

	loud, voiced int // frames of all sounds so far

	above time.Time // when the last frame was heard that stands out from the line's noise
}

// sound is a run of loud frames with short gaps.
type sound struct {
	span, loud, voiced int // frames since it began, loud ones, voiced ones
	quiet              int // frames since the last loud one
	first, last        int // span at the first and at the last voiced frame
	sum                float64
	excess             float64 // of the loud frames over the agent's audio, summed: how loud an echo it would be
	withAgent          int     // loud frames during which the agent was being heard
}

// verdict is what the gate thinks of the sound that the caller is making.
type verdict uint8

const (
	silent verdict = iota // nothing, or something that has ended
	noise                 // loud, but not a voice so far
	voiced                // a voice: short so far
	proven                // speech: past the gate
)

// newGate makes the gate of an agent, or of none.
func newGate(v *parley.VoiceConfig) gate {
	strict := parley.DefaultVoiceConfig().InterruptionThreshold
	if v != nil {
		strict = v.InterruptionThreshold
	}
	return gate{strict: strict, floor: newNoiseFloor(), bed: rising{at: -60}, caller: level{}, echo: newEcho()}
}

// hear takes the caller's audio, in pieces of any length. at is when the last of it arrived, lag the round trip to
// the caller's side. speaks says that the caller has the word: the model hears speech and the agent is silent.
func (g *gate) hear(ulaw []byte, at time.Time, lag time.Duration, speaks bool) {
	for len(ulaw) > 0 {
		if g.n == 0 && len(ulaw) >= frameBytes {
			g.frame(ulaw[:frameBytes], at.Add(-lag), speaks)
			ulaw = ulaw[frameBytes:]
			continue
		}
		n := copy(g.carry[g.n:], ulaw)
		g.n, ulaw = g.n+n, ulaw[n:]
		if g.n == frameBytes {
			g.n = 0
			g.frame(g.carry[:], at.Add(-lag), speaks)
		}
	}
}

func (g *gate) frame(ulaw []byte, at time.Time, speaks bool) {
	db := max(audio.LevelULaw(ulaw), quietest)
	defer func() { copy(g.before[:], ulaw) }()
	g.floor.hear(db)
	if db > g.floor.at+9 {
		g.above = at
	}
	agent := g.echo.heard(at)
	if speaks {
		if db > g.floor.at+9 {
			g.caller.hear(db)
		}
		g.sound = sound{}
		return
	}
	loud := db >= g.bar(agent)
	s := &g.sound
	if s.span == 0 && !loud {
		g.bed.hear(max(db, g.floor.at))
		g.echo.learn(db, agent)
		return
	}
	s.span++
	if loud {
		g.loud++
		s.loud, s.quiet = s.loud+1, 0
		s.sum += db
		if agent > agentSilent {
			s.withAgent++
			s.excess += db - agent
		}
		if g.periodic(ulaw) {
			g.voiced++
			if s.voiced++; s.first == 0 {
				s.first = s.span
			}
			s.last = s.span
		}
	} else if s.quiet++; s.quiet >= soundGap || s.span >= maxSpan {
		g.forget()
	}
}

func (g *gate) periodic(ulaw []byte) bool {
	var before, now audio.HalfFrame
	before.Halve(g.before[:])
	now.Halve(ulaw)
	return audio.Periodicity(&before, &now) >= periodic
}

// bar is the level from which a frame counts, in dBFS, while the agent's voice is heard at the level agent.
func (g *gate) bar(agent float64) float64 {
	stricter := 16 * (g.strict - 0.5)
	bar := -42 + 2*stricter
	if g.caller.known() {
		// A quiet caller is let in, and what is far below a loud one is somebody else.
		bar = min(bar, g.caller.at-12+stricter)
		bar = max(bar, g.caller.at-20+stricter)
	}
	bar = max(bar, g.floor.at+8+stricter/2, g.bed.at+4+stricter/2)
	if agent > agentSilent {
		bar = max(bar, agent+g.echo.gain+4+stricter/2)
	}
	return bar
}

// verdict is what the gate thinks now.
func (g *gate) verdict() verdict {
	s := &g.sound
	switch {
	case s.loud < pauseLoud || s.quiet >= soundOver:
		return silent
	case s.last-s.first+1 >= speechSpan && s.voiced >= speechVoiced && 100*s.voiced >= speechShare*(s.last-s.first+1) && 3*s.loud >= s.span:
		return proven
	case s.voiced >= pauseVoiced:
		return voiced
	}
	return noise
}

// forget ends the sound: it was not taken for speech, so the bars learn from it.
func (g *gate) forget() {
	s := g.sound
	g.sound = sound{}
	if s.voiced < pauseVoiced {
		return // a knock or a hiss is kept out by its length and by not being a voice
	}
	g.bed.toward(s.sum/float64(s.loud), 0.3)
	if 2*s.withAgent >= s.loud {
		g.echo.toward(s.excess / float64(s.withAgent))
	}
}

// accept ends the sound as what the caller meant to say: nothing is learned from it.
func (g *gate) accept() { g.sound = sound{} }
