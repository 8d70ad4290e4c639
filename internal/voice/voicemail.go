package voice

import (
	"slices"
	"strings"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/leg"
	"parley/internal/tool"
)

const (
	beepMemory   = 6 * time.Second        // a beep that was heard so short a time before the tool's call is the one
	beepTimeout  = 40 * time.Second       // a greeting may be long
	beeplessTime = 4 * time.Second        // of silence after which the message is spoken without a beep
	beepPause    = 300 * time.Millisecond // after the beep
	messageTime  = 2 * time.Minute        // for the message to be said and heard

	purposeVoicemail = "voicemail"
)

// voicemail is a message on its way to an answering machine.
type voicemail struct {
	message string
	since   time.Time // the tool was called
	asked   bool      // the model was asked to say it
}

// machine listens for the beep of an answering machine. It costs something for every frame, so only sessions that may
// leave a message have one.
type machine struct {
	detector audio.BeepDetector
	beepAt   time.Time // the end of the last beep
	loudAt   time.Time // the last sound
}

func planVoicemail(call leg.ModelEvent) (leaving, tool.Result) {
	args, ok := arguments[struct{ Message string }](call)
	message := spokenText(args.Message, parley.MaxVoicemailMessage)
	if !ok || message == "" {
		return leaving{}, unusable("Send the whole message as text.")
	}
	return leaving{tool: parley.ToolLeaveVoicemail, voicemail: voicemail{message: message}},
		done("Your message is spoken after the beep; then the call ends. Say nothing more.")
}

// hearMachine follows the other side's frame.
func (s *Session) hearMachine(ulaw []byte, now time.Time) {
	m := s.machine
	if m == nil {
		return
	}
	if m.detector.Hear(ulaw) {
		m.beepAt = now
	}
	if m.detector.Loud() {
		m.loudAt = now
	}
}

func newMachine(tools []parley.Tool) *machine {
	if slices.ContainsFunc(tools, func(t parley.Tool) bool { return t.ID == parley.ToolLeaveVoicemail }) {
		return &machine{}
	}
	return nil
}

// awaitBeep begins to wait. From here on the machine's greeting is no caller's turn.
func (s *Session) awaitBeep(now time.Time) {
	s.leaving.voicemail.since, s.leaveBy = now, now.Add(beepTimeout)
	s.seq.wanted = false
	b := &s.barge
	b.current, b.open, b.paused, b.unheard = nil, nil, nil, 0
}

// leaveMessage has the message said after the beep, or after a long silence, and ends the call when it was heard. late:
// it has been waiting as long as it may.
func (s *Session) leaveMessage(now time.Time, late bool) {
	v, m := &s.leaving.voicemail, s.machine
	if v.asked {
		if late || !s.ledger.speaking() && !s.frameWaits() && !s.seq.busy() && !s.seq.wanted && s.retryAt.IsZero() {
			s.end(parley.EndVoicemail, parley.IntentHangup)
		}
		return
	}
	beep := !m.beepAt.IsZero() && m.beepAt.After(v.since.Add(-beepMemory))
	over := beep && now.Sub(m.beepAt) >= beepPause
	still := !beep && now.Sub(latest(v.since, m.loudAt)) >= beeplessTime
	if !late && !over && !still || s.seq.busy() || s.ledger.speaking() {
		return
	}
	v.asked, s.leaveBy = true, now.Add(messageTime)
	s.callerSpeaking, s.cutOff, s.commitBy, s.seq.wanted = false, false, time.Time{}, false
	s.seq.want(leg.Ask{Purpose: purposeVoicemail, NoTools: true, Instructions: "You are leaving a message on an answering machine. Say exactly the following and nothing else: \"" +
		strings.ReplaceAll(v.message, `"`, "'") + "\""})
}

// deaf reports whether the other side's sounds change nothing at the moment: an answering machine speaks and beeps.
func (s *Session) deaf() bool {
	return !s.leaveBy.IsZero() && s.leaving.tool == parley.ToolLeaveVoicemail
}
