package voice

import (
	"time"

	"parley"
)

// interrupt is barge-in: the caller speaks, so the agent stops. What the carrier still holds is cleared, the
// response is canceled, and the model is told for every unfinished item how much of it was heard: truncated
// to whole milliseconds that were certainly received, or deleted if nothing was heard. by is what proved that it is
// the caller who speaks.
func (s *Session) interrupt(by string, now time.Time) {
	s.stopFiller(now)
	paused, unheardBefore := s.endPause(now)
	s.keepCall() // whoever speaks into the goodbye wants to go on
	if s.seq.creating != "" {
		s.cancelCreated, s.cutOff = true, true
	}
	active := s.seq.active
	if _, already := s.dead[active]; active != "" && !already {
		s.dead[active], s.cutOff = nil, true
		_, err := s.model.CancelResponse(active)
		s.modelSent(err)
	}
	if !s.ledger.speaking() {
		return
	}
	anythingSent := s.ledger.sent > 0
	items, heard, unheard := s.ledger.cut(now)
	if anythingSent {
		s.clear()
	}
	cut := parley.InterruptionData{ClearedMs: (unheard + unheardBefore) / bytesPerMs, By: by, PausedMs: paused.Milliseconds()}
	lost, gone := false, ""
	for _, p := range items {
		n := s.recordCut(p, heard)
		if cut.ItemID == "" || n > 0 { // the item being heard: the last one that had begun
			cut.ItemID, cut.ResponseID = p.recordID(), p.responseID
			cut.HeardMs, cut.ReceivedMs = n/bytesPerMs, p.receivedMs()
		}
		lost = lost || !p.done || n < p.received
		if p.itemID != gone && s.forget(p, n/bytesPerMs) {
			gone = p.itemID // with its further parts
		}
	}
	if lost {
		s.cutOff = true
		s.rec.Fact(parley.EventInterruption, cut)
	}
}

// forget makes the model forget what the caller did not hear of a part of an item. It reports whether the whole item goes.
func (s *Session) forget(p *playItem, heardMs int64) (whole bool) {
	switch {
	case p.done && heardMs >= p.receivedMs():
		// All of it was heard.
	case p.retold:
		s.retell(p)
	case heardMs > 0:
		_, err := s.model.Truncate(p.itemID, p.contentIndex, min(heardMs, p.receivedMs()))
		s.modelSent(err)
	case p.contentIndex > 0:
		// Only items can be deleted, so a further part of one that was heard is cut to nothing.
		if p.received > 0 {
			_, err := s.model.Truncate(p.itemID, p.contentIndex, 0)
			s.modelSent(err)
		}
	case s.seq.active == p.responseID:
		// The item exists completely only when its response is done; then it can be deleted.
		s.dead[p.responseID] = append(s.dead[p.responseID], p.itemID)
		return true
	default:
		s.deleteItem(p.itemID)
		return true
	}
	return false
}

func (s *Session) deleteItem(itemID string) {
	s.memory.forget(itemID)
	_, err := s.model.DeleteItem(itemID)
	s.modelSent(err)
}
