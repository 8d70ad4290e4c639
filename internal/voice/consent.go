package voice

import (
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

const (
	// wordsPatience is how long a tool call that needs the caller's agreement waits for the words of their answer: the
	// model often hears a yes before its transcript is there.
	wordsPatience = 4 * time.Second
	// overlap is how much of a question's end the caller may talk over, and how much of it may be unheard.
	overlap     = time.Second
	unheardTail = 250 * time.Millisecond
	maxUnjudged = 16 // words that wait for the decision on their turn
)

// consent is what the session knows of the caller's answers that the guard has not got yet.
type consent struct {
	words    map[string]string // by item: the transcript came before the decision on the turn
	expected map[string]bool   // by item: the turn is the caller's, its words are not known; the value says that it began too early
	unasked  map[string]bool   // responses that are no answers: reminders and the like
}

func newConsent() consent {
	return consent{words: map[string]string{}, expected: map[string]bool{}, unasked: map[string]bool{}}
}

// newGuard makes the guard of a call from what its record says of earlier streams.
func (s *Session) newGuard() *tool.Guard {
	how := tool.Consent{Words: s.cfg.Agent.Voice.Transcription, Keys: !s.cfg.Call.FromBrowser()}
	g := tool.NewGuard(tool.Limits{AtOnce: maxTools}, how, s.cfg.Tools, func(d parley.ToolConfirmationData) { s.rec.Fact(parley.EventToolConfirmation, d) })
	g.Restore(s.cfg.Earlier)
	s.cfg.Earlier = nil
	return g
}

// turnIsTheirs: what the caller said is neither an echo nor a nod. u is nil when it began while the agent was silent.
func (s *Session) turnIsTheirs(itemID string, u *utterance, now time.Time) {
	c := &s.consent
	s.guard.Spoke()
	asked := s.guard.AskedAt()
	early := u != nil && !u.confirmed && (asked.IsZero() || asked.Sub(u.at) > overlap)
	if words, ok := c.words[itemID]; ok {
		delete(c.words, itemID)
		s.guard.Answered(itemID, words, early, now)
		return
	}
	if s.cfg.Agent.Voice.Transcription && len(c.expected) < maxUnjudged {
		c.expected[itemID] = early
		s.guard.Expect(itemID)
	}
}

// theirWords takes the transcript of a turn, "" when there is none.
func (s *Session) theirWords(itemID, text string, now time.Time) {
	c := &s.consent
	early, ok := c.expected[itemID]
	if !ok {
		if len(c.words) >= maxUnjudged {
			clear(c.words)
		}
		c.words[itemID] = text
		return
	}
	delete(c.expected, itemID)
	s.guard.Answered(itemID, text, early, now)
	s.tryWaiting(now)
}

// questionHeard tells the guard what the caller has heard of the agent. Words that nobody had asked for, such as a
// reminder, come between a question and its answer.
func (s *Session) questionHeard(p *playItem, text string, heard int64, now time.Time) {
	switch whole := p.whole && (p.received-heard)/bytesPerMs <= unheardTail.Milliseconds(); {
	case p.filler || heard == 0:
	case s.consent.unasked[p.responseID]:
		s.guard.Distracted(p.recordID())
	case whole && !s.tools.before[p.recordID()]:
		s.guard.Asked(p.recordID(), text, now)
	}
}

// waitingCall is a tool call that the guard has not decided about.
type waitingCall struct {
	ev       leg.ModelEvent
	until    time.Time // for the caller's words; zero = it waits for another call
	forWords bool
}

// tryWaiting asks the guard again about the calls that wait.
func (s *Session) tryWaiting(now time.Time) {
	waiting := s.tools.waiting
	s.tools.waiting = nil
	for _, w := range waiting {
		s.admit(w, now)
	}
}

// tendWaiting gives up waiting for words that do not come.
func (s *Session) tendWaiting(now time.Time) {
	for _, w := range s.tools.waiting {
		if w.forWords && !now.Before(w.until) {
			for id, early := range s.consent.expected {
				delete(s.consent.expected, id)
				s.guard.Answered(id, "", early, now)
			}
			s.tryWaiting(now)
			return
		}
	}
}

// tendWaitingAt names when tendWaiting has to look again.
func (s *Session) tendWaitingAt(sooner func(time.Time)) {
	for _, w := range s.tools.waiting {
		if w.forWords {
			sooner(w.until)
		}
	}
}
