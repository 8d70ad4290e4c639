package voice

import (
	"math"
	"time"

	"parley"
)

const (
	// wrapUpTimeout is how long a call may go on once it has cost what it may.
	wrapUpTimeout = 25 * time.Second

	wrapUpAsk = "This call has to end now. In one short sentence, tell the caller that you have to end the call, and say goodbye. Do not ask anything."
)

// budget lets a call end when it has cost what it may: what the model and the transcription have billed, and the
// carrier's minutes begun so far. First the agent is asked for a goodbye.
type budget struct {
	limit  int64     // micro-dollars, 0 = none
	spent  int64     // without the carrier
	stopAt time.Time // the limit was reached: the call ends then at the latest
	asked  bool      // for the goodbye
}

func newBudget(cfg Config) budget {
	b := budget{spent: cfg.Spent}
	if v := cfg.Agent.Voice; v != nil && v.MaxCost != nil {
		b.limit = int64(math.Round(*v.MaxCost * 1e6))
	}
	return b
}

// minutesCost is the carrier's bill so far.
func (s *Session) minutesCost(now time.Time) int64 {
	c := s.cfg.Call
	return s.cfg.Bill.Running(s.cfg.Direction, c.To, now.Sub(s.answeredAt()), c.Simulated || c.FromBrowser()).Cost
}

// answeredAt is when the carrier began to charge.
func (s *Session) answeredAt() time.Time {
	if t := s.cfg.Call.CreatedAt; !t.IsZero() {
		return t
	}
	return s.startedAt
}

// keepBudget ends the call when its cost has reached the limit: by a goodbye that is heard, or without one in the end.
// What the caller says meanwhile is still answered, but ends nothing any later.
func (s *Session) keepBudget(now time.Time) {
	b := &s.budget
	if b.limit == 0 || s.outcome != nil {
		return
	}
	if b.stopAt.IsZero() {
		if b.spent+s.minutesCost(now) < b.limit {
			return
		}
		b.stopAt = now.Add(wrapUpTimeout)
		s.rec.Fact(parley.EventCostReached, parley.CostReachedData{Cost: b.spent + s.minutesCost(now), Limit: b.limit})
	}
	idle := s.ready && !s.callerSpeaking && !s.ledger.speaking() && !s.frameWaits() && !s.seq.busy() && !s.seq.wanted && s.retryAt.IsZero() && s.tools.running() == 0
	switch {
	case !now.Before(b.stopAt), b.asked && idle:
		s.end(parley.EndMaxCost, parley.IntentHangup)
	case idle:
		b.asked = s.say(s.instruct(wrapUpAsk))
		s.create(now)
	}
}

// budgetLooks is when time alone may reach the limit, or ends the wait for the goodbye.
func (s *Session) budgetLooks(now time.Time) (time.Time, bool) {
	switch b := &s.budget; {
	case b.limit == 0:
		return time.Time{}, false
	case !b.stopAt.IsZero():
		return b.stopAt, true
	}
	since := s.answeredAt()
	return since.Add(now.Sub(since).Truncate(time.Minute) + time.Minute + time.Millisecond), true
}
