package voice

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// state is one in which the session waits for the other side, which does nothing more from then on.
type state struct {
	opt   rigOptions
	model func(m *modelSim)      // as it is from the beginning; nil = it takes no part
	enter func(r *rig, c *mouth) // nil = the call has just begun
	hears time.Duration          // within which the caller hears something, or the call ends
}

// states are all of them. What is said of a model holds for one that gives signs of life, and for one whose network
// swallows everything.
var states = map[string]state{
	"the model is dialed": {
		opt:   rigOptions{dial: func(ctx context.Context) (Model, error) { <-ctx.Done(); return nil, ctx.Err() }},
		hears: 3 * time.Second,
	},
	"the model is configured": {
		opt:   rigOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello." }},
		model: func(m *modelSim) { m.obliging = false },
		hears: 6 * time.Second,
	},
	"a greeting is asked for": {
		opt:   rigOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello." }},
		hears: 5 * time.Second,
	},
	"an answer is asked for": {enter: func(r *rig, _ *mouth) { r.turnEnds("u1") }, hears: 5 * time.Second},
	"a response is created": {
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"})
		},
		hears: 5 * time.Second,
	},
	"an answer stops in the middle": {
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.model.begins("r1", "a1")
			r.part("r1", "a1", words, 1000)
			time.Sleep(1100 * ms)
		},
		hears: stallTimeout + 2*time.Second,
	},
	"the caller speaks": {
		enter: func(r *rig, c *mouth) {
			c.say(2 * time.Second)
			time.Sleep(200 * ms)
			r.modelHears("u1")
			time.Sleep(1800 * ms)
		},
		hears: stuckTimeout + doubtTimeout + slowAfter + time.Second,
	},
	"the caller has cut an answer": {
		enter: func(r *rig, c *mouth) {
			r.turnEnds("u0")
			time.Sleep(ms)
			r.reply("r1", "a1", words, 5000)
			r.responseDone("r1", "completed")
			time.Sleep(time.Second)
			c.say(time.Second)
			time.Sleep(900 * ms)
			r.modelHears("u1")
			time.Sleep(200 * ms)
			r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u1"}) // and no commit
			time.Sleep(100 * ms)
		},
		hears: 8 * time.Second,
	},
	"a transcript is to decide": {
		enter: func(r *rig, c *mouth) {
			r.turnEnds("u0")
			time.Sleep(ms)
			r.reply("r1", "a1", words, 3000)
			r.responseDone("r1", "completed")
			time.Sleep(2600 * ms)
			r.modelHears("u1")
			time.Sleep(100 * ms)
			r.turnEnds("u1")
			time.Sleep(500 * ms)
		},
		hears: 8 * time.Second,
	},
	"a tool runs": {
		opt: rigOptions{
			voice: func(v *parley.VoiceConfig) { v.ToolFillerSeconds = 5 },
			tool:  func(ctx context.Context, _ tool.Call) tool.Result { <-ctx.Done(); return tool.Result{} },
		},
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.calls("r1", "c1", "look_up", `{}`, 0)
		},
		hears: 12 * time.Second,
	},
	"a goodbye is to be heard": {
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.calls("r1", "c1", parley.ToolEndCall, `{}`, 0)
		},
		hears: 6 * time.Second,
	},
	"an errand": {
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.calls("r1", "c1", parley.ToolSendDTMF, `{"digits":"1"}`, 0)
			time.Sleep(ms)
		},
		hears: time.Second,
	},
	"a beep is awaited": {
		enter: func(r *rig, _ *mouth) {
			r.turnEnds("u1")
			time.Sleep(ms)
			r.calls("r1", "c1", parley.ToolLeaveVoicemail, `{"message":"Call me."}`, 0)
		},
		hears: beeplessTime + 6*time.Second,
	},
	"keys were pressed": {
		enter: func(r *rig, _ *mouth) { r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: "1"}) },
		hears: keyPause + 6*time.Second,
	},
	"the caller is silent": {
		opt:   rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 20 }},
		hears: 13*time.Second + createTimeout, // the reminder comes after 12 s
	},
	"marks are not echoed": {
		opt: rigOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 20 }},
		enter: func(r *rig, _ *mouth) {
			r.carrier.loseMarks(true)
			r.turnEnds("u1")
			time.Sleep(ms)
			r.reply("r1", "a1", words, 1000)
			r.responseDone("r1", "completed")
			time.Sleep(1100 * ms)
		},
		hears: 14*time.Second + markOverdue + createTimeout,
	},
	"the longest duration is over": {
		opt:   rigOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = 60 }},
		enter: func(*rig, *mouth) { time.Sleep(40 * time.Second) },
		hears: 21 * time.Second,
	},
	"the carrier sends nothing": {
		enter: func(r *rig, _ *mouth) { r.carrier.holdFrames(true) },
		hears: mediaTimeout + ms,
	},
}

// TestEveryWaitHasADeadline: in whatever state the other side falls silent, the caller hears something within a bound or
// the call ends; and in the end, it goes on with another model or ends with a reason.
func TestEveryWaitHasADeadline(t *testing.T) {
	t.Parallel()
	for name, st := range states {
		for kind, fall := range map[string]func(*modelSim){"idle": func(*modelSim) {}, "gone": (*modelSim).fallSilent} {
			for next, well := range map[string]bool{"a good model follows": true, "no model is well": false} {
				t.Run(name+", "+kind+", "+next, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { st.try(t, fall, well) })
				})
			}
		}
	}
}

// longest is how long a caller may wait for the end of a call that cannot be saved.
const longest = 2 * time.Minute

func (st state) try(t *testing.T, fall func(*modelSim), well bool) {
	c := &mouth{}
	answers := func(leg.Ask) (string, int) { return "Here I am.", 800 }
	d := &models{make: func(n int) *modelSim {
		m := newModelSim()
		m.obliging = true
		switch {
		case n == 0 && st.model != nil:
			st.model(m)
		case n > 0 && well:
			m.answers(answers)
		case n > 0:
			fall(m)
		}
		return m
	}}
	opt := st.opt
	opt.caller = c.next
	for _, slug := range []string{parley.ToolEndCall, parley.ToolSendDTMF, parley.ToolLeaveVoicemail} {
		control, _ := parley.BuiltinTool(slug)
		opt.tools = append(opt.tools, control)
	}
	var r *rig
	if opt.dial != nil {
		r = newRig(t, opt)
	} else {
		r = redialRig(t, d, opt)
		time.Sleep(100 * ms)
	}
	if st.enter != nil {
		st.enter(r, c)
	}
	fall(r.model)
	began, base, heard := time.Now(), r.carrier.playedMs(), time.Duration(-1)
	for time.Since(began) < longest && len(r.out) == 0 {
		if heard < 0 && r.carrier.playedMs() > base {
			heard = time.Since(began)
		}
		if m := d.last(); m != r.model && m != nil && well && len(m.asked()) > 0 {
			break // it goes on
		}
		time.Sleep(20 * ms)
	}
	if heard < 0 {
		heard = time.Since(began)
	}
	if heard > st.hears {
		t.Errorf("the caller heard nothing for %v", heard)
	}
	if len(r.out) == 0 {
		if time.Since(began) >= longest {
			t.Error("nothing has come of it")
		}
		r.stop()
		return
	}
	out := r.wait()
	if out.Reason == "" && out.Keep == 0 || out.Keep > longest {
		t.Errorf("it ended without a reason: %+v", out)
	}
	if out.Keep > 0 {
		r.session.Release()
		r.session.Wait()
	}
}

// last is the newest model session, nil if there is none.
func (d *models) last() *modelSim {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.all) == 0 {
		return nil
	}
	return d.all[len(d.all)-1]
}
