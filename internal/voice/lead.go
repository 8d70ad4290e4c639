package voice

import "time"

const (
	minLead    = 160 * time.Millisecond
	maxLead    = 480 * time.Millisecond
	leadMargin = 40 * time.Millisecond // beyond what the worst stall has needed
	leadKeep   = 5 * time.Minute       // without lateness, before the lead shrinks
	leadShrink = 20 * time.Millisecond // each minute after that
)

// lead is how far ahead of its playing time audio is sent. It grows when marks come back late, because the audio of a
// stall longer than the lead is a hole in the agent's voice, and shrinks slowly: what has stalled once stalls again.
type lead struct {
	ahead  time.Duration
	lateAt time.Time // of the last growth, or the last shrinking
}

// observe learns from a mark that came back late by some time, and was sent when the lead was then.
func (l *lead) observe(late, then time.Duration, now time.Time) {
	switch {
	case l.lateAt.IsZero():
		l.lateAt = now
	case late > then/4: // more than jitter
		l.ahead = max(l.ahead, min(then+late+leadMargin, maxLead))
		l.lateAt = now
	case l.ahead > minLead && now.Sub(l.lateAt) > leadKeep:
		l.ahead = max(minLead, l.ahead-leadShrink)
		l.lateAt = l.lateAt.Add(time.Minute)
	}
}
