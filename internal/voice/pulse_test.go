package voice

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
)

// talks lets the caller speak for some time.
func (m *mouth) talks(d time.Duration) {
	m.say(d)
	time.Sleep(d)
}

// TestModelFallsSilent: whenever the model's connection swallows everything while something is owed to the caller, it is
// replaced within seconds; the successor hears what was said meanwhile, and the agent speaks.
func TestModelFallsSilent(t *testing.T) {
	t.Parallel()
	hole := func(r *rig) { r.model.fallSilent() }
	cases := map[string]struct {
		before func(r *rig, c *mouth) // up to where the caller waits
		ask    string                 // what the successor is asked for
		hears  time.Duration          // of the caller's voice, at least
	}{
		"before the caller asks": {func(r *rig, c *mouth) {
			hole(r)
			c.talks(1800 * ms)
		}, "say it again", 1700 * ms},
		"before a long question": {func(r *rig, c *mouth) {
			hole(r)
			c.talks(4 * time.Second)
		}, "say it again", 3900 * ms},
		"before a short word": {func(r *rig, c *mouth) {
			hole(r)
			c.talks(240 * ms)
		}, "say it again", 200 * ms},
		"while the caller speaks": {func(r *rig, c *mouth) {
			c.say(2300 * ms)
			time.Sleep(300 * ms)
			r.modelHears("u1")
			time.Sleep(ms)
			hole(r)
			time.Sleep(2 * time.Second)
		}, "say it again", 2200 * ms},
		"before the turn is committed": {func(r *rig, c *mouth) {
			c.say(1300 * ms)
			time.Sleep(300 * ms)
			r.modelHears("u1")
			time.Sleep(1500 * ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u1", AudioMs: int64(r.model.heard() / bytesPerMs)})
			time.Sleep(ms)
			hole(r)
		}, "say it again", 1200 * ms},
		"when it is asked for an answer": {func(r *rig, _ *mouth) {
			r.model.answers(nil)
			r.turnEnds("u1")
			time.Sleep(ms)
			hole(r)
		}, "", 0},
		"before the answer sounds": {func(r *rig, _ *mouth) {
			r.model.answers(nil)
			r.turnEnds("u1")
			time.Sleep(ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			time.Sleep(ms)
			hole(r)
		}, "", 0},
		"in the middle of the answer": {func(r *rig, _ *mouth) {
			r.model.answers(nil)
			r.turnEnds("u1")
			time.Sleep(ms)
			r.model.begins("r1", "a1")
			r.part("r1", "a1", "We open at", 600)
			time.Sleep(ms)
			hole(r)
		}, "very next word", 0},
		"when keys were pressed": {func(r *rig, _ *mouth) {
			hole(r)
			r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "#"})
		}, "", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &mouth{}
				voices := &atomic.Int64{} // loud frames that the successor gets
				d := &models{make: func(n int) *modelSim {
					m := newModelSim()
					m.obliging = true
					m.answers(func(leg.Ask) (string, int) { return "Here I am.", 800 })
					if n == 1 {
						m.onAudio = func(b []byte) {
							for _, x := range b {
								if x != quiet[0] {
									voices.Add(1)
								}
							}
						}
					}
					return m
				}}
				r := redialRig(t, d, rigOptions{caller: c.next})
				time.Sleep(time.Second)
				tc.before(r, c)
				played := r.carrier.playedMs()
				waits := time.Now()
				m := d.newest(t, 2)
				if took := time.Since(waits); took > 5*time.Second {
					t.Errorf("the successor came after %v", took)
				}
				time.Sleep(4 * time.Second)
				asked := m.asked()
				if len(asked) != 1 || !strings.Contains(asked[0].Instructions, tc.ask) || tc.ask == "" && asked[0] != (leg.Ask{}) {
					t.Errorf("the successor was asked for %+v", asked)
				}
				if got := time.Duration(voices.Load()/bytesPerMs) * ms; got < tc.hears*9/10 {
					t.Errorf("the successor heard %v of the caller's voice", got)
				}
				if r.carrier.playedMs() < played+800 {
					t.Error("the caller heard nothing")
				}
				if lost := find[parley.ModelLostData](r.tape, parley.EventModelLost); len(lost) != 1 || lost[0].Type != "silent" {
					t.Errorf("on record: %+v", lost)
				}
				r.stop()
			})
		})
	}
}

// TestSuccessorHearsTheQuestion: a successor that finds the caller's turn in what it is given answers that.
func TestSuccessorHearsTheQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, d := &mouth{}, &models{}
		r := redialRig(t, d, rigOptions{caller: c.next})
		time.Sleep(time.Second)
		r.model.fallSilent()
		c.talks(1500 * ms)
		r.model = d.newest(t, 2)
		r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: "u1", AudioMs: 200})
		time.Sleep(100 * ms)
		r.turnEnds("u1")
		time.Sleep(5 * time.Second)
		if asked := r.model.asked(); len(asked) != 1 || asked[0] != (leg.Ask{}) {
			t.Errorf("asked %+v", asked)
		}
		r.stop()
	})
}

// TestQuietModelLives: a model that finds no speech in what the gate takes for one, or takes its time to answer, is no
// silent one.
func TestQuietModelLives(t *testing.T) {
	t.Parallel()
	cases := map[string]func(r *rig, c *mouth){
		"a television": func(_ *rig, c *mouth) {
			for range 30 {
				c.talks(1300 * ms)
				time.Sleep(700 * ms)
			}
		},
		"a monologue": func(r *rig, c *mouth) {
			r.modelHears("u1")
			for range 80 {
				c.talks(400 * ms)
				time.Sleep(100 * ms)
			}
		},
		"a slow answer": func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(9 * time.Second)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
			time.Sleep(19 * time.Second)
			r.reply("r1", "a1", "Well.", 500)
		},
		"nobody speaks": func(*rig, *mouth) { time.Sleep(10 * time.Minute) },
	}
	for name, during := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, d := &mouth{}, &models{}
				r := redialRig(t, d, rigOptions{caller: c.next, voice: func(v *parley.VoiceConfig) { v.MaxDuration = 3600 }})
				during(r, c)
				time.Sleep(time.Second)
				if lost := find[parley.ModelLostData](r.tape, parley.EventModelLost); len(lost) > 0 || len(d.dials()) != 1 {
					t.Errorf("lost %+v, dialed %d times", lost, len(d.dials()))
				}
				r.stop()
			})
		})
	}
}

// TestModelHearsSpeechInSilence: a model whose voice detection hangs is replaced, and the agent speaks.
func TestModelHearsSpeechInSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		time.Sleep(time.Second)
		r.modelHears("u1")
		time.Sleep(stuckTimeout + 5*time.Second)
		if dials := d.dials(); len(dials) != 2 {
			t.Fatalf("dialed %d times", len(dials))
		}
		if asked := d.newest(t, 2).asked(); len(asked) != 1 || !strings.Contains(asked[0].Instructions, "say it again") {
			t.Errorf("asked %+v", asked)
		}
		r.stop()
	})
}
