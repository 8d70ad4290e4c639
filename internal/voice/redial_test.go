package voice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// models are the model sessions of a call that is dialed more than once.
type models struct {
	mu    sync.Mutex
	all   []*modelSim
	times []time.Time
	fail  func(n int) error // of the dialing number n, from 0; may be nil
	make  func(n int) *modelSim
}

func (d *models) add(n int) *modelSim {
	m := newModelSim()
	m.obliging = true
	if d.make != nil {
		m = d.make(n)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, m)
	return m
}

func (d *models) dial(context.Context) (Model, error) {
	d.mu.Lock()
	n := len(d.times)
	d.times = append(d.times, time.Now())
	d.mu.Unlock()
	if d.fail != nil {
		if err := d.fail(n); err != nil {
			return nil, err
		}
	}
	return d.add(n), nil
}

func (d *models) dials() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.times)
}

// newest waits until n model sessions were made and returns the last of them.
func (d *models) newest(t *testing.T, n int) *modelSim {
	t.Helper()
	for range 2000 {
		d.mu.Lock()
		if len(d.all) >= n {
			m := d.all[n-1]
			d.mu.Unlock()
			time.Sleep(ms)
			return m
		}
		d.mu.Unlock()
		time.Sleep(10 * ms)
	}
	t.Fatalf("only %d model sessions", len(d.all))
	return nil
}

// redialRig starts a call whose models are made by d, and waits for the first.
func redialRig(t *testing.T, d *models, opt rigOptions) *rig {
	t.Helper()
	opt.dial = d.dial
	r := newRig(t, opt)
	r.model = d.newest(t, 1)
	return r
}

// lose cuts the current model session and makes the next one the rig's.
func (r *rig) lose(d *models, n int) *modelSim {
	r.t.Helper()
	r.model.vanish()
	r.model = d.newest(r.t, n)
	return r.model
}

// TestModelLostInMidAnswer: what was received is played on, the next session knows the conversation and is asked for the
// rest, and the caller hears both without a gap.
func TestModelLostInMidAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{delay: 20 * ms})
		r.turnEnds("u1")
		r.model.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u1", Text: "count to ten"})
		time.Sleep(10 * ms)
		r.model.begins("r1", "a1")
		r.part("r1", "a1", "one two three", 1500)
		time.Sleep(500 * ms)
		m := r.lose(d, 2)
		if got := m.log(); !slices.Equal(got, []string{"configure", "history user count to ten", "history assistant one two three—", "create continue"}) {
			t.Errorf("the next session was told %q", got)
		}
		if a := m.asked()[0]; !strings.Contains(a.Instructions, "very next word") {
			t.Errorf("it was asked %+v", a)
		}
		r.reply("r2", "a2", "four five", 1000)
		r.responseDone("r2", "completed")
		time.Sleep(3 * time.Second)
		if got := r.carrier.playedMs(); got != 2500 || r.carrier.cleared() > 0 {
			t.Errorf("played %d ms, %d clears", got, r.carrier.cleared())
		}
		rec := r.tape.record()
		if n := len(rec.Messages); n != 3 || *rec.Messages[1].HeardText != "one two three" || rec.Messages[1].Interrupted || *rec.Messages[2].HeardText != "four five" {
			t.Errorf("transcript %+v", rec.Messages)
		}
		if got := find[parley.ModelRedialedData](r.tape, parley.EventModelRedialed); len(got) != 1 || got[0].Items != 2 || got[0].Attempts != 2 {
			t.Errorf("redialed %+v", got)
		}
		if got := find[parley.ModelLostData](r.tape, parley.EventModelLost); len(got) != 1 || got[0].Type != "disconnected" {
			t.Errorf("lost %+v", got)
		}
		r.stop()
		if len(r.carrier.dry) > 0 {
			t.Errorf("holes %v", r.carrier.dry)
		}
	})
}

// TestWhatWasUnderWayIsTakenUp: at whatever moment the model is lost, the next session is asked for what is due.
func TestWhatWasUnderWayIsTakenUp(t *testing.T) {
	functionCall := leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "f1", ItemType: "function_call", Status: "completed", CallID: "c1", Text: "look_up", Arguments: `{"q":1}`}
	created := leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"}
	cases := map[string]struct {
		greeting string
		slow     time.Duration // the tool
		do       func(r *rig)
		want     []string // told the next session, and in the seconds after
	}{
		"nothing": {do: func(*rig) {}, want: nil},
		"a turn that was not answered": {
			do: func(r *rig) {
				r.turnEnds("u1")
				r.model.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u1", Text: "hello"})
			},
			want: []string{"history user hello", "create"},
		},
		"a turn whose words are not known": {
			do: func(r *rig) {
				r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: "u1"})
				time.Sleep(time.Second)
				r.turnEnds("u1")
			},
			want: []string{"history user audio", "create"},
		},
		"an answer of which nothing came": {
			do:   func(r *rig) { r.turnEnds("u1"); time.Sleep(ms); r.model.say(created) },
			want: []string{"history user " + unknownWords, "create"},
		},
		"an answer that was complete": {
			do: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.reply("r1", "a1", words, 1000)
				r.responseDone("r1", "completed")
				time.Sleep(3 * time.Second)
			},
			want: []string{"history user " + unknownWords, "history assistant " + words},
		},
		"an answer that is still played": {
			do: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.reply("r1", "a1", words, 3000)
				r.responseDone("r1", "completed")
				time.Sleep(time.Second)
			},
			want: []string{"history user " + unknownWords, "history assistant " + words},
		},
		"an answer that was interrupted": {
			do: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.reply("r1", "a1", words, 5000)
				r.responseDone("r1", "completed")
				time.Sleep(1500 * ms)
				r.speechStarted()
				time.Sleep(ms)
				r.turnEnds("u2")
				time.Sleep(ms)
				r.reply("r2", "a2", "yes", 500)
				r.responseDone("r2", "completed")
				time.Sleep(2 * time.Second)
			},
			want: []string{"history user " + unknownWords, "history assistant one two three—", "history user audio", "history assistant yes"},
		},
		"a greeting": {
			greeting: "Hello, this is Ada.",
			do:       func(r *rig) { r.model.say(created); r.part("r1", "a1", "Hello, this", 800); time.Sleep(ms) },
			want:     []string{"history assistant Hello, this—", "create continue"},
		},
		"a tool that has answered": {
			do: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.model.say(created, functionCall)
				time.Sleep(ms)
			},
			want: []string{"history user " + unknownWords, `call c1 look_up {"q":1}`, "result c1 found", "create"},
		},
		"a tool that runs": {
			slow: 2 * time.Second,
			do: func(r *rig) {
				r.turnEnds("u1")
				time.Sleep(ms)
				r.model.say(created, functionCall)
				r.responseDone("r1", "completed")
				time.Sleep(ms)
			},
			want: []string{"history user " + unknownWords, `call c1 look_up {"q":1}`, "result c1 found", "create"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &models{}
				r := redialRig(t, d, rigOptions{
					voice: func(v *parley.VoiceConfig) { v.Greeting = c.greeting },
					tool: func(context.Context, tool.Call) tool.Result {
						time.Sleep(c.slow)
						return tool.Result{Output: "found", Outcome: "ok"}
					},
				})
				c.do(r)
				m := r.lose(d, 2)
				time.Sleep(3 * time.Second)
				if got := m.log()[1:]; !slices.Equal(got, c.want) {
					t.Errorf("the next session was told %q,\nwant %q", got, c.want)
				}
				r.stop()
			})
		})
	}
}

// TestTurnUnderWaySurvives: the caller is speaking when the model is lost; the next session hears the turn from its
// beginning, and what was said meanwhile, once and in order.
func TestTurnUnderWaySurvives(t *testing.T) {
	for _, outage := range []time.Duration{0, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			d := &models{}
			d.make = func(n int) *modelSim {
				time.Sleep(min(time.Duration(n), 1) * outage)
				m := newModelSim()
				m.obliging = true
				return m
			}
			r := redialRig(t, d, rigOptions{})
			time.Sleep(5 * time.Second)
			first := r.model
			first.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: "u1", AudioMs: int64(first.heard()/bytesPerMs) - 400})
			time.Sleep(2 * time.Second)
			m := r.lose(d, 2)
			want := 400 + 2000 + outage.Milliseconds()
			if got := int64(m.heard() / bytesPerMs); got < want-60 || got > want+60 {
				t.Errorf("the next session heard %d ms, want %d", got, want)
			}
			time.Sleep(100 * ms)
			m.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: "u2"})
			time.Sleep(time.Second)
			r.turnEnds("u2")
			time.Sleep(ms)
			if got := m.log(); !slices.Equal(got, []string{"configure", "create"}) {
				t.Errorf("the next session was told %q", got)
			}
			r.stop()
		})
	}
}

// TestTurnThatWasNone: the next session hears no speech in what the last one took for it; the answer that was cut off by
// it is taken up again.
func TestTurnThatWasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 4000)
		time.Sleep(1500 * ms)
		r.speechStarted()
		time.Sleep(ms)
		m := r.lose(d, 2)
		time.Sleep(time.Second)
		if got := m.log(); slices.Contains(got, "create") {
			t.Errorf("it was asked while the caller may be speaking: %q", got)
		}
		time.Sleep(time.Second)
		if got := m.log(); got[len(got)-1] != "create" {
			t.Errorf("nobody answers: %q", got)
		}
		r.stop()
	})
}

// TestInterruptionAfterRedial: an item that the next session knows as text is cut back to what was heard, in its place.
func TestInterruptionAfterRedial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 5000)
		r.responseDone("r1", "completed")
		time.Sleep(time.Second)
		m := r.lose(d, 2)
		time.Sleep(time.Second)
		r.speechStarted()
		time.Sleep(10 * ms)
		if got := m.log(); !slices.Equal(got[3:], []string{"history assistant one two three four— after a1", "delete a1"}) {
			t.Errorf("the next session was told %q", got)
		}
		r.stop()
	})
}

// TestInterruptedPartsAfterRedial: of an item with two parts that the next session knows as text, each is forgotten by its
// own id.
func TestInterruptedPartsAfterRedial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.begins("r1", "a1")
		for part := range 2 {
			r.model.say(leg.ModelEvent{Kind: leg.ModelText, ResponseID: "r1", ItemID: "a1", ContentIndex: part, Text: words},
				leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: "r1", ItemID: "a1", ContentIndex: part, Audio: bytes.Repeat([]byte{agentByte}, 5000*bytesPerMs)},
				leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: "r1", ItemID: "a1", ContentIndex: part})
		}
		r.model.say(leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a1", ItemType: "message", Status: "completed"})
		r.responseDone("r1", "completed")
		time.Sleep(6 * time.Second) // the first was heard, the second is
		m := r.lose(d, 2)
		time.Sleep(time.Second)
		r.speechStarted()
		time.Sleep(10 * ms)
		told := m.log()[4:]
		if len(told) != 2 || !strings.HasSuffix(told[0], "— after a1_1") || told[1] != "delete a1_1" {
			t.Errorf("the next session was told %q", told)
		}
		r.stop()
	})
}

func TestRedialBacksOffAndGivesUp(t *testing.T) {
	down := errors.New("connection refused")
	cases := map[string]struct {
		fail   func(n int) error
		lose   bool
		dials  int
		within time.Duration
		ok     bool
	}{
		"at the first try":             {lose: true, dials: 2, within: 10 * ms, ok: true},
		"when the provider comes back": {fail: func(n int) error { return when(n > 0 && n < 4, down) }, lose: true, dials: 5, within: 4 * time.Second, ok: true},
		"when nobody answers":          {fail: func(n int) error { return when(n > 0, down) }, lose: true, dials: 7, within: 15 * time.Second},
		"when the call begins badly":   {fail: func(n int) error { return when(n < 2, down) }, dials: 3, within: 2 * time.Second, ok: true},
		"when it never begins":         {fail: func(int) error { return down }, dials: 6, within: 15 * time.Second},
		"never after a refusal":        {fail: func(n int) error { return when(n > 0, &leg.ModelFailure{Code: "invalid_api_key"}) }, lose: true, dials: 2, within: 10 * ms},
		"never without money":          {fail: func(n int) error { return when(n > 0, &leg.ModelFailure{Code: "insufficient_quota"}) }, lose: true, dials: 2, within: 10 * ms},
		"not before the time it names": {fail: func(n int) error {
			return when(n == 1, &leg.ModelFailure{Code: "rate_limit_exceeded", RetryAfter: 3 * time.Second})
		}, lose: true, dials: 3, within: 3500 * ms, ok: true},
		"not if that takes too long": {fail: func(n int) error { return when(n == 1, &leg.ModelFailure{Code: "http_429", RetryAfter: time.Minute}) }, lose: true, dials: 2, within: 10 * ms},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &models{fail: c.fail}
				opt := rigOptions{dial: d.dial}
				r := newRig(t, opt)
				start := time.Now()
				if c.lose {
					r.model = d.newest(t, 1)
					start = time.Now()
					r.model.vanish()
				}
				time.Sleep(c.within)
				dead := false
				select {
				case <-r.ran:
					dead = true
				default:
				}
				if got := d.dials(); len(got) != c.dials || dead == c.ok {
					t.Errorf("%d dialings, want %d; the call has ended: %v", len(got), c.dials, dead)
				}
				for i, at := range d.dials() {
					t.Logf("dialing %d after %v", i, at.Sub(start))
				}
				if !c.ok {
					if out := r.wait(); out.Reason != parley.EndModelUnavailable || out.Intent != parley.IntentNotice {
						t.Errorf("outcome %+v", out)
					}
					return
				}
				r.stop()
			})
		})
	}
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// TestSessionsThatDieYoung: a model that takes every call and drops it is given up in the end; after a good minute the
// patience is whole again.
func TestSessionsThatDieYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		for n := 2; n <= 12; n++ {
			time.Sleep(61 * time.Second)
			r.lose(d, n)
		}
		for n := 13; ; n++ {
			r.model.vanish()
			select {
			case <-r.ran:
			case <-time.After(10 * time.Second):
				r.model = d.newest(t, n)
				continue
			}
			if n < 15 || n > 23 {
				t.Errorf("given up after %d sessions", n)
			}
			break
		}
		if out := r.wait(); out.Reason != parley.EndModelUnavailable {
			t.Errorf("outcome %+v", out)
		}
	})
}

// TestModelThatNeverAnswers: it takes every call and is silent. The patience is one, not one for each session.
func TestModelThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		start := time.Now()
		r.turnEnds("u1")
		out := r.wait()
		if took := time.Since(start); out.Reason != parley.EndModelUnavailable || len(d.dials()) != 2 || took > 2*createTimeout+time.Second {
			t.Errorf("outcome %+v after %v and %d dialings", out, took, len(d.dials()))
		}
	})
}

// TestFailedResponses: rate limits are waited for in the same session, other failures get one more try and then another
// session, and what was optional is left unsaid.
func TestFailedResponses(t *testing.T) {
	failed := func(code string, after time.Duration) leg.ModelEvent {
		return leg.ModelEvent{Kind: leg.ModelResponseDone, Status: "failed", Err: &leg.ModelFailure{Code: code, RetryAfter: after}}
	}
	cases := map[string]struct {
		fails []leg.ModelEvent // of the first responses
		dials int
		after time.Duration // from the first failure to the answer
		dead  bool
	}{
		"a rate limit":                    {fails: []leg.ModelEvent{failed("rate_limit_exceeded", 0)}, dials: 1, after: time.Second},
		"a rate limit that names a time":  {fails: []leg.ModelEvent{failed("rate_limit_exceeded", 6*time.Second)}, dials: 1, after: 6 * time.Second},
		"a rate limit again and again":    {fails: []leg.ModelEvent{failed("tokens", 0), failed("tokens", 0), failed("tokens", 0)}, dials: 1, after: 7 * time.Second},
		"a rate limit beyond patience":    {fails: []leg.ModelEvent{failed("rate_limit_exceeded", 40*time.Second)}, dials: 1, dead: true},
		"a server error":                  {fails: []leg.ModelEvent{failed("server_error", 0)}, dials: 1, after: retryDelay},
		"a server error in both sessions": {fails: []leg.ModelEvent{failed("server_error", 0), failed("server_error", 0)}, dials: 2, after: retryDelay},
		"quota":                           {fails: []leg.ModelEvent{failed("insufficient_quota", 0)}, dials: 1, dead: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var failedAt, answeredAt time.Time
				n := 0
				d := &models{}
				d.make = func(int) *modelSim {
					m := newModelSim()
					m.obliging = true
					m.answer = func(leg.Ask) (string, int) {
						if n++; n > len(c.fails) {
							answeredAt = time.Now()
							return words, 1000
						}
						if n == 1 {
							failedAt = time.Now()
						}
						ev := c.fails[n-1]
						ev.ResponseID = fmt.Sprint("failed", n)
						m.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: ev.ResponseID}, ev)
						return "", -1
					}
					return m
				}
				r := redialRig(t, d, rigOptions{})
				r.turnEnds("u1")
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if got := len(d.dials()); got != c.dials {
					t.Errorf("%d dialings", got)
				}
				if c.dead {
					if out := r.wait(); out.Reason != parley.EndModelUnavailable {
						t.Errorf("outcome %+v", out)
					}
					return
				}
				if got := answeredAt.Sub(failedAt); got < c.after || got > c.after+500*ms {
					t.Errorf("answered %v after the failure, want %v", got, c.after)
				}
				if m := lastMessage(r.tape.record()); m.HeardText == nil || *m.HeardText != words {
					t.Errorf("on record %+v", m)
				}
				r.stop()
			})
		})
	}
}
