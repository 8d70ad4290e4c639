package voice

import (
	"time"

	"parley"
	"parley/internal/leg"
)

const (
	keyPause = 1800 * time.Millisecond // without a key: the caller has pressed all
	maxKeys  = 32                      // told at once
)

// keypad collects the keys that the caller presses until they are complete.
type keypad struct {
	pressed string
	by      time.Time // when they are complete; zero = none were pressed
}

// onKey takes one key. It interrupts the agent at once, a greeting too: whoever presses a key has decided something.
func (s *Session) onKey(key string, now time.Time) {
	s.signOfLife(now)
	s.rec.Fact(parley.EventDTMF, parley.DTMFData{Digit: key})
	if s.deaf() || len(key) != 1 {
		return
	}
	s.interrupt(parley.ByKeys, now)
	k := &s.keypad
	k.pressed, k.by = k.pressed+key, now.Add(keyPause)
	if key == "#" || len(k.pressed) >= maxKeys {
		k.by = now
	}
}

// tellKeys tells the model what the caller has typed, as something that the caller said, and asks for an answer. The
// digits go to the model and on the conversation's record, and nowhere else: they may be a card's number.
func (s *Session) tellKeys(now time.Time) {
	k := &s.keypad
	if s.outcome != nil || !s.ready || k.by.IsZero() || now.Before(k.by) {
		return
	}
	keys := k.pressed
	text, id := "[The caller pressed "+spaced(k.pressed)+"]", "keys_"+parley.NewID()[9:]
	*k = keypad{}
	item := leg.HistoryItem{ID: id, Role: "user", Text: text}
	s.memory.add(id, "", item)
	s.modelSent(s.model.AddItem(item))
	s.rec.Fact(parley.EventMessageUser, parley.MessageUserData{ItemID: id, Text: text})
	s.guard.Spoke()
	s.guard.Pressed(id, keys, now)
	s.cutOff, s.unanswered, s.commitBy = false, false, time.Time{}
	s.barge.answered = true
	s.seq.want(leg.Ask{})
}

// tellKeysAt names when tellKeys has to look again.
func (s *Session) tellKeysAt(sooner func(time.Time)) {
	if s.ready && !s.keypad.by.IsZero() {
		sooner(s.keypad.by)
	}
}
