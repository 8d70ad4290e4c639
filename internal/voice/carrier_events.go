package voice

import (
	"errors"
	"log/slog"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/ws"
)

func (s *Session) onCarrier(ev leg.CarrierEvent, ok bool) {
	now := time.Now()
	if !ok {
		// A socket that closes without a stop does not end the call: it may come back.
		s.cfg.Log.Warn("media stream vanished", slog.Any("error", s.carrier.Err()))
		s.detach()
		return
	}
	switch ev.Kind {
	case leg.CarrierMedia:
		s.lastMedia = now
		s.cfg.Recording.Caller(ev.Payload)
		s.countIn()
		s.onCallerAudio(ev.Payload)
		s.hearCaller(ev.Payload, now)
		s.hearMachine(ev.Payload, now)
	case leg.CarrierMark:
		s.ledger.acknowledge(ev.Name, now)
		s.answerHeard(now)
		s.reportHeard(now)
	case leg.CarrierDTMF:
		s.onKey(ev.Name, now)
	case leg.CarrierStop:
		s.end(parley.EndCallerHangup, parley.IntentNone)
	}
}

// onCallerAudio passes the caller's audio to the model, or keeps it until the model can take it: what the
// caller says while the model is being dialed is not lost.
func (s *Session) onCallerAudio(ulaw []byte) {
	if s.ready {
		s.append(ulaw)
		return
	}
	s.listenForFiller(time.Now())
	if excess := len(s.held) + len(ulaw) - maxHeldAudio; excess > 0 {
		s.held = append(s.held[:0], s.held[min(excess, len(s.held)):]...)
	}
	s.held = append(s.held, ulaw...)
}

func (s *Session) append(ulaw []byte) {
	s.appended += int64(len(ulaw))
	s.tail.hear(ulaw)
	s.modelSent(s.model.AppendAudio(ulaw))
}

// carrierSent handles the result of a send to the carrier. A socket that is gone may have said `stop` before it
// closed: nothing more is sent, and what was received decides how the call ended. A peer that does not read has
// lost the stream.
func (s *Session) carrierSent(err error) {
	switch {
	case err == nil || s.outcome != nil:
	case errors.Is(err, ws.ErrSlowPeer):
		s.fault("carrier", "slow", err.Error())
		s.detach()
	default:
		s.carrierGone = true
	}
}

// modelSent handles the result of a send to the model.
func (s *Session) modelSent(err error) {
	if err != nil && s.outcome == nil {
		s.modelLost("send_failed", err.Error())
	}
}
