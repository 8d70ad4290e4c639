package voice

import (
	"slices"
	"strconv"
	"time"

	"parley"
	"parley/internal/audio"
)

const (
	fillerAfter = 700 * time.Millisecond  // of silence while the model is being replaced
	helloAfter  = 2500 * time.Millisecond // at the beginning of a call
	slowAfter   = 4 * time.Second         // of silence while the model thinks
	fillerAhead = 400 * bytesPerMs        // of it that the ledger holds at least
)

// filler is the quiet tune that the caller hears instead of silence while nobody can answer. It goes through the ledger
// like the agent's voice, but it is nothing that the agent said.
type filler struct {
	item  *playItem // being played; nil = none
	count int
	loud  time.Time // when the caller was last heard while no model listened
}

// listenForFiller notes that the caller speaks while no model listens: nothing is played over it.
func (s *Session) listenForFiller(now time.Time) {
	if s.barge.gate.verdict() >= voiced {
		s.filler.loud = now
		s.stopFiller(now)
	}
}

// fillerAt is when the silence has lasted long enough for the tune; zero when nobody waits for the model.
func (s *Session) fillerAt(now time.Time) time.Time {
	quiet, o := s.lastActivity, &s.outage
	after := fillerAfter
	switch {
	case s.outcome != nil || s.ledger.sounds() || s.ready && s.callerSpeaking:
		return time.Time{}
	case !s.ready && s.connects == 0:
		quiet, after = latest(quiet, s.filler.loud), helloAfter
	case !s.ready && !s.seq.wanted && !s.midTurn && s.filler.loud.Before(o.since):
		return time.Time{} // nobody waits for an answer: silence is as it should be
	case !s.ready, s.outageAnswers():
		quiet = latest(quiet, o.began, s.filler.loud)
	case s.failed > 0 && (!s.retryAt.IsZero() || s.seq.busy()):
		quiet = latest(quiet, o.failing)
	case s.seq.busy() && (!optional(s.seq.asked.Purpose) || s.seq.asked.Purpose == purposeLooking):
		after = slowAfter
		quiet = latest(quiet, s.seq.creatingAt)
	default:
		return time.Time{}
	}
	return quiet.Add(after)
}

// outageAnswers reports whether the first answer after an outage is awaited.
func (s *Session) outageAnswers() bool {
	return s.connects > 1 && s.seq.busy() && s.seq.creatingAt.Sub(s.outage.readyAt).Abs() < time.Second
}

func latest(times ...time.Time) (t time.Time) {
	for _, o := range times {
		if o.After(t) {
			t = o
		}
	}
	return t
}

// tendFiller begins the tune, keeps it going while it is needed, and lets it end.
func (s *Session) tendFiller(now time.Time) {
	f := &s.filler
	if f.item == nil {
		if at := s.fillerAt(now); at.IsZero() || now.Before(at) {
			return
		}
		f.count++
		f.item = &playItem{itemID: "filler-" + strconv.Itoa(f.count), filler: true}
		s.ledger.items = slices.Insert(s.ledger.items, 0, f.item)
	}
	if len(f.item.queue()) >= fillerAhead {
		return
	}
	if s.ready && !s.seq.busy() && !s.seq.wanted && s.retryAt.IsZero() {
		s.stopFiller(now) // nobody waits for an answer any more
		return
	}
	f.item.receive(audio.Waiting())
}

// stopFiller takes the tune back at once: the agent speaks, or the caller does.
func (s *Session) stopFiller(now time.Time) {
	f := &s.filler
	p := f.item
	if p == nil {
		return
	}
	f.item = nil
	heard := p.heardBytes(s.ledger.heard(now))
	unheard := s.ledger.rewind(now)
	s.ledger.remove(p)
	if unheard > 0 {
		s.clear()
	}
	s.barge.gate.echo.cleared(now)
	s.rec.Fact(parley.EventFillerPlayed, parley.FillerPlayedData{HeardMs: heard / bytesPerMs})
}
