package voice

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/leg"
	"parley/internal/tool"
)

var targets = []parley.TransferTarget{
	{Name: "Sales", Number: "+15550100009", Mode: parley.TransferCold},
	{Name: "Doctor", Number: "+15550100008", Mode: parley.TransferScreened},
}

// controlRig is a session with all control tools, in a call from a telephone.
func controlRig(t *testing.T, opt rigOptions) *rig {
	for _, slug := range []string{parley.ToolEndCall, parley.ToolTransferCall, parley.ToolSendDTMF, parley.ToolLeaveVoicemail} {
		control, _ := parley.BuiltinTool(slug)
		opt.tools = append(opt.tools, control)
	}
	opt.voice = func(v *parley.VoiceConfig) { v.TransferTargets = targets }
	if opt.delay == 0 {
		opt.delay = 40 * time.Millisecond
	}
	return newRig(t, opt).ready()
}

// calls makes the model call a tool in a response, after ms of speech.
func (r *rig) calls(resp, id, name, arguments string, ms int) {
	if ms > 0 {
		r.reply(resp, "a-"+resp, words, ms)
	} else {
		r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: resp})
	}
	r.alsoCalls(resp, id, name, arguments)
	r.responseDone(resp, "completed")
}

func (r *rig) alsoCalls(resp, id, name, arguments string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: resp, ItemID: "f-" + id, ItemType: "function_call", Status: "completed", CallID: id, Text: name, Arguments: arguments})
}

func (r *rig) told() string { return strings.Join(r.model.log(), "\n") }

// back gives the kept session its next stream, with the call as the carrier's answer has left it.
func (r *rig) backWith(e parley.Errand) {
	r.carrier = newCarrierSim(r.carrier.way)
	r.tape.done = make(chan struct{})
	r.session.Rejoin(r.carrier, r.tape, parley.Call{Returns: 1, Errand: e}, nil, nil, nil)
	r.run()
}

func TestTransferWaitsForItsAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.calls("r1", "c1", "transfer_call", `{"target":"sales"}`, 2000)
		out := r.wait()
		if out.Intent != parley.IntentTransfer || out.Errand.Number != "+15550100009" || out.Errand.Target != "Sales" || out.Errand.Summary != "" || out.Keep <= parley.LongestTransfer {
			t.Errorf("outcome %+v", out)
		}
		if got := r.carrier.playedMs(); got != 2000 {
			t.Errorf("the caller heard %d ms of the announcement, want 2000", got)
		}
		r.backWith(parley.Errand{Target: "Sales", Number: "+15550100009", Stage: parley.ErrandFailed, Failure: "no-answer"})
		time.Sleep(100 * ms)
		if told := r.told(); !strings.Contains(told, "history system The transfer to Sales failed: no answer") || !strings.HasSuffix(told, "create") || strings.Count(told, "configure") != 1 {
			t.Errorf("the model was told\n%s", told)
		}
		if ends := find[parley.TransferEndedData](r.tape, parley.EventTransferEnded); len(ends) != 1 || ends[0].Connected || ends[0].Reason != "no-answer" {
			t.Errorf("on record: %+v", ends)
		}
		r.reply("r2", "a2", words, 1000)
		r.responseDone("r2", "completed")
		time.Sleep(5 * time.Second)
		r.stop()
		if got := r.carrier.playedMs(); got != 1000 {
			t.Errorf("the caller heard %d ms after the return", got)
		}
	})
}

func TestCallerStopsATransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.calls("r1", "c1", "transfer_call", `{"target":"Doctor","summary":"Bad knee."}`, 3000)
		time.Sleep(time.Second)
		r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "0"}) // as good as speech, and certain
		time.Sleep(10 * time.Second)
		if told := r.told(); !strings.Contains(told, "history system The transfer to Doctor did not happen") || !strings.Contains(told, "history user [The caller pressed 0]") {
			t.Errorf("the model was told\n%s", told)
		}
		if out := r.stop(); out.Intent != parley.IntentNone {
			t.Errorf("outcome %+v", out)
		}
	})
}

func TestTransferArguments(t *testing.T) {
	long := strings.Repeat("a long story ", 100)
	for arguments, want := range map[string]string{
		`{"target":"+15550100009"}`:                  "There is no such target",
		`{"target":"Support"}`:                       "Sales, Doctor",
		`{"target":"+15551234567","number":"+1555"}`: "There is no such target",
		`{"number":"+15550100009"}`:                  "There is no such target",
		`{"target":7}`:                               "as texts",
		`not JSON`:                                   "as texts",
		`{"target":"Doctor","summary":"<Hangup/>\n\u0007Knee."}`: "errand <Hangup/> Knee.",
		`{"target":"Doctor"}`:                            "errand " + unnamedSummary,
		`{"target":"Sales","summary":"Nobody hears it"}`: "errand ",
		`{"target":"Doctor","summary":"` + long + `"}`:   "errand " + strings.TrimSuffix(strings.Repeat("a long story ", 46), " ") + " a",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := controlRig(t, rigOptions{})
			r.turnEnds("u1")
			time.Sleep(10 * ms)
			r.calls("r1", "c1", "transfer_call", arguments, 500)
			if summary, ok := strings.CutPrefix(want, "errand "); ok {
				if out := r.wait(); out.Intent != parley.IntentTransfer || out.Errand.Summary != summary {
					t.Errorf("%s: outcome %+v", arguments, out)
				}
				r.session.Release()
				return
			}
			time.Sleep(2 * time.Second)
			if told := r.told(); !strings.Contains(told, want) || !strings.HasSuffix(told, "create") {
				t.Errorf("%s: the model was told\n%s", arguments, told)
			}
			if out := r.stop(); out.Intent != parley.IntentNone {
				t.Errorf("%s: outcome %+v", arguments, out)
			}
		})
	}
}

// TestFirstControlToolWins: the second one is told so, and no answer is asked for.
func TestFirstControlToolWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.reply("r1", "a1", words, 1000)
		r.alsoCalls("r1", "c1", "transfer_call", `{"target":"Sales"}`)
		time.Sleep(ms)
		r.alsoCalls("r1", "c2", "end_call", `{}`)
		r.alsoCalls("r1", "c3", "send_dtmf", `{"digits":"1"}`)
		r.responseDone("r1", "completed")
		out := r.wait()
		if out.Intent != parley.IntentTransfer {
			t.Errorf("outcome %+v", out)
		}
		if told := r.told(); strings.Count(told, "nothing was done") != 2 || strings.Count(told, "create") != 1 {
			t.Errorf("the model was told\n%s", told)
		}
		outcomes := ""
		for _, d := range find[parley.ToolCompletedData](r.tape, parley.EventToolCompleted) {
			outcomes += d.Name + " " + d.Outcome + "\n"
		}
		if !strings.Contains(outcomes, "transfer_call ok") || !strings.Contains(outcomes, "end_call error") || !strings.Contains(outcomes, "send_dtmf error") {
			t.Errorf("outcomes\n%s", outcomes)
		}
		r.session.Release()
	})
}

// TestKeysArePressedAtOnce: also into the talk of a menu, and after what the agent says. The model's session goes on.
func TestKeysArePressed(t *testing.T) {
	for _, said := range []int{0, 1500} {
		synctest.Test(t, func(t *testing.T) {
			r := controlRig(t, rigOptions{})
			r.turnEnds("u1")
			time.Sleep(10 * ms)
			if said > 0 {
				r.calls("r1", "c1", "send_dtmf", `{"digits":"1 2#"}`, said)
			} else { // the menu goes on
				r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
				r.alsoCalls("r1", "c1", "send_dtmf", `{"digits":"1 2#"}`)
				r.speechStarted()
				r.responseDone("r1", "cancelled")
			}
			out := r.wait()
			if out.Intent != parley.IntentKeys || out.Errand.Digits != "12#" || out.Keep == 0 || r.carrier.playedMs() != int64(said) {
				t.Errorf("outcome %+v after %d ms", out, r.carrier.playedMs())
			}
			asked := len(r.model.log())
			r.backWith(parley.Errand{Digits: "12#", Stage: parley.ErrandStarted})
			time.Sleep(time.Second)
			if more := strings.Join(r.model.log()[asked:], "\n"); !strings.HasPrefix(more, "history system The keys 1 2 # were pressed") || strings.Contains(more, "create") {
				t.Errorf("the model was told\n%s", more)
			}
			before := r.model.heard()
			time.Sleep(time.Second)
			if r.model.heard() == before {
				t.Error("the other side is not heard after the return")
			}
			r.turnEnds("u2")
			time.Sleep(10 * ms)
			if more := r.model.log()[asked:]; more[len(more)-1] != "create" {
				t.Errorf("no answer was asked for: %q", more)
			}
			r.stop()
		})
	}
}

func TestBadKeys(t *testing.T) {
	for _, digits := range []string{"", "w", "12a", "+358", strings.Repeat("1", 33), "1;2"} {
		synctest.Test(t, func(t *testing.T) {
			r := controlRig(t, rigOptions{})
			r.turnEnds("u1")
			time.Sleep(10 * ms)
			r.calls("r1", "c1", "send_dtmf", fmt.Sprintf(`{"digits":%q}`, digits), 0)
			time.Sleep(time.Second)
			if told := r.told(); !strings.Contains(told, "digits must be") || !strings.HasSuffix(told, "create") {
				t.Errorf("%q: the model was told\n%s", digits, told)
			}
			r.stop()
		})
	}
}

// TestErrandThatWasNotCommitted: the store failed, so the stream came back as after a loss.
func TestErrandThatWasNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.calls("r1", "c1", "transfer_call", `{"target":"Sales"}`, 500)
		r.wait()
		r.backWith(parley.Errand{})
		time.Sleep(100 * ms)
		if told := r.told(); !strings.Contains(told, "did not happen, for a technical reason") || !strings.HasSuffix(told, "create") {
			t.Errorf("the model was told\n%s", told)
		}
		r.stop()
	})
}

func TestEndlessErrandsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{call: parley.Call{Returns: maxReturns, CreatedAt: time.Now()}})
		r.turnEnds("u1")
		time.Sleep(10 * ms)
		r.calls("r1", "c1", "send_dtmf", `{"digits":"1"}`, 0)
		time.Sleep(time.Second)
		if told := r.told(); !strings.Contains(told, "too often") {
			t.Errorf("the model was told\n%s", told)
		}
		r.stop()
	})
}

// beep is a tone of an answering machine.
func beep(d time.Duration) []byte {
	out := make([]int16, int(d.Seconds()*audio.Rate))
	for i := range out {
		out[i] = int16(6000 * math.Sin(2*math.Pi*1000*float64(i)/audio.Rate))
	}
	return audio.EncodeULaw(out)
}

// machineSide is the other side's sound, frame by frame.
type machineSide struct {
	mu   sync.Mutex
	rest []byte
}

func (m *machineSide) next() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.rest) < frameBytes {
		return quiet
	}
	var frame []byte
	frame, m.rest = m.rest[:frameBytes], m.rest[frameBytes:]
	return frame
}

func (m *machineSide) say(sounds ...[]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rest = slices.Concat(sounds...)
}

func TestVoicemail(t *testing.T) {
	const message = `{"message":"This is Ada of \"Parley\". Please call back."}`
	cases := map[string]struct {
		do           func(*rig, *machineSide)
		first, until time.Duration // when the message is asked for, after the tool's call
	}{
		"after the beep": {do: func(r *rig, m *machineSide) {
			r.calls("r1", "c1", "leave_voicemail", message, 0)
			m.say(loud(4*time.Second), beep(400*ms)) // the greeting goes on
		}, first: 4600 * ms, until: 4900 * ms},
		"the beep was before the call of the tool": {do: func(r *rig, m *machineSide) {
			m.say(beep(400 * ms))
			time.Sleep(1400 * ms)
			r.calls("r1", "c1", "leave_voicemail", message, 0)
		}, first: 1400 * ms, until: 1500 * ms},
		"no beep": {do: func(r *rig, m *machineSide) {
			r.calls("r1", "c1", "leave_voicemail", message, 0)
			m.say(loud(3 * time.Second))
		}, first: 8600 * ms, until: 8900 * ms}, // it is heard until 4.7 s,
		"a machine that never stops": {do: func(r *rig, m *machineSide) {
			r.calls("r1", "c1", "leave_voicemail", message, 0)
			m.say(loud(60 * time.Second))
		}, first: 39900 * ms, until: 40100 * ms},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var m machineSide
				r := controlRig(t, rigOptions{caller: m.next})
				start := time.Now()
				var asked time.Duration
				r.model.answers(func(a leg.Ask) (string, int) {
					if a.Purpose != purposeVoicemail {
						return "", -1
					}
					asked = time.Since(start)
					if !strings.Contains(a.Instructions, `"This is Ada of 'Parley'. Please call back."`) {
						t.Errorf("asked with %q", a.Instructions)
					}
					return words, 3000
				})
				heard := make(chan struct{})
				go func() {
					defer close(heard)
					for range 3 { // it is heard, and what the model makes of the machine's sounds
						time.Sleep(1300 * ms)
						r.speechStarted()
						time.Sleep(400 * ms)
						r.turnEnds("m")
					}
				}()
				go c.do(r, &m)
				out := r.wait()
				<-heard
				if out.Reason != parley.EndVoicemail || out.Intent != parley.IntentHangup {
					t.Errorf("outcome %+v", out)
				}
				if asked < c.first || asked > c.until {
					t.Errorf("the message was spoken after %v, want %v to %v", asked, c.first, c.until)
				}
				if got := r.carrier.playedMs(); got != 3000 || r.carrier.clears != 0 {
					t.Errorf("%d ms of the message were recorded, %d clears", got, r.carrier.clears)
				}
				if told := r.told(); strings.Count(told, "create") != 1 {
					t.Errorf("the model was told\n%s", told)
				}
			})
		})
	}
}

// loud is a sound without a beep.
func loud(d time.Duration) []byte {
	out := make([]int16, int(d.Seconds()*audio.Rate))
	for i := range out {
		x := float64(i) / audio.Rate
		out[i] = int16(2500*math.Sin(2*math.Pi*150*x) + 2500*math.Sin(2*math.Pi*450*x) + 2500*math.Sin(2*math.Pi*1050*x))
	}
	return audio.EncodeULaw(out)
}

// TestCallersKeys: they interrupt at once and reach the model together.
func TestCallersKeys(t *testing.T) {
	press := func(r *rig, keys string, pause time.Duration) {
		for _, k := range keys {
			r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: string(k)})
			time.Sleep(pause)
		}
	}
	cases := map[string]struct {
		keys  string
		pause time.Duration
		want  []string
	}{
		"hash ends":       {"123#", 200 * ms, []string{"1 2 3 #"}},
		"a pause ends":    {"42", time.Second, []string{"4 2"}},
		"long pauses":     {"42", 3 * time.Second, []string{"4", "2"}},
		"after the hash":  {"1#2", 200 * ms, []string{"1 #", "2"}},
		"many at a time":  {strings.Repeat("1", 40), 100 * ms, []string{spaced(strings.Repeat("1", 32)), spaced(strings.Repeat("1", 8))}},
		"letters as well": {"A*", 200 * ms, []string{"A *"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := controlRig(t, rigOptions{})
				r.turnEnds("u1")
				time.Sleep(10 * ms)
				r.reply("r1", "a1", words, 5000)
				r.responseDone("r1", "completed")
				time.Sleep(time.Second)
				press(r, c.keys, c.pause)
				time.Sleep(3 * time.Second)
				var got []string
				for _, line := range r.model.log() {
					if keys, ok := strings.CutPrefix(line, "history user [The caller pressed "); ok {
						got = append(got, strings.TrimSuffix(keys, "]"))
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("the model was told %q, want %q", got, c.want)
				}
				if cuts := find[parley.InterruptionData](r.tape, parley.EventInterruption); len(cuts) != 1 || cuts[0].By != parley.ByKeys || cuts[0].HeardMs > 1100 {
					t.Errorf("interruptions %+v", cuts)
				}
				var said []string
				for _, m := range r.tape.record().Messages {
					if m.Role == "user" && strings.HasPrefix(m.Text, "[The caller") {
						said = append(said, m.Text)
					}
				}
				if len(said) != len(c.want) {
					t.Errorf("on record: %q", said)
				}
				r.stop()
			})
		})
	}
}

// TestKeysBeforeTheModelIsThere are not lost.
func TestKeysBeforeTheModelIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{})
		r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "7"})
		time.Sleep(3 * time.Second)
		r.ready()
		time.Sleep(10 * ms)
		if told := r.told(); !strings.HasSuffix(told, "history user [The caller pressed 7]\ncreate") {
			t.Errorf("the model was told\n%s", told)
		}
		r.stop()
	})
}

// TestPagesAreNoTelephones: a call from a browser can end, and nothing else.
func TestPagesAreNoTelephones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := controlRig(t, rigOptions{call: parley.Call{CallSID: parley.BrowserSIDPrefix + "1"}})
		if tools := r.session.cfg.Tools; len(tools) != 1 || tools[0].ID != parley.ToolEndCall {
			t.Errorf("offered %+v", tools)
		}
		r.stop()
	})
}

// TestVoicesAreNoBeeps: over all spoken and other sounds of the gate's corpus.
func TestVoicesAreNoBeeps(t *testing.T) {
	total, wrong := time.Duration(0), 0
	for _, s := range samples() {
		var d audio.BeepDetector
		ulaw := append(audio.EncodeULaw(s.pcm), quiet...)
		for i := 0; i+frameBytes <= len(ulaw); i += frameBytes {
			if d.Hear(ulaw[i : i+frameBytes]) {
				wrong++
				t.Logf("%s by %s: %q is heard as a beep", s.Kind, s.Speaker, s.Text)
			}
		}
		total += audio.Duration(len(ulaw))
	}
	t.Logf("%d beeps in %v", wrong, total)
	if total < time.Minute || wrong > 0 {
		t.Errorf("%d of %d sounds are heard as beeps", wrong, len(samples()))
	}
}

// TestOneGoodbye: a tool that the answer with the goodbye has called as well makes the agent say no more.
func TestOneGoodbye(t *testing.T) {
	for _, first := range []string{parley.ToolEndCall, "look_up"} {
		t.Run(first+" first", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := map[string]time.Duration{"look_up": 300 * ms}
				if first == "look_up" {
					took["look_up"] = 0
				}
				r := controlRig(t, rigOptions{tool: func(_ context.Context, c tool.Call) tool.Result {
					time.Sleep(took[c.Name])
					return tool.Result{Output: "{}", Outcome: tool.OutcomeOK}
				}})
				r.turnEnds("u1")
				time.Sleep(10 * ms)
				r.reply("r1", "a1", words, 2000)
				r.alsoCalls("r1", "c1", "look_up", `{}`)
				r.alsoCalls("r1", "c2", parley.ToolEndCall, `{}`)
				r.responseDone("r1", "completed")
				if out := r.wait(); out.Reason != parley.EndAgentHangup || r.carrier.playedMs() != 2000 {
					t.Errorf("outcome %+v after %d ms", out, r.carrier.playedMs())
				}
				if told := r.told(); strings.Count(told, "create") != 1 || strings.Count(told, "result") != 2 {
					t.Errorf("the model was told\n%s", told)
				}
			})
		})
	}
}

// TestNobodyAnswersTheKeys: the agent speaks up when the other side stays silent, without any silence timeout; not when
// it speaks.
func TestNobodyAnswersTheKeys(t *testing.T) {
	for _, speaks := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := controlRig(t, rigOptions{})
			r.turnEnds("u1")
			time.Sleep(10 * ms)
			r.calls("r1", "c1", "send_dtmf", `{"digits":"1"}`, 500)
			r.wait()
			asked := creates(r)
			r.backWith(parley.Errand{Digits: "1", Stage: parley.ErrandStarted})
			time.Sleep(5 * time.Second)
			if creates(r) != asked {
				t.Error("the agent does not wait")
			}
			if speaks {
				r.modelHears("u2")
			}
			time.Sleep(10 * time.Second)
			if got := creates(r) - asked; got != 1 && !speaks || got != 0 && speaks {
				t.Errorf("speaks %v: %d answers were asked for", speaks, got)
			}
			r.stop()
		})
	}
}
