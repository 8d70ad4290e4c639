package voice

import (
	"time"

	"parley"
)

// handOverPause is how long nothing must have happened for a turn to be over: between the end of the caller's speech
// and its commit as a turn, nothing is asked yet.
const handOverPause = 700 * time.Millisecond

// onHandOver: the process is being stopped, and another one takes the calls.
func (s *Session) onHandOver() { s.handing, s.cfg.HandOver = true, nil }

// handsOver lets the call go at the end of a turn. The model's leg is of no use to the other process.
func (s *Session) handsOver(now time.Time) {
	if s.handing && s.outcome == nil && s.leaveBy.IsZero() && s.ready && s.quiet() && now.Sub(s.lastActivity) >= handOverPause {
		s.letGo()
	}
}

func (s *Session) letGo() { s.outcome = &Outcome{Detached: true, HandOver: true} }

// stopped ends the run because the process stops. A call that another process takes is not ended for it.
func (s *Session) stopped() {
	select {
	case <-s.cfg.HandOver:
		s.onHandOver()
	default:
	}
	if s.handing {
		s.letGo()
		return
	}
	s.end(parley.EndServerStopped, parley.IntentNotice)
}
