package voice

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/store"
	"parley/internal/tool"
	"parley/internal/ws"
)

const words = "one two three four five six seven eight nine ten"

func TestAnswerIsPlayedWholeInOrderAndOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{delay: 60 * time.Millisecond}).ready()
		r.speechStarted()
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.reply("r1", "a1", words, 1995) // not a multiple of 20 ms
		r.responseDone("r1", "completed")
		time.Sleep(3 * time.Second)
		if got := r.carrier.playedMs(); got != 1995 {
			t.Errorf("played %d ms, want 1995", got)
		}
		rec := r.tape.record()
		if len(rec.Messages) != 2 || rec.Messages[1].Text != words || rec.Messages[1].HeardText == nil || *rec.Messages[1].HeardText != words {
			t.Errorf("transcript %+v", rec.Messages)
		}
		if rec.Messages[1].Interrupted || r.carrier.clears != 0 {
			t.Error("an uninterrupted answer counts as interrupted")
		}
		if lat := find[parley.TurnLatencyData](r.tape, parley.EventTurnLatency); len(lat) != 1 || lat[0].ItemID != "u1" {
			t.Errorf("latency %+v", lat)
		}
		if out := r.stop(); out.Reason != parley.EndCallerHangup || out.Intent != parley.IntentNone {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestFramesArePacedWithTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		start := time.Now()
		r.turnEnds("u1")
		r.reply("r1", "a1", words, 5000)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		elapsed := time.Since(start)
		sent := time.Duration(r.session.ledger.sent/bytesPerMs) * time.Millisecond
		if ahead := sent - elapsed; ahead < minLead-20*time.Millisecond || ahead > minLead+20*time.Millisecond {
			t.Errorf("%v sent after %v: the lead is %v, want about %v", sent, elapsed, ahead, minLead)
		}
		r.stop()
	})
}

// TestBargeInTruncatesToWhatWasHeard is the heart: at every delay and every moment the truncation equals what
// the far end has played when the clear reaches it.
func TestBargeInTruncatesToWhatWasHeard(t *testing.T) {
	for _, delay := range []time.Duration{0, 60 * time.Millisecond, 150 * time.Millisecond} {
		for _, after := range []time.Duration{300, 1017, 2500} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{delay: delay}).ready()
				time.Sleep(time.Second) // the probe mark comes back
				r.turnEnds("u1")
				r.reply("r1", "a1", words, 4000)
				r.responseDone("r1", "completed")
				time.Sleep(after * time.Millisecond)
				r.speechStarted()
				time.Sleep(time.Second)
				played := r.carrier.playedMs()
				cuts := find[parley.InterruptionData](r.tape, parley.EventInterruption)
				if len(cuts) != 1 || r.carrier.clears != 1 {
					t.Fatalf("delay %v: %d interruptions, %d clears", delay, len(cuts), r.carrier.clears)
				}
				if diff := cuts[0].HeardMs - played; diff < -25 || diff > 5 {
					t.Errorf("delay %v after %v ms: heard %d ms, the far end played %d ms", delay, after, cuts[0].HeardMs, played)
				}
				if log := strings.Join(r.model.log(), "\n"); !strings.Contains(log, "truncate a1/0 ") || strings.Contains(log, "cancel") {
					t.Errorf("model was told:\n%s", log)
				}
				rec := r.tape.record()
				m := rec.Messages[len(rec.Messages)-1]
				if !m.Interrupted || m.HeardText == nil || len(*m.HeardText) >= len(words) || !strings.HasPrefix(words, *m.HeardText) {
					t.Errorf("message %+v", m)
				}
				r.stop()
			})
		}
	}
}

func TestBargeInCancelsAndDropsLateAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{delay: 20 * time.Millisecond}).ready()
		r.turnEnds("u1")
		time.Sleep(5 * time.Millisecond)
		r.model.begins("r1", "a1")
		r.part("r1", "a1", words, 1000)
		time.Sleep(400 * time.Millisecond)
		r.speechStarted()
		time.Sleep(50 * time.Millisecond)
		played := r.carrier.playedMs()
		r.part("r1", "a1", "late", 1000)
		r.model.say(leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: "r1", ItemID: "a2", ItemType: "message"})
		r.part("r1", "a2", "later", 1000)
		r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a1", ItemType: "message", Status: "incomplete"})
		r.responseDone("r1", "cancelled")
		time.Sleep(2 * time.Second)
		if got := r.carrier.playedMs(); got != played {
			t.Errorf("%d ms of a canceled response were played", got-played)
		}
		log := r.model.log()
		if !slices.Contains(log, "cancel r1") || !slices.Contains(log, "delete a2") || slices.Contains(log, "delete a1") {
			t.Errorf("model was told %q", log)
		}
		r.turnEnds("u2")
		time.Sleep(5 * time.Millisecond)
		r.reply("r2", "b1", "Fine.", 500)
		r.responseDone("r2", "completed")
		time.Sleep(time.Second)
		if got := r.carrier.playedMs() - played; got != 500 {
			t.Errorf("the next answer played %d ms, want 500", got)
		}
		r.stop()
	})
}

func TestInterruptionBeforeAnythingWasHeardDeletesTheItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{delay: 150 * time.Millisecond}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.model.begins("r1", "a1")
		time.Sleep(time.Millisecond)
		r.speechStarted()
		time.Sleep(time.Millisecond)
		if slices.Contains(r.model.log(), "delete a1") {
			t.Error("deleted while its response was active")
		}
		r.responseDone("r1", "cancelled")
		time.Sleep(time.Millisecond)
		if log := r.model.log(); !slices.Contains(log, "delete a1") || r.carrier.clears != 0 {
			t.Errorf("model was told %q, %d clears", log, r.carrier.clears)
		}
		r.stop()
	})
}

func TestInterruptedMultiItemResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{delay: 10 * time.Millisecond}).ready()
		time.Sleep(100 * time.Millisecond)
		r.turnEnds("u1")
		r.reply("r1", "a1", "first item", 600)
		for _, it := range []string{"a2", "a3"} {
			r.model.say(leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: "r1", ItemID: it, ItemType: "message"})
			r.part("r1", it, words, 1000)
			r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: it, ItemType: "message", Status: "completed"})
		}
		r.responseDone("r1", "completed")
		time.Sleep(1200 * time.Millisecond)
		r.speechStarted()
		time.Sleep(100 * time.Millisecond)
		log := strings.Join(r.model.log(), "\n")
		if strings.Contains(log, "a1") || !strings.Contains(log, "truncate a2/0 ") || !strings.Contains(log, "delete a3") {
			t.Errorf("model was told:\n%s", log)
		}
		r.stop()
	})
}

func TestOneResponseAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		r.turnEnds("u2") // before the first answer has begun
		time.Sleep(time.Millisecond)
		creates := func() int {
			n := 0
			for _, l := range r.model.log() {
				if l == "create" {
					n++
				}
			}
			return n
		}
		if creates() != 1 {
			t.Fatalf("%d responses asked for at once", creates())
		}
		r.reply("r1", "a1", "x", 100)
		r.responseDone("r1", "completed")
		time.Sleep(time.Millisecond)
		if creates() != 2 {
			t.Fatalf("the second turn was not answered: %d", creates())
		}
		// Refused because the server thinks another response is active: asked again after its end.
		r.model.say(leg.ModelEvent{Kind: leg.ModelError, EventID: "e3", Err: &leg.ModelFailure{Code: "conversation_already_has_active_response"}})
		time.Sleep(time.Millisecond)
		if creates() != 2 {
			t.Fatal("asked again while the other response is active")
		}
		r.responseDone("other", "completed")
		time.Sleep(time.Millisecond)
		if creates() != 3 {
			t.Fatal("a refused response was forgotten")
		}
		r.stop()
	})
}

func TestGreetingComesFirstAndNotAgainOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		greet := func(v *parley.VoiceConfig) { v.Greeting = "Hello" }
		r := newRig(t, rigOptions{voice: greet}).ready()
		if log := r.model.log(); !slices.Equal(log, []string{"configure", "create with instructions"}) {
			t.Errorf("model was told %q", log)
		}
		r.stop()
		r = newRig(t, rigOptions{voice: greet, history: []leg.HistoryItem{{Role: "assistant", Text: "hi"}}}).ready()
		if log := r.model.log(); !slices.Equal(log, []string{"configure", "history assistant hi"}) {
			t.Errorf("model was told %q", log)
		}
		r.stop()
	})
}

func TestToolRunsBesideTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := newRig(t, rigOptions{tool: func(_ context.Context, c tool.Call) tool.Result {
			<-release
			return tool.Result{Output: "42", Outcome: "ok"}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.model.say(
			leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"},
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f1", ItemType: "function_call", Status: "completed", CallID: "c1", Text: "answer", Arguments: "{}"},
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f2", ItemType: "function_call", Status: "incomplete", CallID: "c2", Text: "answer", Arguments: "{"})
		r.responseDone("r1", "completed")
		before := r.model.heard()
		time.Sleep(time.Second)
		if r.model.heard()-before < 900*bytesPerMs {
			t.Error("the caller's audio stood still while the tool ran")
		}
		close(release)
		time.Sleep(time.Millisecond)
		if log := r.model.log(); !slices.Equal(log[2:], []string{"result c1 42", "create"}) {
			t.Errorf("model was told %q", log)
		}
		rec := r.tape.record()
		if len(rec.ToolCalls) != 1 || rec.ToolCalls[0].Outcome != "ok" {
			t.Errorf("tool calls %+v", rec.ToolCalls)
		}
		r.stop()
	})
}

// TestParallelToolsAreAnsweredOnce: the first of several calls may be done before the model has told the last, and one may
// take long. The model is asked when it can see all results, unless the caller says something first.
func TestParallelToolsAreAnsweredOnce(t *testing.T) {
	for name, c := range map[string]struct {
		interjects bool
		want       []string
	}{
		"nobody speaks":     {false, []string{"result c1 quick", "result c2 slow", "create"}},
		"the caller speaks": {true, []string{"result c1 quick", "create", "result c2 slow", "create"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			r := newRig(t, rigOptions{tool: func(_ context.Context, c tool.Call) tool.Result {
				if c.Name == "slow" {
					<-release
				}
				return tool.Result{Output: c.Name, Outcome: "ok"}
			}}).ready()
			calls := func(id, name string) leg.ModelEvent {
				return leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f" + id, ItemType: "function_call", Status: "completed", CallID: id, Text: name, Arguments: "{}"}
			}
			r.turnEnds("u1")
			time.Sleep(time.Millisecond)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"}, calls("c1", "quick"))
			time.Sleep(20 * time.Millisecond)
			r.model.say(calls("c2", "slow"))
			r.responseDone("r1", "completed")
			time.Sleep(20 * time.Millisecond)
			if c.interjects {
				r.turnEnds("u2")
				time.Sleep(20 * time.Millisecond)
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r2"})
				r.responseDone("r2", "completed")
			}
			time.Sleep(time.Second)
			close(release)
			time.Sleep(20 * time.Millisecond)
			if log := r.model.log(); !slices.Equal(log[2:], c.want) {
				t.Errorf("%s: the model was told %q, want %q", name, log[2:], c.want)
			}
			r.stop()
		})
	}
}

func TestHangupEndsARunningTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{tool: func(ctx context.Context, _ tool.Call) tool.Result {
			<-ctx.Done()
			return tool.Result{Output: "canceled", Outcome: "error"}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.model.say(
			leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"},
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f1", ItemType: "function_call", Status: "completed", CallID: "c1", Text: "x", Arguments: "{}"})
		time.Sleep(time.Millisecond)
		r.stop()
	})
}

func TestCallersFirstWordsSurviveASlowModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{dialing: 2 * time.Second})
		time.Sleep(3 * time.Second)
		if r.model.heard() != 0 {
			t.Error("audio was sent before the session was configured")
		}
		r.ready()
		time.Sleep(time.Millisecond)
		if got := r.model.heard() / bytesPerMs; got < 2900 {
			t.Errorf("the model got %d ms of the first 3000 ms", got)
		}
		r.stop()
	})
}

func TestEndings(t *testing.T) {
	refused := &leg.ModelFailure{Type: "invalid_request_error", Code: "invalid_api_key"}
	cases := map[string]struct {
		opt    rigOptions
		do     func(*rig)
		reason string
		intent parley.CallIntent
	}{
		"model refuses the key": {
			opt:    rigOptions{dial: func(context.Context) (Model, error) { return nil, refused }},
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"model never ready": {reason: parley.EndModelUnavailable, intent: parley.IntentNotice},
		"configuration refused": {
			do:     func(r *rig) { r.model.say(leg.ModelEvent{Kind: leg.ModelError, EventID: "e1", Err: refused}) },
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"model closes": {
			do:     func(r *rig) { r.ready(); r.model.vanish() },
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"model does not begin to answer": {
			do:     func(r *rig) { r.ready(); r.turnEnds("u1") },
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"model stalls": {
			do: func(r *rig) {
				r.ready()
				r.turnEnds("u1")
				time.Sleep(time.Millisecond)
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			},
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"response fails twice": {
			do: func(r *rig) {
				r.ready()
				r.turnEnds("u1")
				for _, id := range []string{"r1", "r2"} {
					time.Sleep(time.Second)
					r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: id})
					r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: id, Status: "failed", Err: &leg.ModelFailure{Code: "rate_limit_exceeded"}})
				}
			},
			reason: parley.EndModelUnavailable, intent: parley.IntentNotice,
		},
		"silence": {
			opt: rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 5 }},
			do: func(r *rig) {
				r.model.answers(func(leg.Ask) (string, int) { return "Are you still there?", 800 })
				r.ready()
			},
			reason: parley.EndSilenceTimeout, intent: parley.IntentHangup,
		},
		"maximum duration": {
			opt:    rigOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = 7 }},
			do:     func(r *rig) { r.ready() },
			reason: parley.EndMaxDuration, intent: parley.IntentHangup,
		},
		"server stops": {
			do:     func(r *rig) { r.ready(); r.cancel() },
			reason: parley.EndServerStopped, intent: parley.IntentNotice,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.opt)
				if c.do != nil {
					time.Sleep(time.Millisecond)
					c.do(r)
				}
				if out := r.wait(); out.Reason != c.reason || out.Intent != c.intent || out.Detached || out.Fenced {
					t.Errorf("outcome %+v, want %s %s", out, c.reason, c.intent)
				}
			})
		})
	}
}

func TestVanishedStreamIsDetachedNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.carrier.Close()
		time.Sleep(time.Second)
		r.carrier.vanish()
		if out := r.wait(); !out.Detached || out.Reason != "" {
			t.Errorf("outcome %+v", out)
		}
	})
}

// A caller who hangs up while the agent speaks: the socket is gone before the session has read the stop.
func TestStopBehindAClosedSocketIsAHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.reply("r1", "a1", words, 4000)
		time.Sleep(500 * time.Millisecond)
		r.carrier.refuse(errors.New("websocket: closed"))
		time.Sleep(100 * time.Millisecond)
		if out := r.stop(); out.Detached || out.Reason != parley.EndCallerHangup {
			t.Errorf("outcome %+v", out)
		}
		r = newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(time.Millisecond)
		r.reply("r1", "a1", words, 4000)
		r.carrier.refuse(ws.ErrSlowPeer)
		if out := r.wait(); !out.Detached {
			t.Errorf("a peer that does not read: outcome %+v", out)
		}
	})
}

func TestFencedSessionStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.tape.err = store.ErrFenced
		close(r.tape.done)
		if out := r.wait(); !out.Fenced {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestRecordOverBoundEndsTheCallInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.tape.err = errors.New("over bound")
		close(r.tape.done)
		if out := r.wait(); out.Fenced || out.Reason != parley.EndOverload || out.Intent != parley.IntentNotice {
			t.Errorf("outcome %+v", out)
		}
	})
}
