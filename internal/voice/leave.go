package voice

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// leaving is what a control tool asked for: the agent does it once what it says has been heard. While leaveBy is zero
// nothing was asked for.
type leaving struct {
	tool      string            // its slug; "" = the session itself ends the call
	intent    parley.CallIntent // to come back, with errand; none = the call ends
	errand    parley.Errand
	voicemail voicemail
	response  string // that called the tool
}

// controls reports whether a function is a control tool that the model was offered.
func (s *Session) controls(name string) bool {
	return slices.ContainsFunc(s.cfg.Tools, func(t parley.Tool) bool { return t.Control && t.FunctionName == name })
}

// offered are the tools that an agent's model is told of.
func offered(cfg Config) []parley.Tool {
	tools := make([]parley.Tool, 0, len(cfg.Tools))
	for _, t := range cfg.Tools {
		if cfg.Call.FromBrowser() && t.Control && t.ID != parley.ToolEndCall {
			continue // a page is no telephone
		}
		if t, ok := t.ForAgent(cfg.Agent); ok {
			tools = append(tools, t)
		}
	}
	return tools
}

// control decides about the call of a control tool whose start is on record, and answers the model.
func (s *Session) control(r *toolResult, now time.Time) {
	if !s.controls(r.call.Text) || r.res.Outcome != tool.OutcomeOK {
		return
	}
	if s.prompts.final || !s.leaveBy.IsZero() {
		r.res = refused("The call is already being ended, transferred, or used for another such tool, so nothing was done.")
		return
	}
	var g leaving
	g, r.res = s.plan(r.call)
	if r.res.Outcome != tool.OutcomeOK {
		return
	}
	if s.callerSpeaking && !g.deaf() {
		r.res = refused("The caller has begun to speak, so nothing was done. Listen, and answer first.")
		return
	}
	g.response = r.call.ResponseID
	s.leaving, s.leaveReason, s.leaveBy = g, "", now.Add(goodbyeTimeout)
	if g.tool == parley.ToolLeaveVoicemail {
		s.awaitBeep(now)
	}
}

// plan reads the arguments of a control tool.
func (s *Session) plan(call leg.ModelEvent) (leaving, tool.Result) {
	switch call.Text {
	case parley.ToolTransferCall:
		return s.planTransfer(call)
	case parley.ToolSendDTMF:
		return s.planKeys(call)
	case parley.ToolLeaveVoicemail:
		return planVoicemail(call)
	}
	return leaving{tool: parley.ToolEndCall}, done("The call ends when the caller has heard your goodbye. If you have not said it yet, say it now, in a few words.")
}

// arguments reads a control tool's arguments. Models send "" for none.
func arguments[T any](call leg.ModelEvent) (args T, ok bool) {
	return args, json.Unmarshal([]byte(cmp.Or(call.Arguments, "{}")), &args) == nil
}

func done(note string) tool.Result {
	return result(tool.OutcomeOK, map[string]any{"ok": true, "note": note})
}

func refused(why string) tool.Result { return result(tool.OutcomeError, map[string]any{"error": why}) }

func unusable(why string) tool.Result {
	return result(tool.OutcomeInvalidArguments, map[string]any{"error": why})
}

func result(outcome string, output map[string]any) tool.Result {
	raw, _ := json.Marshal(output) // strings and booleans
	return tool.Result{Output: string(raw), Outcome: outcome}
}

// deaf reports whether the other side's sounds change nothing: the menu of a machine, its greeting and its beep.
func (g *leaving) deaf() bool {
	return g.tool == parley.ToolSendDTMF || g.tool == parley.ToolLeaveVoicemail
}

// leaves reports whether nothing has to be asked for after a tool's result, because the agent leaves the line: it has
// said so in the answer that called the tool, or needs not say anything.
func (s *Session) leaves(r toolResult) bool {
	switch {
	case s.leaveBy.IsZero() || s.leaving.tool == "":
		return false
	case s.leaving.deaf():
		return true
	}
	return s.spoke == r.call.ResponseID && (s.controls(r.call.Text) || s.leaving.response == r.call.ResponseID)
}

// keepCall takes back that the agent leaves, unless the call's time is over: the caller speaks.
func (s *Session) keepCall() {
	g := s.leaving
	if s.prompts.final || s.leaveBy.IsZero() || g.deaf() {
		return
	}
	s.leaving, s.leaveBy, s.leaveReason = leaving{}, time.Time{}, ""
	switch {
	case g.tool == parley.ToolEndCall:
		s.note("The call was not ended, because the caller spoke before your goodbye was heard.")
	case g.intent == parley.IntentTransfer:
		s.note("The transfer to " + g.errand.Target + " did not happen, because the caller spoke before your announcement was heard.")
	}
}

// note tells the model what happened to the call, without asking for an answer.
func (s *Session) note(text string) {
	item := leg.HistoryItem{Role: "system", Text: text}
	s.memory.add("", "", item)
	if s.ready {
		s.modelSent(s.model.AddItem(item))
	}
}

// leave leaves the line once nothing is being said, asked or done any more. A caller who speaks meanwhile keeps the
// call (interrupt).
func (s *Session) leave(now time.Time) {
	if s.outcome != nil || s.leaveBy.IsZero() {
		return
	}
	g := &s.leaving
	if s.prompts.final {
		g = &leaving{} // the call's time is over
	}
	switch late := !now.Before(s.leaveBy); {
	case g.tool == parley.ToolLeaveVoicemail:
		s.leaveMessage(now, late)
	case g.tool == parley.ToolSendDTMF && (late || !s.ledger.speaking() && !s.frameWaits() && !s.seq.busy()):
		s.depart()
	case g.deaf() || !late && !s.quiet():
	case g.intent == parley.IntentTransfer:
		s.depart()
	default:
		s.end(cmp.Or(s.leaveReason, parley.EndAgentHangup), parley.IntentHangup)
	}
}

// awaitsKeys reports whether keys are about to be pressed: nothing new is said before.
func (s *Session) awaitsKeys() bool {
	return !s.leaveBy.IsZero() && s.leaving.tool == parley.ToolSendDTMF
}

// tendControl takes up what a control tool or the caller's keys have left to do.
func (s *Session) tendControl(now time.Time) {
	if s.back && s.ready {
		s.back = false
		s.returns()
	}
	s.tellKeys(now)
}

// quiet reports whether nothing is being said, asked or done.
func (s *Session) quiet() bool {
	return !s.callerSpeaking && s.commitBy.IsZero() && !s.ledger.speaking() && !s.frameWaits() && !s.seq.busy() && !s.seq.wanted && s.retryAt.IsZero() && s.tools.running() == 0
}
