package voice

import (
	"time"

	"parley"
	"parley/internal/leg"
)

// askTakeUp makes the agent speak first after a loss: the caller, who heard silence and "one moment", must know that
// somebody is there again.
const askTakeUp = "The connection to the caller broke off for a few seconds and is back now. Say so in a few words, then go on " +
	"where you were: finish what you were saying, or repeat your last question. Do not greet the caller again and do not start over."

// comeBack goes on with a conversation that an earlier session held, which is not there any more.
func (s *Session) comeBack() {
	n := len(s.cfg.History)
	if n == 0 {
		return
	}
	switch last := s.cfg.History[n-1]; {
	case last.Role == "user" || last.Kind == leg.HistoryToolResult:
		s.seq.want(leg.Ask{}) // the stream was lost before the answer
	case s.cfg.Lost:
		s.say(s.instruct(askTakeUp))
	}
}

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
	if closed(s.cfg.HandOver) {
		s.onHandOver()
	}
	if s.handing {
		s.letGo()
		return
	}
	s.end(parley.EndServerStopped, parley.IntentNotice)
}
