package voice

import (
	"slices"
	"time"

	"parley"
	"parley/internal/leg"
)

func (s *Session) onDialed(d dialResult) {
	s.dialing = false
	if d.err != nil {
		s.dialFailed(d.err)
		return
	}
	s.model, s.modelEvents = d.model, d.model.Events()
	id, err := s.configure(s.model)
	s.configureID = id
	s.modelSent(err)
}

// onReady begins the conversation: the model's session has the agent's configuration.
func (s *Session) onReady(now time.Time) {
	if s.ready {
		return
	}
	s.ready = true
	s.pulse.renew(now)
	if s.connects++; s.connects > 1 {
		s.redialed(now)
		return
	}
	s.lastActivity = now
	s.outage.spend(now)
	connected := parley.ModelConnectedData{
		Model: s.cfg.Agent.Model, Ms: now.Sub(s.startedAt).Milliseconds(), Simulated: s.cfg.SimulatedModel,
	}
	if s.cfg.SimulatedModel {
		connected.Notice = "This conversation was held by Parley's simulated model. Set OPENAI_API_KEY for a real one."
	}
	s.rec.Fact(parley.EventModelConnected, connected)
	for _, m := range s.cfg.History {
		s.memory.add("", "", m)
	}
	s.comeBack()
	if g := s.cfg.Agent.Voice.Greeting; g != "" && len(s.cfg.History) == 0 {
		s.say("Greet the caller now. Say exactly the following and nothing else: \"" + g + "\"")
	}
	s.retellAll()
}

func (s *Session) onModel(ev leg.ModelEvent, ok bool) {
	now := time.Now()
	if !ok {
		s.modelEvents = nil
		reason := "closed"
		if err := s.model.Err(); err != nil {
			reason = err.Error()
		}
		s.modelLost("disconnected", reason)
		return
	}
	s.pulse.beat(now)
	switch ev.Kind {
	case leg.ModelSessionCreated:
		s.onSessionCreated(ev, now)
	case leg.ModelRateLimits:
		s.outage.limited = now.Add(ev.Wait)
	case leg.ModelSessionUpdated:
		s.onReady(now)
	case leg.ModelSpeechStarted:
		s.onSpeechStarted(ev, now)
	case leg.ModelSpeechStopped:
		s.onSpeechStopped(ev, now)
	case leg.ModelCommitted:
		s.onCommitted(ev, now)
	case leg.ModelTranscript:
		s.memory.words(ev.ItemID, ev.Text)
		s.rec.Fact(parley.EventMessageUser, parley.MessageUserData{ItemID: ev.ItemID, Text: ev.Text})
		s.billTranscript(ev.Usage)
		s.theirWords(ev.ItemID, ev.Text, now)
		s.onWords(ev.ItemID, ev.Text, now)
	case leg.ModelTranscriptFailed:
		s.rec.Fact(parley.EventMessageUser, parley.MessageUserData{ItemID: ev.ItemID, Failed: true})
		s.fault("model", "transcription_failed", ev.Err.Error())
		s.theirWords(ev.ItemID, "", now)
	case leg.ModelError:
		s.onModelError(ev)
	default:
		s.onResponse(ev, now)
	}
}

func (s *Session) onSpeechStarted(ev leg.ModelEvent, now time.Time) {
	s.signOfLife(now)
	s.callerSpeaking, s.commitBy, s.outage.doubtBy = true, time.Time{}, time.Time{}
	s.notices(ev.AudioMs)
	s.rec.Telemetry(parley.EventSpeechStarted, parley.SpeechData{ItemID: ev.ItemID, AudioMs: ev.AudioMs})
	if s.deaf() {
		s.callerSpeaking = false
		return
	}
	s.stopFiller(now)
	s.speechBegins(ev.ItemID, now)
}

func (s *Session) onSpeechStopped(ev leg.ModelEvent, now time.Time) {
	s.callerSpeaking, s.lastActivity = false, now
	s.tail.stopped(ev.AudioMs)
	s.rec.Telemetry(parley.EventSpeechStopped, parley.SpeechData{ItemID: ev.ItemID, AudioMs: ev.AudioMs})
	t := &turn{itemID: ev.ItemID, stoppedAt: now, endpointMs: s.endpointMs(ev.AudioMs, now)}
	if s.speechEnds(t, now) {
		s.turn = t
	}
	s.commitBy = now.Add(commitTimeout)
}

// onCommitted: the caller's turn is an item of the conversation now, so the model shall answer it.
func (s *Session) onCommitted(ev leg.ModelEvent, now time.Time) {
	s.callerSpeaking, s.cutOff, s.unanswered, s.commitBy = false, false, false, time.Time{}
	s.memory.turn(ev.ItemID, ev.After, s.tail.committed())
	s.pulse.unnoticed = time.Time{}
	s.swap.turnAt = time.Now()
	s.rec.Fact(parley.EventTurnCommitted, parley.TurnCommittedData{ItemID: ev.ItemID})
	if !s.deaf() {
		s.turnCommitted(ev.ItemID, now)
	}
}

// onResponse handles the events of responses. What belongs to an interrupted response, or comes after its
// end, is dropped by its id.
func (s *Session) onResponse(ev leg.ModelEvent, now time.Time) {
	switch ev.Kind {
	case leg.ModelResponseCreated:
		s.onResponseCreated(ev, now)
		return
	case leg.ModelResponseDone:
		s.onResponseDone(ev, now)
		return
	}
	_, dead := s.dead[ev.ResponseID]
	if ev.ResponseID != s.seq.active {
		if ev.Kind == leg.ModelItemDone && !dead {
			s.onItemDone(ev, false) // a function call counts even if it is told late
		}
		return
	}
	s.seq.activityAt = now
	switch ev.Kind {
	case leg.ModelItemAdded:
		s.onItemAdded(ev, dead)
	case leg.ModelItemDone:
		s.onItemDone(ev, dead)
	}
	if dead {
		return
	}
	switch ev.Kind {
	case leg.ModelAudio:
		s.onAudio(ev, now)
	case leg.ModelText:
		s.part(ev).addText(ev.Text)
	case leg.ModelAudioDone:
		s.part(ev).audioDone = true
	}
}

// onItemAdded keeps the item's place in the playing order. An item of an interrupted response will never be
// heard: it is deleted with the response's end.
func (s *Session) onItemAdded(ev leg.ModelEvent, dead bool) {
	if ev.ItemType != "message" {
		return
	}
	if dead {
		s.dead[ev.ResponseID] = append(s.dead[ev.ResponseID], ev.ItemID)
		return
	}
	s.ledger.open(ev.ResponseID, ev.ItemID, 0)
	s.memory.speech(ev.ItemID)
}

// part is the content part that an event is about. A further part of an item has a place of its own in the memory.
func (s *Session) part(ev leg.ModelEvent) *playItem {
	if p := s.ledger.find(ev.ItemID, ev.ContentIndex); p != nil {
		return p
	}
	p := s.ledger.open(ev.ResponseID, ev.ItemID, ev.ContentIndex)
	if id := p.recordID(); ev.ContentIndex > 0 && s.memory.find(id) == nil {
		s.memory.add(id, partID(ev.ItemID, ev.ContentIndex-1), leg.HistoryItem{Role: "assistant"})
	}
	return p
}

func (s *Session) onResponseCreated(ev leg.ModelEvent, now time.Time) {
	s.seq.created(ev.ResponseID, now)
	s.onCreated(ev.ResponseID)
	if s.cancelCreated {
		s.cancelCreated = false
		s.dead[ev.ResponseID] = nil
		_, err := s.model.CancelResponse(ev.ResponseID)
		s.modelSent(err)
	}
}

func (s *Session) onAudio(ev leg.ModelEvent, now time.Time) {
	p := s.part(ev)
	if !p.receive(ev.Audio) {
		s.modelLost("overflow", "the model sent more audio than a call can hold")
		return
	}
	s.failed, s.spoke = 0, ev.ResponseID
	s.stopFiller(now)
	if t := s.turn; t != nil && t.responseID == "" && !t.createdAt.IsZero() {
		t.responseID, t.firstAudio = ev.ResponseID, now
	}
	if s.lastPosition.Before(now.Add(-positionPeriod)) && s.ledger.sent == 0 {
		s.lastPosition = now
	}
}

func (s *Session) onItemDone(ev leg.ModelEvent, dead bool) {
	if ev.ItemType == "function_call" {
		switch {
		case ev.Status != "completed":
			// Cut off with its response: the arguments may be half.
		case dead:
			s.memory.add(ev.ItemID, "", leg.HistoryItem{Kind: leg.HistoryToolCall, CallID: ev.CallID, Name: ev.Text, Arguments: ev.Arguments})
			s.giveResult(ev.CallID, `{"error":"not run: the caller interrupted"}`)
		default:
			s.startTool(ev)
		}
		return
	}
	for _, p := range s.ledger.items {
		if p.itemID == ev.ItemID {
			s.ledger.learn(p, ev.Status != "incomplete")
			s.recordWords(p, p.whole)
		}
	}
}

func (s *Session) onResponseDone(ev leg.ModelEvent, now time.Time) {
	s.seq.done(ev.ResponseID)
	s.billResponse(ev.ResponseID, ev.Usage)
	doomed, dead := s.dead[ev.ResponseID]
	if dead {
		s.dead[ev.ResponseID] = nil
	}
	slices.Sort(doomed)
	for _, item := range slices.Compact(doomed) {
		s.deleteItem(item)
	}
	for _, p := range s.ledger.items { // items whose own end never came
		if p.responseID == ev.ResponseID && !p.done {
			s.ledger.learn(p, ev.Status == "completed")
			s.recordWords(p, p.whole)
		}
	}
	s.reportHeard(now)
	if dead {
		return
	}
	switch ev.Status {
	case "completed":
		s.failed = 0
	case "failed":
		s.responseFailed(ev.ResponseID, ev.Err, now)
	case "incomplete":
		s.responseCut(ev, now)
	}
}

func (s *Session) onModelError(ev leg.ModelEvent) {
	code, now := ev.Err.Code, time.Now()
	ours := s.seq.creating != "" && ev.EventID == s.seq.creating
	switch {
	case s.configureID != "" && (ev.EventID == s.configureID || !s.ready && ev.EventID == "" && ev.Err.Type == "invalid_request_error" && code != "session_expired"):
		s.modelGone("configuration_refused", ev.Err.Error())
	case (ours || ev.EventID == "" && s.seq.creating != "") && isActiveResponseError(code, ev.Err.Message):
		s.cancelCreated = false
		s.seq.inTheWay()
		s.retryAt = now.Add(retryDelay)
		if s.seq.refusals > maxRefusals {
			s.modelLost("response_refused", ev.Err.Error())
		}
	case ours:
		s.cancelCreated = false
		s.seq.refused()
		s.responseFailed("", ev.Err, now)
	case code == "response_cancel_not_active":
		// It had just finished by itself.
	case fatal(ev.Err):
		s.modelGone(code, ev.Err.Error())
	case code == "session_expired":
		s.modelLost(code, ev.Err.Error())
	default:
		s.fault("model", "error", ev.Err.Error())
	}
}

// maxRefusals is how often a response may be refused in a row because another one is in the way.
const maxRefusals = 20

// fatal reports whether asking again cannot help.
func fatal(fail *leg.ModelFailure) bool {
	if fail == nil {
		return false
	}
	switch fail.Code {
	case "insufficient_quota", "invalid_api_key", "account_deactivated", "billing_hard_limit_reached", "model_not_found":
		return true
	}
	return false
}

func failureText(fail *leg.ModelFailure) string {
	if fail == nil {
		return "the model gave no reason"
	}
	return fail.Error()
}
