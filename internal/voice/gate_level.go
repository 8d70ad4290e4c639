package voice

import "time"

// Levels of the gate are in dBFS, its rates per frame of 20 ms.
const (
	quietest    = -75 // digital silence counts as this
	agentSilent = -55 // below it the agent is not heard
)

// noiseFloor follows the quiet moments: the smallest level of the last 1.6 s, in windows of 200 ms. It falls at
// once and rises with the noise as soon as the quiet is out of sight; speech has too many gaps to raise it.
type noiseFloor struct {
	at      float64
	windows [8]float64
	current float64
	n, next int
	smooth  float64
}

func newNoiseFloor() noiseFloor {
	f := noiseFloor{at: -60, current: 0, smooth: -60}
	for i := range f.windows {
		f.windows[i] = -60
	}
	return f
}

func (f *noiseFloor) hear(db float64) {
	f.smooth += (db - f.smooth) / 3
	f.current = min(f.current, f.smooth)
	if f.n++; f.n == 10 {
		f.windows[f.next] = f.current
		f.next = (f.next + 1) % len(f.windows)
		f.n, f.current = 0, 0
	}
	f.at = f.smooth
	for _, w := range f.windows {
		f.at = min(f.at, w)
	}
}

// rising follows what nine of ten frames stay below: it climbs fast and sinks slowly.
type rising struct{ at float64 }

func (r *rising) hear(db float64) {
	if db > r.at {
		r.at = min(r.at+0.45, db)
	} else {
		r.at = max(r.at-0.05, quietest)
	}
}

// toward moves it up to a level by a share of the way.
func (r *rising) toward(db, share float64) {
	if db > r.at {
		r.at = min(r.at+share*(db-r.at), -30)
	}
}

// level is a running mean of the loud part of the caller's turns. It sinks faster than it rises, so that a caller
// who moves away from the telephone is still heard.
type level struct {
	at float64
	n  int
}

// known: 200 ms of speech are enough to know a voice's level.
func (l *level) known() bool { return l.n >= 10 }

func (l *level) hear(db float64) {
	l.n = min(l.n+1, 100)
	step := (db - l.at) / float64(l.n)
	if l.n == 1 {
		l.at = db
		return
	}
	l.at += step
}

// echo knows the level of the agent's voice by the time it is heard at the carrier, and learns how much of it
// comes back.
type echo struct {
	slots [echoSlots]float32 // dBFS of the agent's 20 ms by time, as a ring
	last  int64              // the newest slot written
	gain  float64            // dB: the echo's level over the agent's
}

const (
	slotTime  = 20 * time.Millisecond
	echoSlots = 128 // 2.6 s: the longest lead and the longest delay
	// echoDelay is how long after it was heard at the carrier the agent's voice may still come back: the mark's round
	// trip does not know the telephone network behind it.
	echoDelay = 24 // slots
	loudest   = -8 // dB: no echo is louder than this
	weakest   = -45
)

func newEcho() echo {
	e := echo{gain: -18}
	for i := range e.slots {
		e.slots[i] = agentSilent
	}
	return e
}

func slotOf(at time.Time) int64 { return at.UnixNano() / int64(slotTime) }

// sent books agent's audio of a level that will be heard at a time.
func (e *echo) sent(db float64, at time.Time) {
	slot := slotOf(at)
	e.advance(slot)
	if slot > e.last-echoSlots {
		cell := &e.slots[slot%echoSlots]
		*cell = max(*cell, float32(db))
	}
}

// advance clears the slots between the newest and slot: nothing is heard there so far.
func (e *echo) advance(slot int64) {
	if slot-e.last > echoSlots {
		e.last = slot - echoSlots
	}
	for e.last < slot {
		e.last++
		e.slots[e.last%echoSlots] = agentSilent
	}
}

// cleared takes back what will not be heard after a clear.
func (e *echo) cleared(at time.Time) {
	for slot := slotOf(at) + 1; slot <= e.last; slot++ {
		if slot > e.last-echoSlots {
			e.slots[slot%echoSlots] = agentSilent
		}
	}
}

// heard is the loudest agent's audio whose echo may arrive with the caller's audio of a time.
func (e *echo) heard(at time.Time) float64 {
	newest := slotOf(at) + 1
	e.advance(newest)
	most := float32(agentSilent)
	for slot := max(newest-echoDelay, e.last-echoSlots+1); slot <= newest; slot++ {
		most = max(most, e.slots[slot%echoSlots])
	}
	return float64(most)
}

// learn follows the echo's gain in what is no sound of the caller.
func (e *echo) learn(db, agent float64) {
	if agent < -40 {
		return
	}
	if over := db - agent; over > e.gain {
		e.gain = min(e.gain+0.5, over, loudest)
	} else {
		e.gain = max(e.gain-0.1, weakest)
	}
}

// toward takes a sound of this gain, that was not speech, for a possible echo.
func (e *echo) toward(gain float64) {
	if gain > e.gain {
		e.gain = min(e.gain+0.5*(gain-e.gain), loudest)
	}
}
