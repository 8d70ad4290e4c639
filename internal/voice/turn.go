package voice

import (
	"time"

	"parley"
	"parley/internal/leg"
)

// turn is the caller's turn that is being answered, for its latency.
type turn struct {
	itemID     string
	stoppedAt  time.Time // speech_stopped
	endpointMs int64
	createdAt  time.Time // response.create sent
	firstAudio time.Time
	responseID string // of the first audio
}

// respondedBy reports whether a response's first frame answers this turn.
func (t *turn) respondedBy(responseID string) bool {
	return t.responseID != "" && t.responseID == responseID
}

// reportLatency records a turn when the first frame of its answer leaves.
func (s *Session) reportLatency(responseID string, now time.Time) {
	t := s.turn
	s.turn = nil
	s.rec.Fact(parley.EventTurnLatency, parley.TurnLatencyData{
		ItemID: t.itemID, ResponseID: responseID,
		EndpointMs:  t.endpointMs,
		CreateMs:    t.createdAt.Sub(t.stoppedAt).Milliseconds(),
		FirstByteMs: t.firstAudio.Sub(t.createdAt).Milliseconds(),
		ResponseMs:  now.Sub(t.stoppedAt).Milliseconds(),
	})
}

// say asks the agent to say something of its own accord, in words made by the model from instructions. An answer
// that is already wanted goes first: then nothing is said and the result is false.
func (s *Session) say(instructions string) bool {
	return s.seq.want(leg.Ask{Instructions: instructions, NoTools: true})
}

// create asks the model for the wanted answer when the line is free and the caller is not speaking.
func (s *Session) create(now time.Time) {
	if s.outcome != nil || !s.ready || s.callerSpeaking || !s.seq.ready() {
		return
	}
	if s.prompts.final && s.seq.ask.Purpose != purposeGoodbye {
		s.seq.wanted = false // the call's time is over
		return
	}
	id, err := s.model.CreateResponse(s.seq.ask)
	s.seq.sent(id, now)
	if s.turn != nil && s.turn.createdAt.IsZero() {
		s.turn.createdAt = now
	}
	s.modelSent(err)
}
