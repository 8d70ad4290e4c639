package voice

import (
	"cmp"
	"context"
	"slices"
	"time"

	"parley"
	"parley/internal/tool"
)

// runTool runs a tool that is not the session's own, and answers for those that are.
func (s *Session) runTool(ctx context.Context, call tool.Call) tool.Result {
	if call.Name == parley.ToolEndCall && s.mayLeave() {
		return tool.Result{Output: `{"ok":true,"note":"The call ends when the caller has heard your goodbye. If you have not said it yet, say it now, in a few words."}`, Outcome: tool.OutcomeOK}
	}
	return s.cfg.RunTool(ctx, call)
}

// mayLeave reports whether the model was offered to end the call.
func (s *Session) mayLeave() bool {
	return slices.ContainsFunc(s.cfg.Tools, func(t parley.Tool) bool { return t.ID == parley.ToolEndCall })
}

// leaves begins the end of the call when the result is that of end_call, and reports whether the goodbye was said
// in the answer that called it, so that none has to be asked for.
func (s *Session) leaves(r toolResult, now time.Time) bool {
	if r.call.Text != parley.ToolEndCall || !s.mayLeave() || r.res.Outcome != tool.OutcomeOK || s.callerSpeaking {
		return false
	}
	s.leaveBy = now.Add(goodbyeTimeout)
	return s.spoke == r.call.ResponseID
}

// keepCall takes back that the call ends, unless its time is over.
func (s *Session) keepCall() {
	if !s.prompts.final {
		s.leaveBy, s.leaveReason = time.Time{}, ""
	}
}

// leave ends the call once nothing is being said, asked or done any more. A caller who speaks meanwhile keeps the
// call (interrupt).
func (s *Session) leave(now time.Time) {
	if s.outcome != nil || s.leaveBy.IsZero() {
		return
	}
	if s.quiet() || !now.Before(s.leaveBy) {
		s.end(cmp.Or(s.leaveReason, parley.EndAgentHangup), parley.IntentHangup)
	}
}

// quiet reports whether nothing is being said, asked or done.
func (s *Session) quiet() bool {
	return !s.callerSpeaking && !s.ledger.speaking() && !s.frameWaits() && !s.seq.busy() && !s.seq.wanted && s.tools.running() == 0
}
