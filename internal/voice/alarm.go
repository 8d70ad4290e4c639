package voice

import "time"

// alarm wakes the session at a time that changes with almost every event, and almost always to a later one. It
// then stays as it was set and rings too early, which the session does not mind: a hundred events a second cost
// no timer. It belongs to the session's goroutine.
type alarm struct {
	timer *time.Timer
	at    time.Time // when it rings; zero = it has not been set
}

func newAlarm() *alarm {
	a := &alarm{timer: time.NewTimer(time.Hour)}
	a.timer.Stop()
	return a
}

// by makes it ring at t or before.
func (a *alarm) by(t, now time.Time) {
	if a.at.After(now) && !t.Before(a.at) {
		return
	}
	a.at = t
	a.timer.Reset(t.Sub(now))
}

func (a *alarm) stop() { a.timer.Stop() }
