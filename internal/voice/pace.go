package voice

import (
	"time"

	"parley"
)

// pace measures how punctually frames leave, and counts those of this stream.
type pace struct {
	due     time.Time // of the next frame that waits; zero = none
	in, out int64     // frames
	late    int64
	holes   int // underruns of earlier streams
}

// paced observes, before frames are sent, how late the one that waited is.
func (s *Session) paced(now time.Time) {
	p := &s.pace
	if p.due.IsZero() || now.Before(p.due) || s.outcome != nil {
		return
	}
	late := now.Sub(p.due)
	s.cfg.Counts.Pacing.Observe(late.Seconds())
	if late > frameLate {
		p.late++
		s.cfg.Counts.FramesLate.Add(1)
	}
}

// awaitFrame notes, after frames were sent, when the next one is to leave.
func (s *Session) awaitFrame() {
	s.pace.due = time.Time{}
	if s.frameWaits() {
		s.pace.due = s.ledger.playhead.Add(-s.ledger.lead.ahead)
	}
}

// countIn counts a frame of the caller.
func (s *Session) countIn() {
	s.pace.in++
	s.cfg.Counts.FramesIn.Add(1)
}

// recordStream puts on record how the stream went, when it ends. A session may go on with another one.
func (s *Session) recordStream() {
	l := &s.ledger
	s.rec.Fact(parley.EventStreamMeasured, parley.StreamMeasuredData{
		FramesIn: s.pace.in, FramesOut: s.pace.out, Late: s.pace.late, Underruns: l.underruns - s.pace.holes,
		RoundTrip: l.rtt.Milliseconds(), LeadMs: l.lead.ahead.Milliseconds(),
	})
	s.cfg.Counts.Underruns.Add(int64(l.underruns - s.pace.holes))
	s.pace = pace{holes: l.underruns}
}
