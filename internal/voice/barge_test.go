package voice

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// mouth is a caller who says vowels for a while.
type mouth struct {
	mu     sync.Mutex
	frames int
}

// say lets the mouth sound for so long from now on.
func (m *mouth) say(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = int(d / (20 * time.Millisecond))
}

func (m *mouth) next() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frames == 0 {
		return quiet
	}
	m.frames--
	return vowel
}

// talk is a call whose agent has begun to say 4 s of words, all generated, and is heard for a second.
func talk(t *testing.T, opt rigOptions) (*rig, *mouth) {
	m := &mouth{}
	opt.caller = m.next
	r := newRig(t, opt).ready()
	time.Sleep(500 * time.Millisecond)
	r.turnEnds("u0")
	time.Sleep(time.Millisecond)
	r.reply("r1", "a1", words, 4000)
	r.responseDone("r1", "completed")
	time.Sleep(time.Second)
	return r, m
}

// sound lets the caller make a sound of a length, which the model notices after 120 ms and commits as u1 500 ms
// after its end.
func (r *rig) sound(m *mouth, d time.Duration) {
	m.say(d)
	time.Sleep(120 * time.Millisecond)
	r.modelHears("u1")
	time.Sleep(d - 120*time.Millisecond + 500*time.Millisecond)
	r.turnEnds("u1")
}

func (r *rig) words(text string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelTranscript, ItemID: "u1", Text: text})
	time.Sleep(time.Millisecond)
}

func (r *rig) fateOf(item string) parley.TurnDecidedData {
	r.t.Helper()
	var out []parley.TurnDecidedData
	for _, d := range find[parley.TurnDecidedData](r.tape, parley.EventTurnDecided) {
		if d.ItemID == item {
			out = append(out, d)
		}
	}
	if len(out) > 1 {
		r.t.Errorf("%s was decided %d times: %+v", item, len(out), out)
	}
	return append(out, parley.TurnDecidedData{})[0]
}

func TestANodPausesAndPlaybackGoesOnWhereItWasHeard(t *testing.T) {
	for _, w := range []way{{}, {up: 60 * ms, down: 60 * ms}, {up: 150 * ms, down: 20 * ms}} {
		synctest.Test(t, func(t *testing.T) {
			r, m := talk(t, rigOptions{way: w})
			r.sound(m, 300*ms)
			r.words("Uh-huh.")
			if r.carrier.cleared() != 1 {
				t.Errorf("%+v: %d clears, want the one of the pause", w, r.carrier.cleared())
			}
			time.Sleep(5 * time.Second)
			// What is repeated or lost is what the estimate of the heard position is wrong by.
			if got := r.carrier.playedMs(); got < 4000-5 || got > 4000+25 {
				t.Errorf("%+v: %d ms of 4000 were played", w, got)
			}
			rejected := find[parley.InterruptionRejectedData](r.tape, parley.EventInterruptionRejected)
			if len(rejected) != 1 || rejected[0].ItemID != "u1" || rejected[0].PausedMs < 200 || rejected[0].PausedMs > 450 {
				t.Errorf("%+v: rejected %+v", w, rejected)
			}
			if d := r.fateOf("u1"); d.State != parley.TurnBackchannel || d.By != parley.ByWords {
				t.Errorf("%+v: %+v", w, d)
			}
			heard := find[parley.MessageHeardData](r.tape, parley.EventMessageHeard)
			if len(heard) != 1 || heard[0].Interrupted || heard[0].HeardText != words {
				t.Errorf("%+v: heard %+v", w, heard)
			}
			if log := r.model.log(); creates(r) != 1 || slices.ContainsFunc(log, func(l string) bool {
				return strings.HasPrefix(l, "truncate") || strings.HasPrefix(l, "delete") || strings.HasPrefix(l, "cancel")
			}) {
				t.Errorf("%+v: the model was told %q", w, log)
			}
			if n := len(find[parley.TurnLatencyData](r.tape, parley.EventTurnLatency)); n != 1 {
				t.Errorf("%+v: %d latencies, want that of u0", w, n)
			}
			r.stop()
		})
	}
}

func TestAPauseBecomesTheInterruption(t *testing.T) {
	for _, w := range []way{{}, {up: 60 * ms, down: 60 * ms}, {up: 150 * ms, down: 150 * ms}} {
		synctest.Test(t, func(t *testing.T) {
			r, m := talk(t, rigOptions{way: w})
			r.sound(m, 1500*ms)
			time.Sleep(time.Second)
			cuts := find[parley.InterruptionData](r.tape, parley.EventInterruption)
			if len(cuts) != 1 || r.carrier.cleared() != 1 {
				t.Fatalf("%+v: %d interruptions, %d clears", w, len(cuts), r.carrier.cleared())
			}
			c := cuts[0]
			cut{c, r.carrier.playedMs()}.right(t, w, 0, "pause, then speech")
			if c.By != parley.ByGate || c.PausedMs < 300 || c.PausedMs > 600 || c.ClearedMs == 0 {
				t.Errorf("%+v: %+v", w, c)
			}
			if log := strings.Join(r.model.log(), "\n"); strings.Count(log, "truncate a1/0 ") != 1 {
				t.Errorf("%+v: the model was told\n%s", w, log)
			}
			if d := r.fateOf("u1"); d.State != parley.TurnAnswered || d.By != parley.ByGate || creates(r) != 2 {
				t.Errorf("%+v: %+v, %d responses", w, d, creates(r))
			}
			if n := len(find[parley.InterruptionRejectedData](r.tape, parley.EventInterruptionRejected)); n != 0 {
				t.Errorf("%+v: %d rejections", w, n)
			}
			r.stop()
		})
	}
}

// TestGenerationGoesOnDuringAPause: what arrives meanwhile is kept and played afterwards.
func TestGenerationGoesOnDuringAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mouth{}
		r := newRig(t, rigOptions{caller: m.next}).ready()
		r.turnEnds("u0")
		time.Sleep(time.Millisecond)
		r.model.begins("r1", "a1")
		r.part("r1", "a1", "one ", 1000)
		time.Sleep(600 * ms)
		m.say(300 * ms)
		time.Sleep(120 * ms)
		r.modelHears("u1")
		time.Sleep(60 * ms)
		r.part("r1", "a1", "two ", 1000)
		r.model.say(leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: "r1", ItemID: "a1"},
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a1", ItemType: "message", Status: "completed"})
		r.responseDone("r1", "completed")
		before := r.carrier.playedMs()
		time.Sleep(100 * ms)
		if got := r.carrier.playedMs(); got != before || r.carrier.cleared() != 1 {
			t.Errorf("%d ms were played in the pause, %d clears", got-before, r.carrier.cleared())
		}
		time.Sleep(4 * time.Second)
		if got := r.carrier.playedMs(); got < 1995 || got > 2025 {
			t.Errorf("%d ms of 2000 were played", got)
		}
		r.stop()
	})
}

func TestWhatBecomesOfAnUndecidedTurn(t *testing.T) {
	short, none := 300*ms, time.Duration(0)
	cases := map[string]struct {
		voice   func(*parley.VoiceConfig)
		sounds  time.Duration // 0: the model hears something that the gate does not
		text    string        // transcript, "-" = none comes
		late    time.Duration // of the transcript
		state   string
		by      string
		cut     bool
		deleted bool
		creates int
	}{
		"a nod": {sounds: short, text: "Mhm, okay.", state: parley.TurnBackchannel, by: parley.ByWords, creates: 1},
		"a command": {
			sounds: short, text: "Stop!", state: parley.TurnAnswered, by: parley.ByWords, cut: true, creates: 2},
		"a command in another language": {
			sounds: short, text: "Nein.", state: parley.TurnAnswered, by: parley.ByWords, cut: true, creates: 2},
		"any other words": {
			sounds: short, text: "Thursday", state: parley.TurnAnswered, by: parley.ByWords, cut: true, creates: 2},
		"what transcribers invent": {sounds: short, text: "Bye.", state: parley.TurnAnswered, creates: 2},
		"a cough":                  {sounds: short, text: "[cough]", state: parley.TurnEcho, by: parley.ByWords, deleted: true, creates: 1},
		"the agent's own words": {
			sounds: short, text: "Two, three four", state: parley.TurnEcho, by: parley.ByWords, deleted: true, creates: 1},
		"one word of the agent's": {
			sounds: short, text: "Four?", state: parley.TurnAnswered, by: parley.ByWords, cut: true, creates: 2},
		"a faint echo":             {sounds: none, text: "four", state: parley.TurnEcho, by: parley.ByWords, deleted: true, creates: 1},
		"a noise":                  {sounds: none, text: "", state: parley.TurnEcho, by: parley.ByWords, deleted: true, creates: 1},
		"somebody in the distance": {sounds: none, text: "tomorrow at nine", state: parley.TurnAnswered, creates: 2},
		"no transcript":            {sounds: short, text: "-", state: parley.TurnAnswered, creates: 2},
		"a transcript that comes when the agent has ended": {
			sounds: short, text: "mhm", late: 4 * time.Second, state: parley.TurnAnswered, creates: 2},
		"a voice without transcription": {
			voice:  func(v *parley.VoiceConfig) { v.Transcription = false },
			sounds: short, text: "-", state: parley.TurnAnswered, creates: 2},
		"a noise without transcription": {
			voice:  func(v *parley.VoiceConfig) { v.Transcription = false },
			sounds: none, text: "-", state: parley.TurnEcho, by: parley.ByGate, deleted: true, creates: 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, m := talk(t, rigOptions{voice: c.voice, delay: 20 * ms})
				if c.sounds > 0 {
					r.sound(m, c.sounds)
				} else {
					r.modelHears("u1")
					time.Sleep(700 * ms)
					r.turnEnds("u1")
				}
				time.Sleep(300*ms + c.late)
				if c.text != "-" {
					r.words(c.text)
				}
				time.Sleep(time.Second)
				if cut := len(find[parley.InterruptionData](r.tape, parley.EventInterruption)) == 1; cut != c.cut {
					t.Errorf("interrupted: %v", cut)
				}
				time.Sleep(4 * time.Second)
				if d := r.fateOf("u1"); d.State != c.state || d.By != c.by {
					t.Errorf("%+v, want %s by %q", d, c.state, c.by)
				}
				if creates(r) != c.creates || slices.Contains(r.model.log(), "delete u1") != c.deleted {
					t.Errorf("the model was told %q", r.model.log())
				}
				r.stop()
			})
		})
	}
}

// TestAnEchoOfTheLastWordsIsNotAnswered: the agent has ended when the model makes a turn of its echo.
func TestAnEchoOfTheLastWordsIsNotAnswered(t *testing.T) {
	for text, want := range map[string]parley.TurnDecidedData{
		"nine ten":  {ItemID: "u1", State: parley.TurnEcho, By: parley.ByWords},
		"yes":       {ItemID: "u1", State: parley.TurnAnswered, By: parley.ByWords},
		"-":         {ItemID: "u1", State: parley.TurnAnswered}, // nobody is left in silence
		"okay then": {ItemID: "u1", State: parley.TurnAnswered, By: parley.ByWords},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, _ := talk(t, rigOptions{})
			time.Sleep(2700 * ms)
			r.modelHears("u1")
			time.Sleep(800 * ms) // the agent ends meanwhile
			r.turnEnds("u1")
			time.Sleep(300 * ms)
			if text != "-" {
				r.words(text)
			}
			time.Sleep(2 * time.Second)
			if d := r.fateOf("u1"); d != want {
				t.Errorf("%q: %+v", text, d)
			}
			r.stop()
		})
	}
}

func TestAGreetingIsStoppedOnlyBySpeech(t *testing.T) {
	greet := func(v *parley.VoiceConfig) { v.Greeting = "Hello" }
	greeting := func(t *testing.T) (*rig, *mouth) {
		m := &mouth{}
		r := newRig(t, rigOptions{voice: greet, caller: m.next}).ready()
		time.Sleep(ms)
		r.reply("r1", "a1", words, 4000)
		r.responseDone("r1", "completed")
		time.Sleep(time.Second)
		return r, m
	}
	synctest.Test(t, func(t *testing.T) {
		r, m := greeting(t)
		r.sound(m, 400*ms)
		r.words("Hello?")
		time.Sleep(4 * time.Second)
		if r.carrier.cleared() != 0 || r.carrier.playedMs() != 4000 || r.fateOf("u1").State != parley.TurnBackchannel {
			t.Errorf("%d clears, %d ms played, %+v", r.carrier.cleared(), r.carrier.playedMs(), r.fateOf("u1"))
		}
		r.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		r, m := greeting(t)
		r.sound(m, 1200*ms)
		time.Sleep(500 * ms)
		if r.carrier.cleared() != 1 || r.fateOf("u1").State != parley.TurnAnswered || creates(r) != 2 {
			t.Errorf("%d clears, %+v, %q", r.carrier.cleared(), r.fateOf("u1"), r.model.log())
		}
		r.stop()
	})
}

// TestPausesForNothingEnd: a caller who hums along must not make the agent stammer.
func TestPausesForNothingEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mouth{}
		r := newRig(t, rigOptions{caller: m.next}).ready()
		r.turnEnds("u0")
		time.Sleep(ms)
		r.reply("r1", "a1", words, 12_000)
		r.responseDone("r1", "completed")
		time.Sleep(time.Second)
		for range 5 {
			r.sound(m, 240*ms)
			time.Sleep(400 * ms)
		}
		if r.carrier.cleared() != pauseCredit {
			t.Errorf("%d pauses, want %d", r.carrier.cleared(), pauseCredit)
		}
		r.sound(m, 1500*ms)
		if r.carrier.cleared() != pauseCredit+1 {
			t.Errorf("%d clears: speech did not stop the agent", r.carrier.cleared())
		}
		r.stop()
	})
}

// TestAPauseEndsWithoutTheCarriersFrames: the network stalls in the pause, and playback still goes on.
func TestAPauseEndsWithoutTheCarriersFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := talk(t, rigOptions{})
		m.say(300 * ms)
		time.Sleep(120 * ms)
		r.modelHears("u1")
		time.Sleep(40 * ms)
		r.carrier.holdFrames(true)
		played := r.carrier.playedMs()
		time.Sleep(2 * time.Second)
		if got := r.carrier.playedMs() - played; r.carrier.cleared() != 1 || got < 1200 {
			t.Errorf("%d clears, %d ms played in 2 s", r.carrier.cleared(), got)
		}
		r.carrier.holdFrames(false)
		r.stop()
	})
}

// TestHangUpInAPause: what was heard until the pause is on record.
func TestHangUpInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := talk(t, rigOptions{})
		m.say(400 * ms)
		time.Sleep(120 * ms)
		r.modelHears("u1")
		time.Sleep(60 * ms)
		played := r.carrier.playedMs()
		r.stop()
		heard := find[parley.MessageHeardData](r.tape, parley.EventMessageHeard)
		if len(heard) != 1 || !heard[0].Interrupted || heard[0].HeardMs > played+5 || heard[0].HeardMs < played-25 {
			t.Errorf("heard %+v, played %d", heard, played)
		}
	})
}

func TestSilentAgentIsNotGated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.modelHears("u1") // the gate hears nothing at all
		time.Sleep(300 * ms)
		r.turnEnds("u1")
		time.Sleep(ms)
		if d := r.fateOf("u1"); d.State != parley.TurnAnswered || d.By != "" || creates(r) != 1 {
			t.Errorf("%+v, %d responses", d, creates(r))
		}
		r.stop()
	})
}

// TestManySoundsInOneAnswer: more short sounds than are kept undecided, and no transcripts: every one is decided.
func TestManySoundsInOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, m := talk(t, rigOptions{})
		long := 25_000
		r.model.answers(func(leg.Ask) (string, int) {
			defer func() { long = 500 }()
			return "Yes.", long
		})
		r.turnEnds("u1") // a long answer behind the first
		time.Sleep(ms)
		const n = maxOpen + 4
		for i := range n {
			item := "s" + strconv.Itoa(i)
			m.say(160 * ms)
			time.Sleep(120 * ms)
			r.modelHears(item)
			time.Sleep(600 * ms)
			r.turnEnds(item)
			time.Sleep(ms)
		}
		time.Sleep(time.Minute + 10*time.Second)
		for i := range n {
			if d := r.fateOf("s" + strconv.Itoa(i)); d.State != parley.TurnAnswered {
				t.Errorf("sound %d: %+v", i, d)
			}
		}
		r.stop()
	})
}
