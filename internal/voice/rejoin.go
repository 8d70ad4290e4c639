package voice

import (
	"time"

	"parley"
	"parley/internal/record"
)

// detach ends a run whose stream is gone without a stop: the call may still live and come back.
func (s *Session) detach() {
	s.outcome = &Outcome{Detached: true, Keep: keepDetached}
}

// Rejoin gives a kept session another stream of its call, for the next Run. rec must belong to the call's new epoch.
// The other parameters are of that stream, as in Config.
func (s *Session) Rejoin(carrier Carrier, rec Recorder, call parley.Call, recording *record.Writer, over, taken <-chan struct{}) {
	s.carrier, s.rec = carrier, rec
	s.cfg.Call, s.cfg.Recording, s.cfg.Over, s.cfg.Taken = call, recording, over, taken
}

// goOn takes up the conversation on a new stream: what the caller has not heard is played from there.
func (s *Session) goOn() {
	now := time.Now()
	s.outcome, s.carrierGone = nil, false
	s.lastMedia, s.lastActivity = now, now
	s.outage.rejoin(now)
	s.pulse.renew(now)
	s.back = true
	for _, p := range s.ledger.items {
		delete(s.said, p.recordID()) // its words were put on record as cut off: they are told again in the end
	}
	s.catchUp(now.Sub(s.leftAt))
	s.ledger.newRoad()
	s.sendMark(now)
	s.unpark()
	// A browser's page comes back at once and by itself: its caller has noticed nothing.
	if c := s.cfg.Call; c.Errand == (parley.Errand{}) && !c.FromBrowser() && s.idle() && s.tools.running() == 0 {
		s.say(s.instruct(askTakeUp))
	}
}

// catchUp gives what was under way the time anew that the session was away: nobody read what the model said, and nobody
// heard the agent.
func (s *Session) catchUp(away time.Duration) {
	q, o := &s.seq, &s.outage
	for _, t := range []*time.Time{&q.creatingAt, &q.activityAt, &s.commitBy, &s.leaveBy, &o.doubtBy, &s.swap.setupBy} {
		if !t.IsZero() {
			*t = t.Add(away)
		}
	}
}
