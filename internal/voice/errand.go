package voice

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

const (
	// maxReturns bounds the errands of one call: a model that presses keys in circles is stopped.
	maxReturns = 40
	// How long the session is kept for the call to come back.
	keepForKeys     = 20 * time.Second
	keepForTransfer = parley.LongestTransfer + keepDetached
	// menuPatience is how long the agent listens in vain after it has pressed keys.
	menuPatience = 12 * time.Second

	unnamedSummary = "A caller is being connected to you."
)

// planTransfer chooses the target by its name. Numbers come from the agent's configuration alone.
func (s *Session) planTransfer(call leg.ModelEvent) (leaving, tool.Result) {
	args, ok := arguments[struct{ Target, Summary string }](call)
	if !ok {
		return leaving{}, unusable("Send target, and summary if it is asked for, as texts.")
	}
	t, ok := s.cfg.Agent.Voice.Target(args.Target)
	if !ok {
		var names []string
		for _, t := range s.cfg.Agent.Voice.TransferTargets {
			names = append(names, t.Name)
		}
		return leaving{}, unusable("There is no such target. Callers can be connected to: " + strings.Join(names, ", ") + ". Nobody else can be called.")
	}
	if !parley.IsE164(t.Number) || t.Number == s.cfg.Call.To {
		return leaving{}, refused("This target cannot be reached from this line. Tell the caller that it is not possible.")
	}
	if s.cfg.Call.Returns >= maxReturns {
		return leaving{}, refused("This call was transferred or used for keys too often. Go on without it.")
	}
	e := parley.Errand{ToolCallID: call.CallID, Target: t.Name, Number: t.Number, Mode: t.Mode}
	if t.Mode != parley.TransferCold {
		if e.Summary = spokenText(args.Summary, parley.MaxTransferSummary); e.Summary == "" {
			e.Summary = unnamedSummary
		}
	}
	return leaving{tool: parley.ToolTransferCall, intent: parley.IntentTransfer, errand: e},
		done("The caller is connected to " + t.Name + " when they have heard you say so. If you have not said it yet, say it now, in a few words.")
}

func (s *Session) planKeys(call leg.ModelEvent) (leaving, tool.Result) {
	args, ok := arguments[struct{ Digits string }](call)
	digits := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == ',' {
			return -1
		}
		return r
	}, strings.ToLower(args.Digits))
	bad := strings.ContainsFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789*#w", r) })
	if !ok || bad || len(digits) > parley.MaxSentDigits || strings.Trim(digits, "w") == "" {
		return leaving{}, unusable(fmt.Sprintf("digits must be 1 to %d of 0-9, *, # and w.", parley.MaxSentDigits))
	}
	if s.cfg.Call.Returns >= maxReturns {
		return leaving{}, refused("Keys were pressed too often in this call. Go on without them.")
	}
	return leaving{tool: parley.ToolSendDTMF, intent: parley.IntentKeys, errand: parley.Errand{ToolCallID: call.CallID, Digits: digits}},
		done("The keys are pressed as soon as what you said has been heard. Then wait for what the other side says.")
}

// spokenText makes one line of plain text of what a model wrote, at most n code points and cut at a word.
func spokenText(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	cut := string(r[:n])
	if i := strings.LastIndexByte(cut, ' '); i > 0 {
		cut = cut[:i]
	}
	return cut
}

// depart leaves the stream for an errand. The session waits for the call to come back.
func (s *Session) depart() {
	g := s.leaving
	keep := keepForTransfer
	if g.intent == parley.IntentKeys {
		keep = keepForKeys
	}
	s.leaveBy = time.Time{}
	s.outcome = &Outcome{Intent: g.intent, Errand: g.errand, Keep: keep}
}

// returns takes up a call that comes back from an errand. What a kept session left for, and the call did not do, was
// never committed.
func (s *Session) returns() {
	e, left := s.cfg.Call.Errand, s.leaving
	if e == (parley.Errand{}) && left.intent == parley.IntentNone {
		return
	}
	if left.intent.Returns() {
		s.leaving, s.leaveBy = leaving{}, time.Time{}
	}
	s.cfg.Call.Errand = parley.Errand{}
	switch {
	case e.Target != "":
		s.rec.Fact(parley.EventTransferEnded, parley.TransferEndedData{Target: e.Target, Reason: e.Failure})
		s.note("The transfer to " + e.Target + " failed: " + failureWords(e.Failure) + ". You are talking to the caller again: tell them, and offer what else you can do.")
		s.seq.want(leg.Ask{})
	case e.Digits != "":
		s.note("The keys " + spaced(e.Digits) + " were pressed. Wait for what the other side says.")
		s.seq.wanted, s.tools.unseen = false, false
		s.prompts.menuBy = time.Now().Add(menuPatience)
	default:
		s.note("What you began did not happen, for a technical reason: the call goes on. Tell the caller if they wait for it.")
		s.seq.want(leg.Ask{})
	}
}

// tendMenu makes the agent go on when nobody says anything after its keys.
func (s *Session) tendMenu(now time.Time) {
	if p := &s.prompts; s.ready && !p.menuBy.IsZero() && !now.Before(p.menuBy) {
		p.menuBy = time.Time{}
		if s.idle() {
			s.say(s.instruct("Nothing has been heard since the keys were pressed. Say who you are and what you call for, or ask whether anybody is there, in one short sentence."))
		}
	}
}

// failureWords says why a transfer failed.
func failureWords(failure string) string {
	switch failure {
	case "no-answer":
		return "no answer"
	case "busy":
		return "the line is busy"
	case "declined":
		return "the person does not take the call now"
	case "failed", "canceled":
		return "the number could not be reached"
	}
	return "they were not connected"
}

// spaced puts spaces between keys, so that a model sees each of them.
func spaced(keys string) string { return strings.Join(strings.Split(keys, ""), " ") }
