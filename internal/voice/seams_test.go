package voice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// The tests here are of what happens where two parts of a session meet.

func (r *rig) failed(resp, code string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: "failed", Err: &leg.ModelFailure{Code: code}})
}

// TestAnsweredOnceAfterARateLimit: a caller who speaks while a failed answer waits to be asked again gets one answer.
func TestAnsweredOnceAfterARateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.failed("r1", "rate_limit_exceeded")
		time.Sleep(300 * ms)
		r.speechStarted()
		time.Sleep(300 * ms)
		r.turnEnds("u2")
		time.Sleep(10 * ms)
		r.reply("r2", "a2", words, 500)
		r.responseDone("r2", "completed")
		time.Sleep(10 * time.Second)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for: %q", n, r.model.log())
		}
		r.stop()
	})
}

// TestAnsweredOnceAfterARefusal: the response that was in the way ends, so the answer is asked for; the timer for the
// case that its end is not seen asks for no other one.
func TestAnsweredOnceAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelError, EventID: fmt.Sprintf("e%d", len(r.model.log())), Err: &leg.ModelFailure{Code: "conversation_already_has_active_response"}})
		r.responseDone("r0", "cancelled")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 3000)
		r.responseDone("r1", "completed")
		time.Sleep(10 * time.Second)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for: %q", n, r.model.log())
		}
		r.stop()
	})
}

// TestOneAnswerToAToolAndATurn: a tool ends while the caller speaks. Between the end of the speech and its commit as a
// turn nothing is asked: the answer to the turn is the answer to both.
func TestOneAnswerToAToolAndATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{tool: func(context.Context, tool.Call) tool.Result {
			time.Sleep(time.Second)
			return tool.Result{Output: "found", Outcome: tool.OutcomeOK}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"}, callItem("r1", "f1", "completed"))
		r.responseDone("r1", "completed")
		time.Sleep(500 * ms)
		r.speechStarted()
		time.Sleep(time.Second)
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "u"})
		time.Sleep(10 * ms)
		r.reply("r2", "a2", words, 1000)
		r.responseDone("r2", "completed")
		time.Sleep(5 * time.Second)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for: %q", n, r.model.log())
		}
		r.stop()
	})
}

// TestASoundThatIsNoTurn: an answer that waited for the caller's turn is given although the turn never comes.
func TestASoundThatIsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{tool: func(context.Context, tool.Call) tool.Result {
			time.Sleep(time.Second)
			return tool.Result{Output: "found", Outcome: tool.OutcomeOK}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"}, callItem("r1", "f1", "completed"))
		r.responseDone("r1", "completed")
		time.Sleep(500 * ms)
		r.speechStarted()
		time.Sleep(time.Second)
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
		time.Sleep(commitTimeout + 100*ms)
		if n := creates(r); n != 2 {
			t.Errorf("%d responses were asked for: %q", n, r.model.log())
		}
		if r.session.tail.open {
			t.Error("a turn is under way for ever")
		}
		r.stop()
	})
}

// TestAGoodbyeThatFailsIsAskedForAgain, and the call does not end without it.
func TestAGoodbyeThatFailsIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := endCallRig(t)
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.endCall("r1", 0)
		time.Sleep(100 * ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r2"})
		r.failed("r2", "rate_limit_exceeded")
		time.Sleep(5 * time.Second)
		r.reply("r3", "bye", words, 2000)
		r.responseDone("r3", "completed")
		if out := r.wait(); out.Reason != parley.EndAgentHangup {
			t.Errorf("outcome %+v", out)
		}
		if m := lastMessage(r.tape.record()); m.HeardText == nil || *m.HeardText != words {
			t.Errorf("heard of the goodbye: %+v", m)
		}
	})
}

// TestFailuresBeforeASuccessAreForgotten, also when the answer was a tool call without a word.
func TestFailuresBeforeASuccessAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{tool: func(context.Context, tool.Call) tool.Result {
			time.Sleep(30 * time.Second)
			return tool.Result{Output: "found", Outcome: tool.OutcomeOK}
		}, voice: func(v *parley.VoiceConfig) { v.Timeout, v.ToolFillerSeconds = 0, 0 }})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.failed("r1", "server_error")
		time.Sleep(time.Second)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r2"}, callItem("r2", "f1", "completed"))
		r.responseDone("r2", "completed")
		time.Sleep(31 * time.Second)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r3"})
		r.failed("r3", "server_error")
		time.Sleep(time.Second)
		if r.over() {
			t.Fatalf("one failure has ended the call: %+v", <-r.out)
		}
		r.stop()
	})
}

// TestASessionThatRejoinsIsNotLate: what was under way when the stream was lost has its time anew, because nobody read
// what the model said meanwhile.
func TestASessionThatRejoinsIsNotLate(t *testing.T) {
	cases := map[string]struct {
		before, after func(*rig)
		creates       int
	}{
		"asked for": {
			before: func(r *rig) { r.turnEnds("u1"); time.Sleep(5 * time.Second) },
			after: func(r *rig) {
				r.reply("r1", "a1", words, 1000)
				r.responseDone("r1", "completed")
			}, creates: 1,
		},
		"in the middle of an answer": {
			before: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
				time.Sleep(15 * time.Second)
			},
			after: func(r *rig) {
				r.model.say(leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: "r1", ItemID: "a1", ItemType: "message"})
				r.part("r1", "a1", words, 1000)
				r.responseDone("r1", "completed")
			}, creates: 1,
		},
		"before the commit": {
			before: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
				time.Sleep(ms)
				r.speechStarted()
				time.Sleep(time.Second)
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: "r1", Status: "cancelled"},
					leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u"})
				time.Sleep(ms)
			},
			after: func(r *rig) {
				time.Sleep(20 * ms) // the session gets to it late
				r.model.say(leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "u"})
				time.Sleep(ms)
				r.reply("r2", "a2", words, 1000)
				r.responseDone("r2", "completed")
			}, creates: 2,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{}).ready()
				c.before(r)
				r.carrier.Close()
				r.carrier.vanish()
				if out := r.wait(); out.Keep == 0 {
					t.Fatalf("outcome %+v", out)
				}
				time.Sleep(8 * time.Second)
				r.rejoin()
				time.Sleep(ms)
				c.after(r)
				time.Sleep(5 * time.Second)
				if lost := find[parley.ModelLostData](r.tape, parley.EventModelLost); len(lost) > 0 {
					t.Errorf("the model was given up: %+v", lost)
				}
				if n := creates(r); n != c.creates {
					t.Errorf("%d responses were asked for, want %d: %q", n, c.creates, r.model.log())
				}
				r.stop()
			})
		})
	}
}

// TestAGoodbyeOutlivesItsStream: the rest of it is heard before the call ends.
func TestAGoodbyeOutlivesItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := endCallRig(t)
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.endCall("r1", 28_000)
		time.Sleep(24 * time.Second)
		r.carrier.Close()
		first := r.carrier.playedMs()
		r.carrier.vanish()
		if out := r.wait(); out.Keep == 0 {
			t.Fatalf("outcome %+v", out)
		}
		time.Sleep(8 * time.Second)
		r.rejoin()
		if out := r.wait(); out.Reason != parley.EndAgentHangup || first+r.carrier.playedMs() < 27_900 {
			t.Errorf("outcome %+v after %d and %d ms of goodbye", out, first, r.carrier.playedMs())
		}
	})
}

// TestWhoeverSpeaksAtTheEndOfAGoodbyeKeepsTheCall: the goodbye ends before it is clear that the caller speaks. What is
// only another goodbye keeps nothing.
func TestWhoeverSpeaksAtTheEndOfAGoodbyeKeepsTheCall(t *testing.T) {
	for text, c := range map[string]struct {
		at    time.Duration
		keeps bool
	}{"Wait, one more thing!": {2800 * ms, true}, "": {2800 * ms, true}, "Bye.": {1500 * ms, false}} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &mouth{}
				endCall, _ := parley.BuiltinTool(parley.ToolEndCall)
				r := newRig(t, rigOptions{caller: m.next, tools: []parley.Tool{endCall}}).ready()
				r.turnEnds("u0")
				time.Sleep(10 * ms)
				r.endCall("r1", 3000)
				time.Sleep(c.at)
				m.say(400 * ms)
				time.Sleep(120 * ms)
				r.modelHears("u1")
				time.Sleep(780 * ms)
				r.turnEnds("u1")
				if text != "" {
					r.words(text)
				}
				time.Sleep(2 * time.Second)
				r.reply("r2", "a2", words, 1000)
				r.responseDone("r2", "completed")
				time.Sleep(5 * time.Second)
				if r.over() == c.keeps {
					t.Errorf("after %q the call is over: %v", text, r.over())
				}
				if c.keeps {
					r.stop()
				} else {
					r.wait()
				}
			})
		})
	}
}

// TestALostMarkDoesNotStopTheClock: the carrier never says that an answer was played. The caller's silence has its
// consequences all the same.
func TestALostMarkDoesNotStopTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 30 }}).ready()
		r.carrier.loseMarks(true)
		r.turnEnds("u1")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 1000)
		r.responseDone("r1", "completed")
		time.Sleep(40 * time.Second)
		if log := r.model.log(); !slices.Contains(log, "create reminder") {
			t.Errorf("nobody reminded the caller: %q", log)
		}
		if m := lastMessage(r.tape.record()); m.Interrupted || m.HeardText == nil || *m.HeardText != words {
			t.Errorf("on record %+v", m)
		}
		r.stop()
	})
}

// TestAReminderThatFailsIsNoReminder: the caller is not told goodbye in its place.
func TestAReminderThatFailsIsNoReminder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 30 }}).ready()
		time.Sleep(20*time.Second + 10*ms)
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		r.failed("r1", "server_error")
		time.Sleep(5 * time.Second)
		if log := r.model.log(); slices.Contains(log, "create goodbye") {
			t.Errorf("a goodbye after 25 s: %q", log)
		}
		r.stop()
	})
}

// TestSwapRetriesAreFew: a successor that cannot be opened is not dialed without pause until the session ends.
func TestSwapRetriesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := hourly(func(n int) error {
			if n > 0 {
				return fmt.Errorf("refused")
			}
			return nil
		})
		r := redialRig(t, d, rigOptions{voice: longCall})
		time.Sleep(59*time.Minute + 50*time.Second)
		if n := len(d.dials()); n > 40 {
			t.Errorf("%d dials", n)
		}
		r.stop()
	})
}

// TestAgentSpeaksFirstOnANewStream when nothing else would be heard: the caller has heard silence and "one moment".
func TestAgentSpeaksFirstOnANewStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		time.Sleep(10 * time.Second)
		r.carrier.Close()
		r.carrier.vanish()
		r.wait()
		time.Sleep(4 * time.Second)
		r.rejoin()
		time.Sleep(10 * ms)
		synctest.Wait()
		if asks := r.model.asks; len(asks) != 1 || !strings.Contains(asks[0].Instructions, "broke off") {
			t.Errorf("the model was asked %+v", asks)
		}
		r.stop()
	})
}

// TestNothingUnknownIsDeleted: the model was lost before the words of an answer came. Its successor does not know the
// item, so it is not asked to delete it.
func TestNothingUnknownIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.begins("r1", "a1")
		r.part("r1", "a1", "", 3000)
		time.Sleep(500 * ms)
		m := r.lose(d, 2)
		r.speechStarted()
		time.Sleep(100 * ms)
		if log := m.log(); slices.Contains(log, "delete a1") {
			t.Errorf("the model was told %q", log)
		}
		r.stop()
	})
}
