package voice

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/openai"
)

// Bounds of what is tried before a call without a model ends. A session that was well for healthyAfter has them anew.
const (
	attemptTimeout  = 5 * time.Second  // from dialing to a configured session
	defaultPatience = 15 * time.Second // with all attempts together
	maxAttempts     = 10
	healthyAfter    = time.Minute
	doubtTimeout    = 1500 * time.Millisecond // for a new session to notice that the caller is speaking
)

// backoff is the pause before an attempt. The first follows at once: most losses are of one connection.
var backoff = []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// askRepeat is for a caller of whose words the model has got nothing.
const askRepeat = "The caller has just said something that did not reach you, because of a technical fault. Ask them in one short sentence, in the " +
	"language of the conversation, to say it again, such as \"Sorry, I did not catch that, could you say it again?\" Do not guess what it was."

// outage is what has gone wrong with the model so far, and what is done about it.
type outage struct {
	attempts int           // since the model was last well for a minute
	tries    int           // of them in this outage
	spent    time.Duration // waited in earlier outages
	since    time.Time     // of this one; zero = none
	began    time.Time     // the newest one, which may be over
	dialAt   time.Time     // of the next attempt; zero = none is waiting
	setupBy  time.Time     // for the session that is being dialed or configured
	readyAt  time.Time     // when a session was last ready
	doubtBy  time.Time     // when the new session must have noticed the caller's speech
	failing  time.Time     // since when responses fail
	limited  time.Time     // until then the provider's rate limit is used up
}

// spend ends an outage.
func (o *outage) spend(now time.Time) {
	if !o.since.IsZero() {
		o.spent += now.Sub(o.since)
	}
	o.since, o.dialAt, o.readyAt, o.tries = time.Time{}, time.Time{}, now, 0
}

// rejoin gives an outage its time anew: the call was not listening.
func (o *outage) rejoin(now time.Time) {
	if !o.since.IsZero() {
		o.since, o.setupBy = now, now.Add(attemptTimeout)
	}
}

// outageOver is when the patience with this outage ends.
func (s *Session) outageOver() time.Time { return s.outage.since.Add(s.cfg.Patience - s.outage.spent) }

// dial opens a model session beside the call. One attempt at a time.
func (s *Session) dial(now time.Time) {
	o := &s.outage
	if o.since.IsZero() {
		o.since, o.began = now, now
	}
	o.attempts++
	o.tries++
	o.dialAt, o.setupBy = time.Time{}, now.Add(attemptTimeout)
	s.dialing = true
	s.dialBeside(false)
}

func (s *Session) dialBeside(swap bool) {
	go func() {
		ctx, cancel := context.WithTimeout(s.ctx, attemptTimeout)
		defer cancel()
		m, err := s.cfg.Dial(ctx)
		s.news <- dialResult{m, err, swap} // capacity maxNews: never blocks
	}()
}

// configure tells a model session how the agent is.
func (s *Session) configure(m Model) (eventID string, err error) {
	v := s.cfg.Agent.Voice
	cfg := leg.SessionConfig{
		Model: s.cfg.Agent.Model, Instructions: s.cfg.Agent.Instructions,
		Voice: v.Voice, Speed: min(v.Speed, parley.MaxSentSpeed),
		Transcription: v.Transcription, SemanticVAD: v.TurnDetection == "semantic_vad",
		Threshold: v.InterruptionThreshold, Eagerness: v.Eagerness, Tools: s.cfg.Tools,
		PrefixPaddingMs: v.PrefixPaddingMs, SilenceDurationMs: v.SilenceDurationMs,
	}
	if v.Language != nil {
		cfg.Language = *v.Language
	}
	if v.NoiseReduction != "off" {
		cfg.NoiseReduction = v.NoiseReduction
	}
	Aside(func() { eventID, err = m.Configure(cfg) }) // the tools' schemas need much stack to write
	return eventID, err
}

// dialFailed tries again, unless the model refuses us.
func (s *Session) dialFailed(err error) {
	if !openai.Retryable(err) {
		s.modelGone("unreachable", err.Error())
		return
	}
	s.lose("unreachable", err.Error(), retryAfter(err))
}

func retryAfter(err error) time.Duration {
	if fail, ok := errors.AsType[*leg.ModelFailure](err); ok {
		return fail.RetryAfter
	}
	return 0
}

// modelGone ends the call with a spoken notice: asking again cannot help.
func (s *Session) modelGone(typ, message string) {
	if s.outcome != nil {
		return
	}
	s.fault("model", typ, message)
	s.end(parley.EndModelUnavailable, parley.IntentNotice)
}

// modelLost takes leave of a model session that is of no use any more; the call goes on with another one.
func (s *Session) modelLost(typ, message string) { s.lose(typ, message, 0) }

func (s *Session) lose(typ, message string, after time.Duration) {
	now, o := time.Now(), &s.outage
	if s.outcome != nil || s.dialing || !o.dialAt.IsZero() {
		return // it ends, or is being replaced already
	}
	age := now.Sub(o.readyAt)
	if s.ready && age >= healthyAfter {
		*o = outage{limited: o.limited}
	}
	pause := o.tries
	if s.ready && o.attempts > 1 && age < attemptTimeout {
		pause = o.attempts - 1 // a session that dies young is no better than none
	}
	s.rec.Fact(parley.EventModelLost, parley.ModelLostData{Type: typ, Message: message, Attempt: o.attempts})
	s.cfg.Log.Warn("model session lost", slog.String("type", typ), slog.String("message", message), slog.Int("attempt", o.attempts))
	o.spent += min(s.waited(now), s.cfg.Patience/2)
	s.dropModel(typ != "overflow")
	if o.since.IsZero() {
		o.since, o.began = now, now
	}
	if s.swap.ready {
		s.adopt(now, true)
		return
	}
	s.swap.drop(s)
	at := now.Add(max(after, backoff[min(pause, len(backoff)-1)]))
	if o.attempts >= maxAttempts || at.After(s.outageOver()) {
		s.modelGone(typ, message)
		return
	}
	o.dialAt = at
}

// dropModel forgets everything that belongs to the model's session. What the caller has not yet heard of it is played;
// what was being answered is asked for again, or continued.
func (s *Session) dropModel(resume bool) {
	ask, wanted := s.unfinished()
	s.unanswered = s.unanswered || s.asksSomething()
	s.upstreamLost(time.Now())
	s.retire(s.model)
	s.model, s.modelEvents = absent{}, nil
	s.ready, s.configureID, s.cancelCreated = false, "", false
	s.retryAt, s.commitBy, s.outage.doubtBy = time.Time{}, time.Time{}, time.Time{}
	s.seq.lost()
	clear(s.dead)
	for _, id := range s.memory.missing() { // their transcripts will not come
		if s.cfg.Agent.Voice.Transcription {
			s.rec.Fact(parley.EventMessageUser, parley.MessageUserData{ItemID: id, Failed: true})
		}
	}
	if resume && wanted && !s.seq.wanted {
		s.seq.want(ask)
	}
	s.cutShort()
	if audio, midTurn := s.tail.lost(); s.appended > 0 || midTurn {
		s.held = append(audio, s.held...)
		s.midTurn = midTurn
		s.appended = 0
	}
	s.unanswered = s.unanswered && s.midTurn
	s.pulse = pulse{}
}

// asksSomething reports whether the caller is saying something, or has said it, that the model has not made a turn of
// and that is no sound beside the agent's voice.
func (s *Session) asksSomething() bool {
	if p := &s.pulse; !p.unnoticed.IsZero() {
		return p.meant
	}
	return s.tail.open && s.barge.current == nil
}

// waited is how long the model has left a response unanswered: the caller's patience does not begin anew with each
// session that does so.
func (s *Session) waited(now time.Time) time.Duration {
	switch {
	case s.seq.creating != "":
		return now.Sub(s.seq.creatingAt)
	case s.seq.active != "":
		return now.Sub(s.seq.activityAt)
	}
	return 0
}

// retire closes a model's leg beside the call.
func (s *Session) retire(m Model) {
	s.retired.Go(func() {
		m.Close()
		m.Wait()
	})
}

// unfinished is what the model was doing, or about to do, when it was lost.
func (s *Session) unfinished() (leg.Ask, bool) {
	q := &s.seq
	switch active := q.active; {
	case active != "":
		_, dead := s.dead[active]
		switch {
		case dead || s.tools.response == active:
			return leg.Ask{}, false // interrupted; or its tools' results are answered
		case s.spoke == active:
			return s.goingOn(q.asked), true
		}
		return q.asked, true
	case q.creating != "":
		return q.asked, !s.cancelCreated
	case !s.retryAt.IsZero():
		return q.asked, true
	}
	return leg.Ask{}, false
}

// goingOn asks for the rest of an answer.
func (s *Session) goingOn(asked leg.Ask) leg.Ask {
	task := "A technical fault cut off what you were saying: your last words are the end of the conversation. Go on exactly there, " +
		"with the very next word, and say the rest. Do not repeat anything, do not greet, do not mention or excuse the fault."
	if asked.Instructions != "" {
		task += "\nThis is what you were asked to say:\n" + asked.Instructions
	} else {
		task = s.instruct(task)
	}
	return leg.Ask{Instructions: task, NoTools: asked.NoTools, Purpose: purposeGoOn}
}

// cutShort ends the items whose rest will never come: what there is of them is played.
func (s *Session) cutShort() {
	keep := s.ledger.items[:0:0]
	for _, p := range s.ledger.items {
		if !p.done && !p.filler {
			if p.received == 0 {
				continue
			}
			p.audioDone, p.done, p.cut = true, true, true
			s.memory.speech(p.recordID())
			s.recordWords(p, false)
		}
		keep = append(keep, p)
	}
	s.ledger.items = keep
}

// redialed goes on with the call after an outage.
func (s *Session) redialed(now time.Time) {
	o := &s.outage
	ms, attempts := now.Sub(o.since).Milliseconds(), o.attempts
	o.spend(now)
	n := s.retellAll()
	if n < 0 {
		return
	}
	s.rec.Fact(parley.EventModelRedialed, parley.ModelRedialedData{Attempts: attempts, Ms: ms, Items: n})
	s.expectTurn(now)
}

// expectTurn gives a new session time to notice that the caller was already speaking.
func (s *Session) expectTurn(now time.Time) {
	s.callerSpeaking = s.midTurn
	if s.midTurn {
		s.outage.doubtBy = now.Add(doubtTimeout)
	}
	s.midTurn = false
}

// tendModel does what is due about a lost model.
func (s *Session) tendModel(now time.Time) {
	o := &s.outage
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case s.ready:
		if due(o.doubtBy) {
			o.doubtBy, s.callerSpeaking = time.Time{}, false
			s.noTurn()
		}
	case due(s.outageOver()):
		s.modelGone("timeout", "no model was ready in time")
	case due(o.dialAt):
		s.dial(now)
	case !s.dialing && o.dialAt.IsZero() && due(o.setupBy):
		s.modelLost("timeout", "the model was not ready in time")
	}
}

// tendModelAt names when tendModel has to look again.
func (s *Session) tendModelAt(sooner func(time.Time)) {
	o := &s.outage
	if s.ready {
		if !o.doubtBy.IsZero() {
			sooner(o.doubtBy)
		}
		return
	}
	sooner(s.outageOver())
	if !o.dialAt.IsZero() {
		sooner(o.dialAt)
	} else if !s.dialing {
		sooner(o.setupBy)
	}
}
