package voice

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// rejoin gives the rig's session another stream and runs it on.
func (r *rig) rejoin() {
	r.carrier = newCarrierSim(r.carrier.way)
	r.tape.done = make(chan struct{})
	r.session.Rejoin(r.carrier, r.tape, parley.Call{Resumes: 1}, nil, nil, nil)
	r.run()
}

// TestSessionOutlivesItsStream: the stream vanishes in the middle of an answer; on the next one the caller hears the rest
// of it, the model's session has stayed, and the record ends up as if nothing had happened.
func TestSessionOutlivesItsStream(t *testing.T) {
	for _, w := range ways {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rigOptions{way: w}).ready()
				time.Sleep(time.Second)
				r.turnEnds("u1")
				r.reply("r1", "a1", words, 4000)
				r.responseDone("r1", "completed")
				time.Sleep(1500 * ms)
				r.carrier.Close() // it plays no more
				first := r.carrier.playedMs()
				r.carrier.vanish()
				out := r.wait()
				if !out.Detached || out.Keep == 0 {
					t.Fatalf("outcome %+v", out)
				}
				if m := lastMessage(r.tape.record()); !m.Interrupted || m.HeardText == nil || *m.HeardText == words {
					t.Errorf("on record while the stream is gone: %+v", m)
				}
				time.Sleep(4 * time.Second)
				asked := len(r.model.log())
				r.rejoin()
				time.Sleep(5 * time.Second)
				second := r.carrier.playedMs()
				if sum := first + second; sum < 4000-2*w.jitter.Milliseconds()-w.up.Milliseconds()-5 || sum > 4000+2*w.jitter.Milliseconds()+w.up.Milliseconds()+30 {
					t.Errorf("%d ms, then %d ms were played of 4000", first, second)
				}
				if m := lastMessage(r.tape.record()); m.Interrupted || m.HeardText == nil || *m.HeardText != words {
					t.Errorf("on record at the end: %+v", m)
				}
				if more := r.model.log()[asked:]; len(more) != 0 {
					t.Errorf("the model was told %q", more)
				}
				r.turnEnds("u2")
				time.Sleep(10 * ms)
				if more := strings.Join(r.model.log()[asked:], " "); more != "create" {
					t.Errorf("the model was told %q", more)
				}
				r.stop()
			})
		})
	}
}

func lastMessage(rec parley.Record) parley.Message {
	if len(rec.Messages) == 0 {
		return parley.Message{}
	}
	return rec.Messages[len(rec.Messages)-1]
}

// TestToolOutlivesTheStream: its result comes while there is no stream.
func TestToolOutlivesTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{tool: func(context.Context, tool.Call) tool.Result {
			time.Sleep(2 * time.Second)
			return tool.Result{Output: "found", Outcome: tool.OutcomeOK}
		}}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.say(
			leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: "r1"},
			leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemType: "function_call", Status: "completed", CallID: "c1", Text: "look_up", Arguments: "{}"},
		)
		r.responseDone("r1", "completed")
		time.Sleep(ms)
		r.carrier.Close()
		r.carrier.vanish()
		if out := r.wait(); out.Keep == 0 {
			t.Fatalf("outcome %+v", out)
		}
		time.Sleep(3 * time.Second)
		r.rejoin()
		time.Sleep(10 * ms)
		if told := strings.Join(r.model.log(), "\n"); !strings.HasSuffix(told, "result c1 found\ncreate") {
			t.Errorf("the model was told\n%s", told)
		}
		r.stop()
	})
}

func TestSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var places seats
		fresh := func() *Session {
			v := parley.DefaultVoiceConfig()
			return New(newCarrierSim(way{}), newTape(), Config{Agent: parley.Agent{Voice: &v}, Dial: func(context.Context) (Model, error) { return newModelSim(), nil }})
		}
		_, leave := places.sit("c1")
		a := fresh()
		go func() {
			time.Sleep(time.Second) // it takes a moment to let go
			leave(a, 10*time.Second)
		}()
		got, leave := places.sit("c1")
		if got != a {
			t.Fatal("the kept session was not handed over")
		}
		leave(a, 10*time.Second)
		time.Sleep(11 * time.Second)
		if a.ctx.Err() == nil {
			t.Error("a session that nobody came back for still lives")
		}
		if got, leave = places.sit("c1"); got != nil {
			t.Error("a session that is over was handed over")
		}
		b := fresh()
		leave(b, time.Hour)
		places.close()
		if b.ctx.Err() == nil || len(places.taken) != 0 {
			t.Error("close has left something")
		}
		_, stuck := places.sit("c1")
		if got, leave = places.sit("c1"); got != nil {
			t.Error("a session that runs was handed over")
		}
		stuck(nil, 0)
		leave(nil, 0)
		if len(places.taken) != 0 {
			t.Error("a place was left taken")
		}
		c := fresh()
		_, stuck = places.sit("c1")
		if got, leave = places.sit("c1"); got != nil {
			t.Error("a session that runs was handed over")
		}
		stuck(c, time.Hour) // it lets go too late: its place has been taken
		places.close()
		if c.ctx.Err() == nil {
			t.Error("close has left a session whose place was taken")
		}
		leave(nil, 0)
		c.carrier.Close()
		a.carrier.Close()
		b.carrier.Close()
	})
}

// TestModelTalksWhileParked: what the model says while there is no stream makes its leg wait for nobody, and all of it is
// heard on the next one.
func TestModelTalksWhileParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{setup: func(r *rig) { r.model.events = make(chan leg.ModelEvent, 16) }}).ready()
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.begins("r1", "a1")
		r.part("r1", "a1", "We open at nine", 2000)
		time.Sleep(500 * ms)
		r.carrier.Close()
		first := r.carrier.playedMs()
		r.carrier.vanish()
		if out := r.wait(); out.Keep == 0 {
			t.Fatalf("outcome %+v", out)
		}
		said := make(chan struct{})
		go func() {
			defer close(said)
			r.part("r1", "a1", " in the morning, and close at six.", 8000)
			r.model.say(
				leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: "r1", ItemID: "a1"},
				leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: "r1", ItemID: "a1", ItemType: "message", Status: "completed"})
			r.responseDone("r1", "completed")
		}()
		time.Sleep(4 * time.Second)
		select {
		case <-said:
		default:
			t.Error("the model has to wait")
		}
		r.rejoin()
		time.Sleep(12 * time.Second)
		if sum := first + r.carrier.playedMs(); sum < 9960 || sum > 10_040 {
			t.Errorf("%d ms were played of 10000", sum)
		}
		if m := lastMessage(r.tape.record()); m.Interrupted || m.HeardText == nil || *m.HeardText != "We open at nine in the morning, and close at six." {
			t.Errorf("on record at the end: %+v", m)
		}
		r.stop()
	})
}

// TestModelEndsWhileParked: its session is gone when the stream comes back; another one goes on with the answer.
func TestModelEndsWhileParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &models{}
		r := redialRig(t, d, rigOptions{})
		r.turnEnds("u1")
		time.Sleep(ms)
		r.model.begins("r1", "a1")
		time.Sleep(ms)
		r.carrier.Close()
		r.carrier.vanish()
		r.wait()
		r.part("r1", "a1", "We open", 600)
		r.model.vanish()
		time.Sleep(4 * time.Second)
		r.rejoin()
		if asked := d.newest(t, 2).asked(); len(asked) != 1 || asked[0].Purpose != purposeGoOn {
			t.Errorf("asked %+v", asked)
		}
		time.Sleep(time.Second)
		if got := r.carrier.playedMs(); got != 600 {
			t.Errorf("%d ms were played", got)
		}
		r.stop()
	})
}
