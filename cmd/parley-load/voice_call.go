package main

import (
	"bytes"
	"strconv"
	"time"
)

// The caller's turn, in ticks of 20 ms: a second of speech, which no gate takes for a cough. The model's voice
// detection fires early in it, when a gate has heard enough, and notices its end with its last frame.
const (
	detectTick = 15
	noTurn     = -1
	impatience = 250 // ticks without an answer, before the caller says it again
)

// rigCall is one call of the rig: its phone, its model's session and what passes between them.
type rigCall struct {
	rig    *rig
	name   string // of the agent's model
	phone  *socket
	model  *socket
	faults []string

	// The phone.
	stream  string        // SID
	number  int           // of the next frame
	counter int           // Twilio's sequenceNumber
	turn    int           // tick of the caller's turn, or noTurn
	since   int           // ticks since the last turn began
	ends    time.Duration // when what was received will have been played
	marks   []pendingMark
	message []byte

	// The model's session.
	session  session
	sentAt   [ringSize]time.Duration // by the phone
	gotAt    [ringSize]time.Duration // by the model
	echoedAt [ringSize]time.Duration

	from, until    int // frames that are counted
	sent, received int // counted ones
	tooLate        int
	newest         int // last frame that came back

	asked  time.Duration // speech_started left and no clear has come back; 0 = none is awaited
	missed int           // interruptions without a clear
	merged int           // appends of more or less than one frame
}

// pendingMark waits until the audio before it has been played.
type pendingMark struct {
	name string
	due  time.Duration
}

func newRigCall(r *rig, name string) *rigCall {
	return &rigCall{rig: r, name: name, turn: noTurn, newest: -1, until: 1 << 30, from: 1 << 30}
}

func (l *rigCall) fault(text string) {
	if len(l.faults) < 10 {
		l.faults = append(l.faults, text)
	}
}

// tick is the phone's 20 ms: echo the marks that were reached, say a frame.
func (l *rigCall) tick(now time.Duration) {
	for len(l.marks) > 0 && l.marks[0].due <= now {
		l.returnMark(l.marks[0].name)
		l.marks = append(l.marks[:0], l.marks[1:]...)
	}
	template := quietFrame
	if l.since++; l.turn == noTurn && l.wantsTurn() {
		l.turn, l.since = 0, 0
	}
	if l.turn != noTurn {
		template = 1 + l.turn
	}
	l.say(template, now)
	if l.turn == noTurn {
		return
	}
	switch l.turn++; l.turn {
	case detectTick:
		l.detect()
	case burstTicks:
		l.turn = noTurn
		if l.asked != 0 {
			l.asked = 0
			l.missed++
		}
		l.session.endSpeech(l)
	}
}

// wantsTurn reports whether the caller speaks now: once to begin with, then as often as interruptions are
// asked for. An answer must be under way to be interrupted.
func (l *rigCall) wantsTurn() bool {
	s := &l.session
	if !s.configured || s.waiting && l.since < impatience {
		return false
	}
	return !s.answering || l.rig.every > 0 && l.since >= l.rig.every
}

// detect is the model's voice detection.
func (l *rigCall) detect() {
	if l.session.answering && l.rig.every > 0 {
		l.asked = l.rig.clock()
	}
	l.session.startSpeech(l)
}

// say sends the next frame.
func (l *rigCall) say(template int, now time.Duration) {
	l.counter++
	b := append(l.message[:0], `{"event":"media","sequenceNumber":"`...)
	b = strconv.AppendInt(b, int64(l.counter), 10)
	b = append(b, `","media":{"track":"inbound","chunk":"`...)
	b = strconv.AppendInt(b, int64(l.number+1), 10)
	b = append(b, `","timestamp":"`...)
	b = strconv.AppendInt(b, int64(l.number)*20, 10)
	b = append(b, `","payload":"`...)
	b = l.rig.clips.appendPayload(b, l.number, template)
	b = append(b, `"},"streamSid":"`...)
	b = append(b, l.stream...)
	b = append(b, `"}`...)
	l.message = b
	l.sentAt[l.number%ringSize] = now
	if l.number >= l.from && l.number < l.until {
		l.sent++
	}
	l.number++
	l.phone.text(b)
}

func (l *rigCall) returnMark(name string) {
	l.counter++
	b := append(l.message[:0], `{"event":"mark","sequenceNumber":"`...)
	b = strconv.AppendInt(b, int64(l.counter), 10)
	b = append(b, `","streamSid":"`...)
	b = append(b, l.stream...)
	b = append(b, `","mark":{"name":"`...)
	b = append(b, name...)
	b = append(b, `"}}`...)
	l.message = b
	l.phone.text(b)
}

// hear is what the phone receives.
func (l *rigCall) hear(raw []byte, now time.Duration) {
	switch {
	case has(raw, `"event":"media"`):
		l.play(member(raw, "payload"), now)
	case has(raw, `"event":"mark"`):
		l.marks = append(l.marks, pendingMark{string(member(raw, "name")), max(now, l.ends)})
	case has(raw, `"event":"clear"`):
		if l.asked != 0 {
			l.rig.clears = append(l.rig.clears, now-l.asked)
			l.asked = 0
		}
		l.ends = now
		for _, m := range l.marks {
			l.returnMark(m.name)
		}
		l.marks = l.marks[:0]
	default:
		l.fault("the phone received: " + string(raw[:min(len(raw), 200)]))
	}
}

// has looks for a word where it stands in these protocols: near the beginning.
func has(raw []byte, word string) bool {
	return bytes.Contains(raw[:min(len(raw), 80)], []byte(word))
}

// play takes a frame of the agent's voice.
func (l *rigCall) play(payload []byte, now time.Duration) {
	l.ends = max(l.ends, now) + frameTime
	n, ok := l.rig.clips.read(payload)
	if !ok || n >= l.number {
		l.fault("a frame came back changed")
		return
	}
	if n <= l.newest {
		l.fault("a frame came back twice, or out of order")
		return
	}
	l.newest = n
	if n < l.from || n >= l.until {
		return
	}
	l.received++
	i := n % ringSize
	up, down := l.gotAt[i]-l.sentAt[i], now-l.echoedAt[i]
	r := l.rig
	r.up, r.down, r.trip = append(r.up, up), append(r.down, down), append(r.trip, up+down)
	if up+down > lateAfter {
		l.tooLate++
	}
}
