package voice

import (
	"time"

	"parley"
)

// pump sends what is due to the carrier: frames until the lead is filled. A frame that arrives below the lead
// leaves at once, not at the next tick.
func (s *Session) pump(now time.Time) {
	for s.outcome == nil && !s.carrierGone && s.barge.paused == nil && s.ledger.playhead.Sub(now) <= s.ledger.lead.ahead {
		p, frame := s.ledger.next()
		if p == nil {
			break
		}
		if s.turn != nil && s.turn.respondedBy(p.responseID) {
			s.answered(p.responseID, now)
		}
		s.hearAgent(frame, now)
		s.carrierSent(s.carrier.SendMedia(frame))
		s.pace.out++
		s.ledger.sentFrame(p, len(frame), now)
		s.cfg.Recording.Agent(frame, s.ledger.heardIn(len(frame), now))
		if s.ledger.wantsMark() {
			s.sendMark(now)
		}
	}
	if !s.carrierGone && s.ledger.wantsMark() {
		s.sendMark(now)
	}
}

// frameWaits reports whether pump has something to send later.
func (s *Session) frameWaits() bool {
	p, _ := s.ledger.next()
	return p != nil && !s.carrierGone && s.barge.paused == nil
}

func (s *Session) sendMark(now time.Time) {
	s.carrierSent(s.carrier.SendMark(s.ledger.mark(now)))
}

// clear makes the carrier drop what it has not played. The ledger's generation has ended.
func (s *Session) clear() {
	s.carrierSent(s.carrier.SendClear())
	s.cfg.Recording.Cut(s.ledger.rtt)
}

// reportHeard records the items that have been played to their end.
func (s *Session) reportHeard(now time.Time) {
	for _, p := range s.ledger.finished() {
		s.lastActivity = now
		if p.received == 0 || p.filler {
			continue // an item without audio was not spoken
		}
		text, approximate := p.heardText(p.received)
		s.memory.heard(p.recordID(), text, p.cut)
		s.barge.lastText = text
		s.questionHeard(p, text, p.received, now)
		s.rec.Fact(parley.EventMessageHeard, parley.MessageHeardData{
			ItemID: p.recordID(), HeardText: text, HeardMs: p.receivedMs(), AudioMs: p.receivedMs(), Approximate: approximate,
		})
	}
}

// reportPosition records how far the item being spoken has been heard: after a crash the record still knows
// to a second what the caller heard.
func (s *Session) reportPosition(now time.Time) {
	s.lastPosition = now
	heard := s.ledger.heard(now)
	for _, p := range s.ledger.items {
		if n := p.heardBytes(heard); n > 0 && n < p.received && !p.filler {
			text, _ := p.heardText(n)
			s.rec.Fact(parley.EventPlayoutPosition, parley.PlayoutPositionData{ItemID: p.recordID(), HeardMs: n / bytesPerMs, HeardText: text})
			return
		}
	}
}

// recordWords puts an item's words on record, once.
func (s *Session) recordWords(p *playItem, complete bool) {
	id := p.recordID()
	if p.filler || s.said[id] || (p.text.Len() == 0 && p.received == 0) {
		return
	}
	s.said[id] = true
	s.rec.Fact(parley.EventMessageAssistant, parley.MessageAssistantData{
		ItemID: id, ResponseID: p.responseID, Text: p.text.String(), AudioMs: p.receivedMs(), Complete: complete,
	})
}

// settle records what was heard of everything that is still playing when a run ends. What a kept session has not
// played stays in its ledger.
func (s *Session) settle(now time.Time) {
	if !s.outcome.Fenced {
		heard := s.ledger.heard(now)
		for _, p := range s.ledger.items {
			s.recordCut(p, heard)
		}
		s.recordLatency()
		s.recordStream()
	}
	s.leftAt = now
	if s.outcome.Keep > 0 {
		s.resume(now)
		s.ledger.rewind(now)
		s.park()
	} else {
		s.ledger.cut(now)
	}
}

// recordCut records an item that ended before its time and returns what was heard of it, in bytes.
func (s *Session) recordCut(p *playItem, heard int64) int64 {
	n := p.heardBytes(heard)
	s.recordWords(p, p.done)
	if p.received > 0 && !p.filler {
		text, approximate := p.heardText(n)
		s.memory.heard(p.recordID(), text, !p.whole || n < p.received)
		s.barge.lastText = text
		s.questionHeard(p, text, n, time.Now())
		s.rec.Fact(parley.EventMessageHeard, parley.MessageHeardData{
			ItemID: p.recordID(), HeardText: text, HeardMs: n / bytesPerMs, AudioMs: p.receivedMs(),
			Interrupted: !p.done || n < p.received, Approximate: approximate,
		})
	}
	return n
}
