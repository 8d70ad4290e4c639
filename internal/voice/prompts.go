package voice

import (
	"fmt"
	"time"

	"parley"
	"parley/internal/leg"
)

// What the agent says of its own accord, by purpose. The words are on record as prompt.spoken, and the model sees them
// as metadata of the response.
const (
	purposeReminder = "reminder"      // the caller is silent
	purposeWrapUp   = "wrap_up"       // the call must end soon
	purposeGoodbye  = "goodbye"       // it ends now
	purposeLooking  = "still_looking" // a tool takes its time
	purposeGoOn     = "continue"      // the rest of an answer that was cut off
)

// optional reports whether what was asked for can be left unsaid.
func optional(purpose string) bool {
	return purpose == purposeReminder || purpose == purposeWrapUp || purpose == purposeGoodbye || purpose == purposeLooking
}

const (
	byeTimeout    = 12 * time.Second // for a goodbye of ours to be said and heard
	overtime      = 8 * time.Second  // what is being said at maxDuration may take this long
	maxLookPause  = 30 * time.Second // between two times that the agent says it is still looking
	maxLooks      = 8                // in one wait
	wrapUpBefore  = 30 * time.Second // the end
	remindBefore  = 10 * time.Second // the end
	remindShare   = 0.6              // of a short timeout
	wrapUpDivisor = 5                // of a short call
)

// prompts is what the agent has said, or must say, of its own accord.
type prompts struct {
	reminded bool // since the caller's last sign of life
	warned   bool // that the longest duration comes near
	final    bool // the call is over when what is being said has been heard; nothing new is begun

	waitSince time.Time // for a tool; zero = none runs
	looks     int       // how often the agent has said so

	menuBy time.Time // when somebody must have spoken after the agent has pressed keys; zero = nothing is waited for
}

// prompt asks the agent to say something of its own accord. Call it on a free line (idle).
func (s *Session) prompt(purpose, task string) {
	s.seq.want(leg.Ask{Purpose: purpose, NoTools: true, Instructions: s.instruct(task)})
}

// instruct puts a task behind the agent's instructions: instructions for one response replace the session's.
func (s *Session) instruct(task string) string {
	if own := s.cfg.Agent.Instructions; own != "" {
		return own + "\n\n" + task
	}
	return task
}

// onCreated puts a prompt on record when the model has accepted it.
func (s *Session) onCreated(responseID string) {
	if s.seq.asked.Instructions != "" && len(s.consent.unasked) < 10_000 {
		s.consent.unasked[responseID] = true
	}
	if p := s.seq.asked.Purpose; p != "" {
		s.rec.Fact(parley.EventPromptSpoken, parley.PromptSpokenData{Purpose: p, ResponseID: responseID})
	}
}

// idle reports whether nothing is being said, asked or answered by anyone.
func (s *Session) idle() bool { return s.lineFree() && !s.ledger.speaking() }

// lineFree reports whether the model can be asked for something that nobody waits for. What is still being played may
// go on.
func (s *Session) lineFree() bool {
	if s.tail.open && time.Since(s.lastActivity) < commitTimeout {
		return false // a turn of the caller comes
	}
	return s.ready && s.outcome == nil && !s.callerSpeaking && !s.cutOff && !s.seq.busy() && !s.seq.wanted && s.retryAt.IsZero() && s.leaveBy.IsZero()
}

// signOfLife says that the caller is there.
func (s *Session) signOfLife(now time.Time) {
	s.lastActivity, s.prompts.reminded, s.prompts.menuBy = now, false, time.Time{}
}

// silenceEnds is when the caller's silence has its next consequence: a reminder, then the end. The clock stands still
// while either side speaks or the model works.
func (s *Session) silenceEnds() (time.Time, bool) {
	timeout := time.Duration(s.cfg.Agent.Voice.Timeout) * time.Second
	if timeout <= 0 || !s.idle() || s.tools.running() > 0 {
		return time.Time{}, false
	}
	remind := max(timeout-remindBefore, time.Duration(float64(timeout)*remindShare))
	if s.prompts.reminded {
		return s.lastActivity.Add(timeout - remind), true
	}
	return s.lastActivity.Add(remind), true
}

// onSilence reminds the caller once, then ends the call with a goodbye.
func (s *Session) onSilence(now time.Time) {
	if !s.prompts.reminded {
		s.prompts.reminded, s.lastActivity = true, now
		s.prompt(purposeReminder, `The caller has been silent for a while. Ask in one short sentence, in the language of the conversation, whether they are still there, such as "Are you still there?"`)
		return
	}
	s.sayGoodbye(parley.EndSilenceTimeout, now, `The caller has not answered and is probably not there any more. Say goodbye in one short sentence, in the language of the conversation, such as "I will end the call now. Goodbye."`)
}

// sayGoodbye ends the call for a reason once a goodbye has been heard. A caller who speaks into it keeps the call,
// unless the end is final.
func (s *Session) sayGoodbye(reason string, now time.Time, task string) {
	s.prompt(purposeGoodbye, task)
	s.leaveReason, s.leaveBy = reason, now.Add(byeTimeout)
}

// wrapUpAt is when the agent says that the call must end soon, and when it ends.
func (s *Session) wrapUpAt() (warn, end time.Time, limited bool) {
	d := time.Duration(s.cfg.Agent.Voice.MaxDuration) * time.Second
	if d <= 0 {
		return time.Time{}, time.Time{}, false
	}
	end = s.callSince.Add(d)
	return end.Add(-min(wrapUpBefore, d/wrapUpDivisor)), end, true
}

// tendDuration warns before the longest duration and ends the call at it. Whoever is speaking then may finish, within
// bounds.
func (s *Session) tendDuration(now time.Time) {
	warn, end, limited := s.wrapUpAt()
	p := &s.prompts
	switch {
	case !limited || p.final || now.Before(warn):
	case !now.Before(end):
		s.timeIsUp(now)
	case !p.warned && (s.idle() || !now.Before(warn.Add(end.Sub(warn)/2)) && s.lineFree()):
		p.warned = true
		left := max(1, int(end.Sub(now).Seconds()))
		s.prompt(purposeWrapUp, fmt.Sprintf(`The call must end in %d seconds. Tell the caller so in one short sentence, in the language of the conversation, and bring it to a close, such as "We have about %d seconds left; is there one last thing?"`, left, left))
	}
}

// timeIsUp ends the call at its longest duration: what is being said is heard out, within bounds, and a caller who was
// not warned hears a goodbye.
func (s *Session) timeIsUp(now time.Time) {
	p := &s.prompts
	p.final = true
	s.leaveReason, s.leaveBy = parley.EndMaxDuration, now.Add(overtime)
	switch {
	case s.ledger.sounds() || s.callerSpeaking || s.seq.busy() && !optional(s.seq.asked.Purpose):
	case s.ready && !s.seq.busy() && !p.warned:
		s.prompt(purposeGoodbye, `The call must end now. Say so and say goodbye in one short sentence, in the language of the conversation, such as "I am sorry, our time is up. Goodbye."`)
	default:
		s.leaveBy = now
	}
}

// tendTools says that a slow tool is still at work: after some time of dead air, then at growing intervals, never over
// the caller's speech.
func (s *Session) tendTools(now time.Time) {
	p := &s.prompts
	if s.tools.running() == 0 {
		p.waitSince, p.looks = time.Time{}, 0
		return
	}
	if p.waitSince.IsZero() {
		p.waitSince = now
	}
	at, ok := s.lookAt()
	if !ok || now.Before(at) || !s.idle() {
		return
	}
	task := `A tool is still at work on what the caller asked for, and its result is not here yet. Say in one short sentence, in the language of the conversation, that you are still looking, such as "One moment please, I am still looking." Do not guess the result.`
	if p.looks > 0 {
		task = `The tool is still at work; it takes longer than usual. Say so in one short sentence, in the language of the conversation, in other words than before, such as "This takes a little longer than usual, thank you for waiting." Do not guess the result.`
	}
	p.looks++
	s.prompt(purposeLooking, task)
}

// lookAt is when the caller next has to hear that a tool is still at work.
func (s *Session) lookAt() (time.Time, bool) {
	p, first := &s.prompts, time.Duration(s.cfg.Agent.Voice.ToolFillerSeconds)*time.Second
	if first <= 0 || p.waitSince.IsZero() || p.looks >= maxLooks {
		return time.Time{}, false
	}
	since := p.waitSince
	if s.lastActivity.After(since) {
		since = s.lastActivity
	}
	return since.Add(max(first, min(first<<p.looks, maxLookPause))), true
}

// tend does what is due besides the events: everything that keeps a caller from being left in silence.
func (s *Session) tend(now time.Time) {
	if s.outcome != nil {
		return
	}
	s.tendPulse(now)
	s.tendModel(now)
	s.tendSwap(now)
	s.tendDuration(now)
	s.tendTools(now)
	s.tendMenu(now)
	s.tendFiller(now)
	s.tendControl(now)
	s.tendWaiting(now)
}

// tendAt names when tend has to look again.
func (s *Session) tendAt(now time.Time, sooner func(time.Time)) {
	later := func(t time.Time) {
		if t.After(now) {
			sooner(t)
		}
	}
	s.tendPulseAt(sooner)
	s.tendWaitingAt(sooner)
	s.tendModelAt(sooner)
	s.tendSwapAt(now, sooner)
	if warn, end, limited := s.wrapUpAt(); limited && !s.prompts.final {
		later(warn)
		later(warn.Add(end.Sub(warn) / 2))
		later(end)
	}
	if at, ok := s.lookAt(); ok {
		later(at)
	}
	later(s.fillerAt(now))
	later(s.prompts.menuBy)
}
