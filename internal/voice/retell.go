package voice

import (
	"slices"

	"parley/internal/leg"
)

// retellAll gives the conversation to a model session that has just been configured, then the caller's audio. It returns
// the number of items; negative when the session was lost meanwhile.
func (s *Session) retellAll() int {
	items := s.memory.replay(s.saying, func(callID string) bool { return s.tools.pending[callID] })
	for _, h := range items {
		if s.modelSent(s.model.AddItem(h)); !s.ready {
			return -1
		}
	}
	for _, p := range s.ledger.items {
		p.retold = !p.filler
		id := toldID(p.recordID())
		p.told = id != "" && slices.ContainsFunc(items, func(h leg.HistoryItem) bool { return h.ID == id })
	}
	if held := s.held; len(held) > 0 {
		s.held = nil
		if s.midTurn {
			s.tail.resume()
		}
		if s.append(held); !s.ready {
			s.held = held
			return -1
		}
	}
	return len(items)
}

// retell makes the model forget what the caller did not hear of an item that it knows as text: the words that were
// heard take its place.
func (s *Session) retell(p *playItem) {
	if !p.told {
		return // no words of it were known: the model was not told of it, and would refuse to delete it
	}
	id := toldID(p.recordID())
	if r := s.memory.find(p.recordID()); r != nil && r.item.Text != "" {
		s.modelSent(s.model.AddItem(leg.HistoryItem{Role: "assistant", Text: r.item.Text, After: id}))
	}
	_, err := s.model.DeleteItem(id)
	s.modelSent(err)
}

// saying is what the caller will have heard of an item that is being played, when it is not interrupted.
func (s *Session) saying(id string) (string, bool) {
	for _, p := range s.ledger.items {
		if p.recordID() != id {
			continue
		}
		words, _ := p.heardText(p.received)
		if p.cut && words != "" {
			words += "—"
		}
		return words, true
	}
	return "", false
}
