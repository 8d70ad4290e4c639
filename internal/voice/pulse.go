package voice

import "time"

// A connection can fall silent without an end: a network that swallows packets. The socket's own pings notice it within
// half a minute, which a caller who has asked something does not wait for. So a model that owes something and says
// nothing is asked for a sign of life that costs nothing (Model.Probe). One that is only slow gives it at once; one that
// does not is lost, and its successor hears what the caller said meanwhile.
const (
	quietLimit   = 1500 * time.Millisecond // of a model that owes something
	speechLimit  = 6 * time.Second         // of one that listens to a caller who speaks on
	probeTimeout = 3 * time.Second
	lateAlarm    = time.Second      // an alarm that comes so late says that this process stood still, not the model
	stuckTimeout = 12 * time.Second // of silence on the line while the model hears speech
	onsetPad     = 300              // ms of audio before a sound that the gate takes for a voice
)

// pulse is what the session knows of its model's being alive.
type pulse struct {
	at      time.Time // the last event
	probeBy time.Time // when the model must have answered a probe; zero = none is on its way

	unnoticed time.Time // since when the gate has heard a voice that the model has not told of; zero = not
	soundAt   time.Time // when it last did
	meant     bool      // it was no echo and no nod: it has to be answered
}

// probing reports whether a sign of life is awaited.
func (p *pulse) probing() bool { return !p.probeBy.IsZero() }

// ignored reports whether the model lives and has not told of the voice that the gate hears: it finds no speech in it.
func (p *pulse) ignored() bool { return !p.unnoticed.IsZero() && p.at.After(p.unnoticed) }

// beat notes an event of the model.
func (p *pulse) beat(now time.Time) { p.at, p.probeBy = now, time.Time{} }

// renew begins to listen to another session of the model, or anew to one that nobody read meanwhile.
func (p *pulse) renew(now time.Time) { *p = pulse{at: now} }

// listenForModel notes, with each of the caller's frames, whether the model has to notice it. From the beginning of the
// sound on, its audio is kept for a successor.
func (s *Session) listenForModel(now time.Time) {
	p := &s.pulse
	v := s.barge.gate.verdict()
	switch {
	case !s.ready || s.callerSpeaking || !s.commitBy.IsZero() || s.deaf():
	case v >= voiced:
		if p.unnoticed.IsZero() {
			p.unnoticed, p.meant = now, false
			s.tail.started(s.appended/bytesPerMs - int64(s.barge.gate.sound.span)*frameBytes/bytesPerMs - onsetPad)
		}
		p.soundAt = now
		p.meant = p.meant || v == proven || !s.agentHeard(now)
	case v == silent && !p.unnoticed.IsZero() && p.at.After(p.soundAt):
		s.noticed() // the model lives, and found nothing in it
	}
}

// notices takes the model's word for where the caller's speech began.
func (s *Session) notices(ms int64) {
	if p := &s.pulse; !p.unnoticed.IsZero() {
		p.unnoticed = time.Time{}
		s.tail.begins(ms)
		return
	}
	s.tail.started(ms)
}

// noticed ends the doubt whether the model hears what the caller says.
func (s *Session) noticed() {
	if p := &s.pulse; !p.unnoticed.IsZero() {
		p.unnoticed = time.Time{}
		s.tail.drop()
	}
}

// probeAt is when the model has been quiet for too long; zero when it owes nothing.
func (s *Session) probeAt() time.Time {
	p, q := &s.pulse, &s.seq
	var since time.Time
	switch {
	case !s.ready:
		return since
	case q.creating != "":
		since = q.creatingAt
	case q.active != "":
		since = q.activityAt
	case !s.commitBy.IsZero():
		since = s.commitBy.Add(-commitTimeout)
	case s.callerSpeaking:
		spoken := latest(s.barge.gate.above, p.at).Add(quietLimit)
		if long := p.at.Add(speechLimit); long.Before(spoken) {
			return long
		}
		return spoken
	case !p.unnoticed.IsZero():
		since = p.unnoticed
	default:
		return since
	}
	return latest(since, p.at).Add(quietLimit)
}

// tendPulse asks a model for a sign of life when it owes one, and takes leave of it when none comes.
func (s *Session) tendPulse(now time.Time) {
	p := &s.pulse
	switch {
	case !s.ready:
	case p.probing():
		switch {
		case now.Before(p.probeBy):
		case now.Sub(p.probeBy) >= lateAlarm, len(s.modelEvents) > 0:
			p.probeBy = now.Add(probeTimeout)
		default:
			s.modelLost("silent", "the model gave no sign of life for several seconds")
		}
	case s.callerSpeaking && !now.Before(s.stuckAt()):
		s.modelLost("stuck", "the model hears speech where there is silence")
	default:
		if at := s.probeAt(); !at.IsZero() && !now.Before(at) {
			p.probeBy = now.Add(probeTimeout)
			s.modelSent(s.model.Probe())
		}
	}
}

// stuckAt is when a model that hears the caller speak cannot be believed any more.
func (s *Session) stuckAt() time.Time {
	return latest(s.barge.gate.above, s.lastActivity, s.outage.readyAt).Add(stuckTimeout)
}

// tendPulseAt names when tendPulse has to look again.
func (s *Session) tendPulseAt(sooner func(time.Time)) {
	switch p := &s.pulse; {
	case !s.ready:
	case p.probing():
		sooner(p.probeBy)
	default:
		if at := s.probeAt(); !at.IsZero() {
			sooner(at)
		}
		if s.callerSpeaking {
			sooner(s.stuckAt())
		}
	}
}
