package voice

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// endCall makes the model call end_call in a response, after an audio item of that response unless ms is 0.
func (r *rig) endCall(resp string, ms int) {
	r.t.Helper()
	if ms > 0 {
		r.reply(resp, "bye", words, ms)
	} else {
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: resp})
	}
	r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: resp, ItemID: "f1", ItemType: "function_call", Status: "completed", CallID: "c1", Text: "end_call", Arguments: "{}"})
	r.responseDone(resp, "completed")
}

func endCallRig(t *testing.T) *rig {
	endCall, _ := parley.BuiltinTool(parley.ToolEndCall)
	return newRig(t, rigOptions{delay: 60 * time.Millisecond, tools: []parley.Tool{endCall}}).ready()
}

// TestEndCallWaitsForTheGoodbye: the call ends when the caller has heard it, and not before.
func TestEndCallWaitsForTheGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := endCallRig(t)
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.endCall("r1", 3000)
		out := r.wait()
		if out.Reason != parley.EndAgentHangup || out.Intent != parley.IntentHangup {
			t.Errorf("outcome %+v", out)
		}
		if got := r.carrier.playedMs(); got != 3000 {
			t.Errorf("the caller heard %d ms of the goodbye, want 3000", got)
		}
		if log := r.model.log(); slices.Contains(log[3:], "create") {
			t.Errorf("another answer was asked for after the goodbye: %q", log)
		}
	})
}

// TestEndCallWithoutGoodbyeAsksForOne.
func TestEndCallWithoutGoodbyeAsksForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := endCallRig(t)
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.endCall("r1", 0)
		time.Sleep(100 * time.Millisecond)
		r.reply("r2", "bye", words, 2000)
		r.responseDone("r2", "completed")
		if out := r.wait(); out.Reason != parley.EndAgentHangup || r.carrier.playedMs() != 2000 {
			t.Errorf("outcome %+v after %d ms", out, r.carrier.playedMs())
		}
	})
}

// TestCallerKeepsTheCall: whoever speaks into the goodbye is not hung up on.
func TestCallerKeepsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := endCallRig(t)
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.endCall("r1", 3000)
		time.Sleep(time.Second)
		r.speechStarted()
		time.Sleep(2 * time.Second)
		r.turnEnds("u2")
		time.Sleep(10 * time.Millisecond)
		r.reply("r2", "a2", words, 1000)
		r.responseDone("r2", "completed")
		time.Sleep(time.Minute)
		if out := r.stop(); out.Reason != parley.EndCallerHangup {
			t.Errorf("outcome %+v: the caller was hung up on", out)
		}
	})
}

// TestEndCallMustBeOffered: a model that makes the name up ends nothing.
func TestEndCallMustBeOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.endCall("r1", 500)
		time.Sleep(100 * time.Millisecond)
		r.reply("r2", "a2", words, 500) // it goes on with the result, as with any tool's
		r.responseDone("r2", "completed")
		time.Sleep(10 * time.Second)
		if out := r.stop(); out.Reason != parley.EndCallerHangup {
			t.Errorf("outcome %+v", out)
		}
	})
}
