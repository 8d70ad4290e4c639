package phone

import (
	"fmt"
	"time"

	"parley/internal/audio"
)

// Step is one thing the caller does. Steps run one after another on the line's 20 ms clock, beginning when
// the call is answered. A wait that reaches its limit ends the call and is named in Report.GaveUp.
type Step interface {
	// tick works for one frame. It reports whether the step is over and whether it filled the frame.
	tick(c *Call, frame []byte) (over, spoke bool)
}

// caller runs the steps.
type caller struct {
	steps []Step
	since int // tick at which the current step began
	turns []turn
}

// turn is one thing the caller said, in ticks; last is the last audible one.
type turn struct{ first, last int }

// tick fills frame with what the caller says for the next 20 ms.
func (l *caller) tick(c *Call, frame []byte) {
	copy(frame, silence[:])
	for len(l.steps) > 0 && c.endedBy == "" {
		over, spoke := l.steps[0].tick(c, frame)
		if over {
			l.steps, l.since = l.steps[1:], c.tape.ticks
			if spoke {
				l.since++
			}
		}
		if spoke || !over {
			return
		}
	}
}

// elapsed is how long the current step has run.
func (c *Call) elapsed() time.Duration { return ticks(c.tape.ticks - c.caller.since) }

// giveUp ends the call when the current step has waited for limit.
func (c *Call) giveUp(limit time.Duration, format string, args ...any) {
	if c.elapsed() >= limit && c.endedBy == "" {
		c.record.gaveUp = fmt.Sprintf(format, args...)
		c.endLocked("caller gave up", false)
	}
}

// Say speaks µ-law audio: one turn of the conversation.
func Say(ulaw []byte) Step { return &say{rest: ulaw} }

type say struct {
	rest  []byte
	begun bool
}

func (s *say) tick(c *Call, frame []byte) (over, spoke bool) {
	if !s.begun {
		s.begun = true
		c.caller.turns = append(c.caller.turns, turn{c.tape.ticks, c.tape.ticks})
		c.tell(EventCallerSpeaks, "")
	}
	n := copy(frame, s.rest)
	s.rest = s.rest[n:]
	if audio.RMSULaw(frame) > audible {
		c.caller.turns[len(c.caller.turns)-1].last = c.tape.ticks
	}
	if len(s.rest) == 0 {
		c.tell(EventCallerQuiet, "")
	}
	return len(s.rest) == 0, true
}

// Wait is silent for d.
func Wait(d time.Duration) Step { return wait(d) }

type wait time.Duration

func (w wait) tick(c *Call, _ []byte) (over, spoke bool) {
	return c.elapsed() >= time.Duration(w), false
}

// WaitForAgent waits until the agent answers: until it speaks at all before the caller's first turn, or
// begins to speak, or still speaks something begun meanwhile, after the end of the caller's last one.
func WaitForAgent(limit time.Duration) Step { return &forAgent{0, limit} }

// Interrupt waits like WaitForAgent and then until the agent has been speaking for d. A Say after it
// interrupts the agent.
func Interrupt(d, limit time.Duration) Step { return &forAgent{d, limit} }

type forAgent struct{ after, limit time.Duration }

func (w *forAgent) tick(c *Call, _ []byte) (over, spoke bool) {
	if c.answering() && ticks(c.tape.ticks-c.tape.agent.first) >= w.after {
		return true, false
	}
	c.giveUp(w.limit+w.after, "the agent said nothing for %v", w.limit)
	return false, false
}

// answering reports whether the agent has reacted to the caller's last turn.
func (c *Call) answering() bool {
	a := c.tape.agent
	if a.last < 0 || len(c.caller.turns) == 0 {
		return a.last >= 0
	}
	return c.caller.turns[len(c.caller.turns)-1].answeredBy(a)
}

// answeredBy reports whether a spurt is a reaction to the turn: it began in or after it and outlasts it.
func (t turn) answeredBy(s spurt) bool { return s.first > t.first && s.last > t.last }

// WaitForSilence waits until the agent has been quiet for d, counted from the answer if it never spoke.
func WaitForSilence(d, limit time.Duration) Step { return &forSilence{d, limit} }

type forSilence struct{ quiet, limit time.Duration }

func (w *forSilence) tick(c *Call, _ []byte) (over, spoke bool) {
	if ticks(c.tape.ticks-c.tape.agent.last-1) >= w.quiet {
		return true, false
	}
	c.giveUp(w.limit, "the agent did not stop speaking for %v", w.limit)
	return false, false
}

// WaitUpTo waits for the agent to speak as WaitForAgent does, but goes on without it after limit.
func WaitUpTo(limit time.Duration) Step { return upTo(limit) }

type upTo time.Duration

func (w upTo) tick(c *Call, _ []byte) (over, spoke bool) {
	return c.answering() || c.elapsed() >= time.Duration(w), false
}

// DTMF presses keys, ten a second: 0-9, A-D, * and #; others are ignored.
func DTMF(digits string) Step { return &dtmf{digits} }

type dtmf struct{ rest string }

func (d *dtmf) tick(c *Call, _ []byte) (over, spoke bool) {
	if len(d.rest) == 0 {
		return true, false
	}
	if (c.tape.ticks-c.caller.since)%5 == 0 {
		digit := d.rest[0]
		d.rest = d.rest[1:]
		if s := c.stream; s != nil && !s.closing && isKey(digit) {
			c.send(s, s.dtmf(digit), nil)
		}
	}
	return false, false
}

func isKey(b byte) bool { return b >= '0' && b <= '9' || b >= 'A' && b <= 'D' || b == '*' || b == '#' }

// Hangup ends the call as Call.Hangup does.
func Hangup() Step { return &hangup{} }

// Vanish ends the call as Call.Vanish does.
func Vanish() Step { return &hangup{abrupt: true} }

type hangup struct{ abrupt bool }

func (h *hangup) tick(c *Call, _ []byte) (over, spoke bool) {
	c.endLocked("caller", h.abrupt)
	return true, false
}

// Play speaks what fill writes, 160 bytes of µ-law a frame, until it returns false. It is no turn. fill runs
// under the call's lock.
func Play(fill func(frame []byte) bool) Step { return play(fill) }

type play func([]byte) bool

func (p play) tick(_ *Call, frame []byte) (over, spoke bool) { return !p(frame), true }
