package voice

import (
	"log/slog"
	"time"

	"parley"
	"parley/internal/leg"
)

// A model's session ends by itself after 60 minutes. Its successor is opened 5 minutes before, and takes over in a silent
// moment; a minute before the end it need not be silent any more. Shorter sessions have the same shares of their life.
const (
	sessionLife  = time.Hour
	shortestLife = 5 * time.Second // of a session that is worth a planned change
	swapShare    = 12              // the last twelfth
	swapByShare  = 60
	swapRetry    = 20 * time.Second // after a successor that could not be opened
	swapQuiet    = 500 * time.Millisecond
	lastWords    = 5 * time.Second // for the words of the last turn to come, before a swap
)

// swap is the planned change to another session of the model.
type swap struct {
	at, by  time.Time // when the successor is opened; when it takes over at the latest. Zero = not planned
	dialing bool
	dropped bool // what is being dialed is not needed any more

	model       Model // nil until dialed
	events      <-chan leg.ModelEvent
	configureID string
	setupBy     time.Time
	expires     time.Time
	ready       bool
	turnAt      time.Time // of the caller's last turn
}

// plan sets the times of the swap for a session that begins now.
func (w *swap) plan(expires, now time.Time, life time.Duration) {
	if expires.IsZero() {
		expires = now.Add(life)
	}
	if life = expires.Sub(now); life >= shortestLife {
		w.at, w.by = expires.Add(-life/swapShare), expires.Add(-life/swapByShare)
	}
}

// drop gives the successor up.
func (w *swap) drop(s *Session) {
	if w.model != nil {
		s.retire(w.model)
	}
	w.dropped = w.dialing
	w.model, w.events, w.configureID, w.ready = nil, nil, "", false
}

func (s *Session) onSessionCreated(ev leg.ModelEvent, now time.Time) {
	s.swap.plan(ev.Expires, now, s.cfg.SessionLife)
}

// tendSwap opens the successor when it is time, and lets it take over when it is silent.
func (s *Session) tendSwap(now time.Time) {
	w := &s.swap
	switch {
	case !s.ready || w.at.IsZero() || now.Before(w.at):
	case w.ready:
		if late := !now.Before(w.by); s.silent(now) || late && s.betweenResponses() {
			s.adopt(now, false)
		}
	case w.model != nil:
		if !now.Before(w.setupBy) {
			s.swapFailed("timeout", "the successor was not ready in time", now)
		}
	case !w.dialing:
		w.dialing = true
		s.dialBeside(true)
	}
}

// tendSwapAt names when tendSwap has to look again. Between, the caller's frames wake the session.
func (s *Session) tendSwapAt(now time.Time, sooner func(time.Time)) {
	w := &s.swap
	for _, t := range []time.Time{w.at, w.by, w.setupBy} {
		if s.ready && t.After(now) {
			sooner(t)
		}
	}
}

func (s *Session) onSwapDialed(d dialResult) {
	w, now := &s.swap, time.Now()
	w.dialing = false
	switch {
	case w.dropped:
		w.dropped = false
		if d.model != nil {
			s.retire(d.model)
		}
		return
	case d.err != nil:
		s.swapFailed("unreachable", d.err.Error(), now)
		return
	}
	w.model, w.events, w.setupBy, w.expires = d.model, d.model.Events(), now.Add(attemptTimeout), time.Time{}
	id, err := s.configure(d.model)
	w.configureID = id
	if err != nil {
		s.swapFailed("send_failed", err.Error(), now)
	}
}

func (s *Session) onSwapEvent(ev leg.ModelEvent, ok bool) {
	w, now := &s.swap, time.Now()
	switch {
	case !ok:
		reason := "closed"
		if err := w.model.Err(); err != nil {
			reason = err.Error()
		}
		s.swapFailed("disconnected", reason, now)
	case ev.Kind == leg.ModelSessionCreated:
		w.expires = ev.Expires
	case ev.Kind == leg.ModelSessionUpdated:
		w.ready, w.setupBy = true, time.Time{}
	case ev.Kind == leg.ModelError && ev.EventID == w.configureID:
		s.swapFailed("configuration_refused", ev.Err.Error(), now)
	}
}

// swapFailed tries again later: the session at work is not touched.
func (s *Session) swapFailed(typ, message string, now time.Time) {
	s.fault("model", "swap_"+typ, message)
	s.swap.drop(s)
	s.swap.setupBy = time.Time{}
	s.swap.at = now.Add(swapPause(s.swap.by.Sub(now)))
}

// swapPause keeps retries within what is left of a short session; after that its end, and a redial, are near.
func swapPause(left time.Duration) time.Duration {
	if left <= 0 {
		return swapRetry
	}
	return max(min(swapRetry, left/4), 100*time.Millisecond)
}

// betweenResponses reports whether nothing is being generated, asked or said by the caller.
func (s *Session) betweenResponses() bool {
	return !s.seq.busy() && s.retryAt.IsZero() && !s.callerSpeaking && (!s.tail.open || s.pulse.ignored()) && !s.cutOff
}

// silent reports whether nobody would notice a change of the model's session.
func (s *Session) silent(now time.Time) bool {
	wordsCome := !s.cfg.Agent.Voice.Transcription || now.Sub(s.swap.turnAt) >= lastWords || len(s.memory.wordless()) == 0
	return s.betweenResponses() && !s.seq.wanted && !s.ledger.speaking() && wordsCome && now.Sub(s.lastActivity) >= swapQuiet
}

// adopt lets the successor take over. lost says that the session before it is gone already.
func (s *Session) adopt(now time.Time, lost bool) {
	w := s.swap
	calm := !lost && s.silent(now)
	if !lost {
		s.noticed()
		s.dropModel(true)
	}
	s.swap = swap{turnAt: w.turnAt}
	s.swap.plan(w.expires, now, s.cfg.SessionLife)
	s.model, s.modelEvents, s.configureID = w.model, w.events, w.configureID
	s.ready = true
	s.pulse.renew(now)
	s.outage.spend(now)
	n := s.retellAll()
	if n < 0 {
		return
	}
	s.rec.Fact(parley.EventModelSwapped, parley.ModelSwappedData{Items: n, Silent: calm, Lost: lost})
	s.cfg.Log.Info("model session swapped", slog.Int("items", n), slog.Bool("silent", calm), slog.Bool("lost", lost))
	s.expectTurn(now)
}
