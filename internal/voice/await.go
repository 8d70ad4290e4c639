package voice

import (
	"context"
	"time"

	"parley"
)

// lookEvery is how long a session may sleep without looking at what ends it from outside. The caller's frames wake it
// every 20 ms; this is for a carrier that has fallen silent.
const lookEvery = 200 * time.Millisecond

// maxNews is how many results may wait for the session: of every tool that runs, and of both dialings. Nobody who has
// one ever waits.
const maxNews = maxTools + 2

// dialResult is a model's session that was opened beside the call, or why it was not.
type dialResult struct {
	model Model
	err   error
	swap  bool // it is the successor of one at work
}

// await takes what comes next. Every channel that can be ready here costs each frame of every call, so what happens
// once in a call is left to look.
func (s *Session) await(wake *alarm) {
	select {
	case ev, ok := <-s.carrier.Events():
		s.onCarrier(ev, ok)
	case ev, ok := <-s.modelEvents:
		s.onModel(ev, ok)
	case ev, ok := <-s.swap.events:
		s.onSwapEvent(ev, ok)
	case n := <-s.news:
		s.onNews(n)
	case <-wake.timer.C:
		s.onTime(time.Now())
	}
}

// onNews takes a result of one of the session's own goroutines.
func (s *Session) onNews(n any) {
	switch n := n.(type) {
	case dialResult:
		if n.swap {
			s.onSwapDialed(n)
		} else {
			s.onDialed(n)
		}
	case *toolResult:
		s.onToolResult(*n)
	}
}

// tooLate takes a result that came when the session was over.
func (s *Session) tooLate(n any) {
	d, ok := n.(dialResult)
	if !ok {
		return
	}
	if d.swap {
		s.swap.dialing = false
	} else {
		s.dialing = false
	}
	if d.model != nil {
		s.retire(d.model)
	}
}

// look ends the session for a reason from outside. That another stream was attached comes first: it is why the record
// belongs to somebody else then, and the session is kept for it.
func (s *Session) look(ctx context.Context) {
	switch {
	case s.outcome != nil:
	case closed(s.cfg.Taken):
		s.outcome = &Outcome{Fenced: true, Keep: keepDetached}
	case closed(s.rec.Done()):
		s.onRecorderDone()
	case closed(s.cfg.Over):
		s.end(parley.EndCallerHangup, parley.IntentNone)
	case closed(s.cfg.HandOver):
		s.onHandOver()
	case closed(ctx.Done()):
		s.stopped()
	}
}

// closed reports whether a channel that is never sent to is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
