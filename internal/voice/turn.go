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

// maxEndpoint is the longest believable time from the end of speech to speech_stopped.
const maxEndpoint = 5 * time.Second

// endpointMs is how long ago the caller ended, when the model says at now that speech has stopped at audioMs of what it
// was given. The model counts the silence that it waits for to the speech, so the caller's own sound decides.
func (s *Session) endpointMs(audioMs int64, now time.Time) int64 {
	ms := max(0, s.appended/bytesPerMs-audioMs)
	if quiet := now.Sub(s.barge.gate.above.Add(s.ledger.rtt)); quiet > 0 && quiet < maxEndpoint {
		ms = max(ms, quiet.Milliseconds())
	}
	return ms
}

// answer is the beginning of a turn's answer on its way to the caller's ear.
type answer struct {
	latency parley.TurnLatencyData
	at      time.Time // its first frame left
	gen     int       // of the ledger then
	pos     int64     // of that frame
}

// answered measures a turn when the first frame of its answer leaves. It goes on record when the carrier says that
// the frame was played.
func (s *Session) answered(responseID string, now time.Time) {
	s.recordLatency()
	t := s.turn
	s.turn = nil
	s.answer = &answer{at: now, gen: s.ledger.gen, pos: s.ledger.sent, latency: parley.TurnLatencyData{
		ItemID: t.itemID, ResponseID: responseID,
		EndpointMs:  t.endpointMs,
		CreateMs:    t.createdAt.Sub(t.stoppedAt).Milliseconds(),
		FirstByteMs: t.firstAudio.Sub(t.createdAt).Milliseconds(),
		FrameMs:     now.Sub(t.firstAudio).Milliseconds(),
		ResponseMs:  now.Sub(t.stoppedAt).Milliseconds(),
	}}
}

// answerHeard looks after a mark came back whether the answer's first frame has been played. The mark is played after
// the audio before it, and its echo takes half a round trip. After a clear nobody can know.
func (s *Session) answerHeard(now time.Time) {
	switch a, l := s.answer, &s.ledger; {
	case a == nil:
	case a.gen != l.gen:
		s.recordLatency()
	case l.acked > a.pos:
		played := time.Duration((l.acked-a.pos)/bytesPerMs) * time.Millisecond
		heard := max(0, now.Sub(a.at)-played-l.rtt/2).Milliseconds()
		a.latency.HeardMs = &heard
		s.recordLatency()
	}
}

// recordLatency puts the turn that is being answered on record, as far as it was measured.
func (s *Session) recordLatency() {
	if s.answer != nil {
		s.rec.Fact(parley.EventTurnLatency, s.answer.latency)
		s.answer = nil
	}
}

// say asks the agent to say something of its own accord, in words made by the model from instructions. An answer
// that is already wanted goes first: then nothing is said and the result is false.
func (s *Session) say(instructions string) bool {
	return s.seq.want(leg.Ask{Instructions: instructions, NoTools: true})
}

// create asks the model for the wanted answer when the line is free and the caller is not speaking.
func (s *Session) create(now time.Time) {
	s.answerResults()
	if s.outcome != nil || !s.ready || s.callerSpeaking || !s.commitBy.IsZero() || !s.seq.ready() || s.awaitsKeys() {
		return // a turn that ends now is answered together with what is wanted
	}
	if s.prompts.final && s.seq.ask.Purpose != purposeGoodbye {
		s.seq.wanted = false // the call's time is over
		return
	}
	if a := s.seq.ask; a == (leg.Ask{}) || a == (leg.Ask{NoTools: true}) {
		s.tools.unseen = false // every answer of the agent's own sees them
	}
	id, err := s.model.CreateResponse(s.seq.ask)
	s.seq.sent(id, now)
	s.retryAt = time.Time{}
	if s.turn != nil && s.turn.createdAt.IsZero() {
		s.turn.createdAt = now
	}
	s.modelSent(err)
}
