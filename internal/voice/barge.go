package voice

import (
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/leg"
)

// Interruption has two steps. When the model hears speech and the gate hears a voice, the agent pauses: what the
// carrier holds is cleared, nothing more is sent, generation goes on. When the gate then proves speech, the pause
// becomes the interruption; when the sound ends before, playback goes on from where it was heard. Speech that the
// gate has already proven interrupts at once. What the gate let pass may still interrupt by its transcript.
const (
	// pauseLimit ends a pause that has proven nothing. The gate needs 580 ms of a voice; the model's speech_started
	// comes 120 ms and more into it.
	pauseLimit = 640 * time.Millisecond
	// After pauseCredit pauses for nothing within pauseMemory the agent talks on until speech is proven.
	pauseCredit = 2
	pauseMemory = 8 * time.Second
	// wordsTimeout is how long an item that may be an echo waits for its transcript when nobody is speaking.
	wordsTimeout = 1500 * time.Millisecond
	maxOpen      = 16 // utterances undecided at once
	// A transcript is believed when so many of the sound's loud frames were voiced, and such a percentage of them.
	clearVoiced = 4
	clearShare  = 45
)

// barge is what the session knows of the caller who speaks while the agent is heard.
type barge struct {
	gate    gate
	current *utterance   // being said; nil
	open    []*utterance // begun while the agent was heard, not decided; oldest first

	paused   *utterance // for which the agent has paused; nil
	pausedAt time.Time
	unheard  int64       // bytes that the pause has cleared
	rejected []time.Time // the last pauses for nothing
	lastText string      // what the agent said last
	answered bool        // a turn of the caller has been answered: whatever is said now is no greeting
}

// utterance is what the caller says from the model's speech_started on, while the agent is heard.
type utterance struct {
	itemID    string
	at        time.Time // of the model's speech_started
	paused    bool      // the agent has paused for it
	voiced    bool      // the gate heard something like a voice in it
	from, to  heardFrames
	confirmed bool // it has interrupted
	committed time.Time
	parting   bool // its words are a goodbye at most
	turn      *turn
}

// heardFrames are the gate's counts at a moment.
type heardFrames struct{ loud, voiced int }

// clear reports whether it was a voice, rather than a cough or a clink with a voiced moment.
func (u *utterance) clear() bool {
	loud, voiced := u.to.loud-u.from.loud, u.to.voiced-u.from.voiced
	return voiced >= clearVoiced && 100*voiced >= clearShare*loud
}

func (b *barge) find(itemID string) *utterance {
	for _, u := range b.open {
		if u.itemID == itemID {
			return u
		}
	}
	return nil
}

// agentHeard reports whether the caller hears the agent, or will as soon as a pause or an underrun is over.
func (s *Session) agentHeard(now time.Time) bool {
	if s.barge.paused != nil {
		return true
	}
	heard := s.ledger.heard(now)
	begun := false
	for _, p := range s.ledger.items {
		begun = begun || p.sent > 0
		if begun && (!p.audioDone || p.unsent < len(p.audio) || heard < p.start+p.sent) {
			return true
		}
	}
	return false
}

// hearCaller lets the gate hear the caller's frame.
func (s *Session) hearCaller(ulaw []byte, now time.Time) {
	s.barge.gate.hear(ulaw, now, s.ledger.rtt, s.callerSpeaking && s.barge.current == nil)
	s.listen(now)
	s.listenForModel(now)
}

// hearAgent lets the gate know a frame that will be heard when the ones before it have been.
func (s *Session) hearAgent(ulaw []byte, now time.Time) {
	at := s.ledger.playhead
	if now.After(at) {
		at = now
	}
	s.barge.gate.echo.sent(audio.LevelULaw(ulaw), at)
}

// speechBegins: the model hears the caller. When the agent is silent, a caller's turn is a turn.
func (s *Session) speechBegins(itemID string, now time.Time) {
	b := &s.barge
	b.dropUncommitted()
	if !s.agentHeard(now) {
		b.current = nil
		s.interrupt("", now)
		return
	}
	g := &b.gate
	b.current = &utterance{itemID: itemID, at: now, from: heardFrames{g.loud - g.sound.loud, g.voiced - g.sound.voiced}}
	if b.open = append(b.open, b.current); len(b.open) > maxOpen { // all but the new one are items of the model's
		s.answerLate(b.open[0], "", now)
	}
	s.listen(now)
}

// dropUncommitted forgets what the model never made an item of.
func (b *barge) dropUncommitted() {
	kept := b.open[:0]
	for _, u := range b.open {
		if !u.committed.IsZero() {
			kept = append(kept, u)
		}
	}
	clear(b.open[len(kept):])
	b.open = kept
}

// speechEnds: the model hears no more. It returns whether the turn is the caller's beyond doubt.
func (s *Session) speechEnds(t *turn, now time.Time) bool {
	u := s.barge.current
	s.barge.current = nil
	if u == nil {
		return true
	}
	u.turn = t
	s.resume(now)
	return false
}

// listen takes the next step of an interruption if the gate's verdict allows it.
func (s *Session) listen(now time.Time) {
	b := &s.barge
	u := b.current
	if u == nil {
		s.resume(now)
		return
	}
	v := b.gate.verdict()
	u.voiced = u.voiced || v >= voiced
	u.to = heardFrames{b.gate.loud, b.gate.voiced}
	switch {
	case !s.agentHeard(now):
		// It has ended by itself meanwhile: nothing is to be interrupted.
	case v == proven:
		s.allowed(now)
		u.confirmed, b.current = true, nil // from here on the caller has the word
		s.interrupt(parley.ByGate, now)
	case b.paused != nil && (v == silent || !now.Before(b.pausedAt.Add(pauseLimit))):
		s.resume(now)
	case v == voiced && b.paused == nil && !u.paused && s.mayPause(now):
		s.allowed(now)
		s.pause(u, now)
	}
}

// mayPause: a greeting is not paused, only speech stops it, and pauses for nothing must not make the agent stammer.
func (s *Session) mayPause(now time.Time) bool {
	r := s.barge.rejected
	return !s.greeting() && (len(r) < pauseCredit || now.Sub(r[len(r)-pauseCredit]) > pauseMemory)
}

// greeting reports whether what the agent is saying can only be its greeting.
func (s *Session) greeting() bool {
	return s.cfg.Agent.Voice.Greeting != "" && len(s.cfg.History) == 0 && !s.barge.answered
}

// pause is the step that can be taken back.
func (s *Session) pause(u *utterance, now time.Time) {
	b := &s.barge
	u.paused = true
	b.paused, b.pausedAt = u, now
	anythingSent := s.ledger.sent > 0
	b.unheard = s.ledger.rewind(now)
	if anythingSent {
		s.clear()
	}
	b.gate.echo.cleared(now)
	s.reportHeard(now)
}

// resume takes the pause back: playback goes on from where it was heard.
func (s *Session) resume(now time.Time) {
	b := &s.barge
	if b.paused == nil {
		return
	}
	itemID := b.paused.itemID
	b.paused, b.unheard = nil, 0
	b.rejected = append(b.rejected[max(0, len(b.rejected)-pauseCredit+1):], now)
	s.rec.Fact(parley.EventInterruptionRejected, parley.InterruptionRejectedData{
		ItemID: itemID, PausedMs: now.Sub(b.pausedAt).Milliseconds(),
	})
}

// endPause makes the pause a part of the interruption and returns how long it was and how much it had cleared.
func (s *Session) endPause(now time.Time) (paused time.Duration, unheard int64) {
	b := &s.barge
	if b.paused != nil {
		paused, unheard = now.Sub(b.pausedAt), b.unheard
	}
	b.paused, b.unheard = nil, 0
	b.gate.accept()
	b.gate.echo.cleared(now)
	return paused, unheard
}

// turnCommitted: what the caller said is an item of the model's conversation. It is answered, unless it is not yet
// clear that the caller said it.
func (s *Session) turnCommitted(itemID string, now time.Time) {
	u := s.barge.find(itemID)
	switch {
	case u == nil:
		s.decide(itemID, parley.TurnAnswered, "")
	case u.confirmed:
		s.decide(itemID, parley.TurnAnswered, parley.ByGate)
	case !u.voiced && !s.cfg.Agent.Voice.Transcription:
		s.decide(itemID, parley.TurnEcho, parley.ByGate)
	default:
		u.committed = now
		s.resolve(now)
	}
}

// resolve answers what is still undecided when the agent has ended. What may be an echo of its last words waits for
// the transcript, but not long.
func (s *Session) resolve(now time.Time) {
	if len(s.barge.open) == 0 || s.agentHeard(now) {
		return
	}
	for _, u := range append([]*utterance(nil), s.barge.open...) {
		if !u.committed.IsZero() && (u.voiced || !now.Before(u.committed.Add(wordsTimeout))) {
			s.answerLate(u, "", now)
		}
	}
}

// bargeDeadline is when listen or resolve has to look again without another event; zero = not.
func (s *Session) bargeDeadline(now time.Time) (at time.Time) {
	if s.barge.paused != nil {
		return s.barge.pausedAt.Add(pauseLimit)
	}
	if len(s.barge.open) == 0 || s.agentHeard(now) {
		return at
	}
	for _, u := range s.barge.open {
		if t := u.committed.Add(wordsTimeout); !u.committed.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// answerLate has an utterance answered that was in doubt. Its latency counts from here: before, nobody waited for an
// answer, because the agent was speaking.
func (s *Session) answerLate(u *utterance, by string, now time.Time) {
	if u.turn != nil {
		u.turn.stoppedAt = now
		s.turn = u.turn
	}
	if !u.parting {
		s.keepCall()
	}
	s.decide(u.itemID, parley.TurnAnswered, by)
}

// onWords judges an undecided utterance by its transcript, which is only compared with words, never obeyed.
func (s *Session) onWords(itemID, text string, now time.Time) {
	u := s.barge.find(itemID)
	if u == nil || u.committed.IsZero() {
		return
	}
	words := plainWords(text)
	sets := []map[string]bool{nods}
	if s.greeting() {
		sets = append(sets, hellos)
	}
	heard := s.agentHeard(now)
	switch {
	case len(words) == 0, s.echoes(words, u.voiced):
		s.decide(itemID, parley.TurnEcho, parley.ByWords)
	case heard && onlyOf(words, sets...):
		s.decide(itemID, parley.TurnBackchannel, parley.ByWords)
	case !heard:
		s.answerLate(u, parley.ByWords, now)
	case onlyOf(words, guesses):
		u.parting = true // let the agent end first: then it is answered
	case u.clear(), u.voiced && onlyOf(words, commands):
		s.interrupt(parley.ByWords, now)
		s.answerLate(u, parley.ByWords, now)
	}
}

// echoes reports whether words are the agent's own. A caller may repeat a word or two of it.
func (s *Session) echoes(words []string, voiced bool) bool {
	if voiced && len(words) < 3 {
		return false
	}
	for _, p := range s.ledger.items {
		if repeats(words, p.text.String()) {
			return true
		}
	}
	return repeats(words, s.barge.lastText)
}

// decide puts the one state of a committed item on record, and acts on it.
func (s *Session) decide(itemID, state, by string) {
	b := &s.barge
	said := b.find(itemID)
	for i, u := range b.open {
		if u.itemID == itemID {
			b.open = append(b.open[:i], b.open[i+1:]...)
			break
		}
	}
	s.rec.Fact(parley.EventTurnDecided, parley.TurnDecidedData{ItemID: itemID, State: state, By: by})
	switch state {
	case parley.TurnAnswered:
		b.answered = true
		s.turnIsTheirs(itemID, said, time.Now())
		s.seq.want(leg.Ask{})
	case parley.TurnEcho:
		s.deleteItem(itemID)
	}
}
