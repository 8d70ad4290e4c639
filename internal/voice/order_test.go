package voice

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// The tests of this file play a model that is correct but does things in another order, or not at all.

func creates(r *rig) (n int) {
	for _, l := range r.model.log() {
		if strings.HasPrefix(l, "create") {
			n++
		}
	}
	return n
}

func callItem(resp, id, status string) leg.ModelEvent {
	return leg.ModelEvent{
		Kind: leg.ModelItemDone, ResponseID: resp, ItemID: "f" + id, ItemType: "function_call", Status: status,
		CallID: id, Text: "answer", Arguments: "{}",
	}
}

func TestItemsThatEndAfterTheirResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.part("r1", "a1", words, 500) // no item.added, no content_part
		r.responseDone("r1", "completed")
		r.model.say(
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a1", ItemType: "message", Status: "completed"},
			callItem("r1", "c1", "completed"), callItem("r1", "c1", "completed"))
		time.Sleep(time.Second)
		r.model.say(callItem("r1", "c1", "completed")) // and once more after its result
		time.Sleep(time.Second)
		rec := r.tape.record()
		if len(rec.Messages) < 2 || rec.Messages[1].Text != words || rec.Messages[1].Interrupted {
			t.Errorf("transcript %+v", rec.Messages)
		}
		if log := r.model.log(); len(rec.ToolCalls) != 1 || !slices.Equal(log[2:], []string{`result c1 {"ok":true}`, "create"}) {
			t.Errorf("tools %+v, model was told %q", rec.ToolCalls, log)
		}
		r.stop()
	})
}

func TestLateItemsOfAnInterruptedResponseDoNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{tool: func(context.Context, tool.Call) tool.Result {
			t.Error("a tool of an interrupted response ran")
			return tool.Result{}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.part("r1", "a1", words, 500)
		time.Sleep(100 * time.Millisecond)
		r.speechStarted()
		time.Sleep(100 * time.Millisecond)
		played := r.carrier.playedMs()
		r.responseDone("r1", "cancelled")
		r.part("r1", "a1", words, 500)
		r.model.say(callItem("r1", "c1", "completed"))
		time.Sleep(time.Second)
		if got := r.carrier.playedMs(); got != played {
			t.Errorf("%d ms played after the end", got-played)
		}
		r.stop()
	})
}

// TestRefusedCreateIsRepeatedEvenIfNoEndIsSeen: the model says that a response is active which we never saw,
// and so will never see end.
func TestRefusedCreateIsRepeatedEvenIfNoEndIsSeen(t *testing.T) {
	refusals := map[string]leg.ModelEvent{
		"with code": {EventID: "e2", Err: &leg.ModelFailure{Code: "conversation_already_has_active_response"}},
		"null code": {EventID: "e2", Err: &leg.ModelFailure{Message: "Conversation already has an active response in progress: resp_1."}},
		"null id":   {Err: &leg.ModelFailure{Message: "Conversation already has an active response in progress: resp_1."}},
	}
	for name, ev := range refusals {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello" }}).ready()
				ev.Kind = leg.ModelError
				r.model.say(ev)
				time.Sleep(5 * time.Second)
				if log := r.model.log(); len(log) < 3 || log[2] != "create with instructions" {
					t.Errorf("model was told %q", log)
				}
				r.stop()
			})
		})
	}
}

func TestGreetingThatFailsIsRepeatedAsAGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello" }}).ready()
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.responseDone("r1", "failed")
		time.Sleep(time.Second)
		if log := r.model.log(); len(log) != 3 || log[2] != "create with instructions" {
			t.Errorf("model was told %q", log)
		}
		r.stop()
	})
}

// TestSpeechThatIsNotCommitted: the model heard something that was no turn after all. The answer that it cut
// off is taken up again; nobody is left in silence.
func TestSpeechThatIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.reply("r1", "a1", words, 3000)
		r.responseDone("r1", "completed")
		time.Sleep(time.Second)
		r.speechStarted()
		time.Sleep(100 * time.Millisecond)
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		time.Sleep(5 * time.Second)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for, want 2", n)
		}
		r.reply("r2", "a2", words, 500)
		r.responseDone("r2", "completed")
		time.Sleep(time.Second)
		r.speechStarted() // nothing is cut off: nothing to take up
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		time.Sleep(5 * time.Second)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for, want 2", n)
		}
		r.stop()
	})
}

func TestCommitWithoutSpeechEventsIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.model.say(leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "u1"})
		time.Sleep(time.Millisecond)
		r.reply("r1", "a1", "Yes.", 300)
		r.responseDone("r1", "completed")
		time.Sleep(time.Second)
		if got := r.carrier.playedMs(); got != 300 {
			t.Errorf("played %d ms", got)
		}
		r.stop()
	})
}

func TestResumedCallAnswersTheTurnThatWasLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{history: []leg.HistoryItem{{Role: "assistant", Text: "Hello"}, {Role: "user", Text: "When do you open?"}}}).ready()
		if creates(r) != 1 {
			t.Errorf("model was told %q", r.model.log())
		}
		r.stop()
	})
}

func TestLatencyCountsOnlyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.model.say(leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "u0"})
		time.Sleep(time.Millisecond)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u1"}) // its start was never told
		r.part("r1", "a1", words, 500)
		time.Sleep(time.Second)
		for _, l := range find[parley.TurnLatencyData](r.tape, parley.EventTurnLatency) {
			if l.CreateMs < 0 || l.FirstByteMs < 0 || l.ResponseMs > 10_000 {
				t.Errorf("latency %+v", l)
			}
		}
		r.stop()
	})
}

// stuckModel is a model whose socket does not die when told to.
type stuckModel struct {
	*modelSim
	wait chan struct{}
}

func (m stuckModel) Wait() { <-m.wait }

func TestEndDoesNotWaitForADeadModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := stuckModel{newModelSim(), make(chan struct{})}
		r := newRig(t, rigOptions{dial: func(context.Context) (Model, error) { return m, nil }})
		time.Sleep(10 * time.Millisecond)
		m.say(leg.ModelEvent{Kind: leg.ModelSessionUpdated})
		time.Sleep(time.Millisecond)
		r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierStop})
		select {
		case <-r.ran:
		case <-time.After(time.Second):
			t.Error("the session did not end while its model leg was stuck")
		}
		close(m.wait)
		r.wait()
	})
}

func TestCarrierSaysTheCallIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		r := newRig(t, rigOptions{over: over}).ready()
		close(over)
		if out := r.wait(); out.Reason != parley.EndCallerHangup || out.Intent != parley.IntentNone || out.Detached {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestMaxDurationCountsFromTheCallsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := newRig(t, rigOptions{
			call:  parley.Call{Resumes: 1, CreatedAt: start.Add(-50 * time.Second)},
			voice: func(v *parley.VoiceConfig) { v.MaxDuration = 60 },
		}).ready()
		if out := r.wait(); out.Reason != parley.EndMaxDuration || time.Since(start) > 11*time.Second {
			t.Errorf("outcome %+v after %v", out, time.Since(start))
		}
	})
}

// TestUnheardPart: deleting is for whole items, so a further part that was not heard is cut to nothing; with an item that
// is deleted its parts are gone.
func TestUnheardPart(t *testing.T) {
	for name, c := range map[string]struct {
		heard     time.Duration
		told, not string
	}{
		"of a heard item": {500 * time.Millisecond, "truncate a1/1 0", "delete"},
		"of an unheard":   {0, "delete a1", "truncate"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{}).ready()
			r.turnEnds("u1")
			time.Sleep(time.Millisecond)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			if c.heard == 0 { // another item is being heard
				r.model.say(leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: "r1", ItemID: "a0", ItemType: "message"})
				r.part("r1", "a0", words, 3000)
				r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a0", ItemType: "message", Status: "completed"})
			}
			r.part("r1", "a1", words, 1000)
			r.model.say(
				leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: "r1", ItemID: "a1"},
				leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "r1", ItemID: "a1", ContentIndex: 1, Audio: make([]byte, 8000)})
			r.responseDone("r1", "completed")
			time.Sleep(500 * time.Millisecond)
			r.speechStarted()
			time.Sleep(100 * time.Millisecond)
			if log := strings.Join(r.model.log(), "\n"); !strings.Contains(log, c.told) || regexp.MustCompile(c.not+" a1").MatchString(log) {
				t.Errorf("%s: the model was told:\n%s", name, log)
			}
			r.stop()
		})
	}
}
