package voice

import (
	"context"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/leg"
)

// TestLatencyIsMeasuredUntilItIsHeard compares every hop with what the far ends know: the moment when the caller's
// side really begins to play.
func TestLatencyIsMeasuredUntilItIsHeard(t *testing.T) {
	for _, delay := range []time.Duration{0, 60 * time.Millisecond, 150 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{delay: delay}).ready()
			time.Sleep(time.Second) // the probe mark comes back
			r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: "u1", AudioMs: 700})
			stopped := time.Now()
			time.Sleep(30 * time.Millisecond)
			r.model.say(leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: "u1"})
			time.Sleep(200 * time.Millisecond)
			r.reply("r1", "a1", words, 3000)
			r.responseDone("r1", "completed")
			for r.carrier.playedMs() == 0 {
				time.Sleep(time.Millisecond)
			}
			truth := time.Since(stopped)
			time.Sleep(time.Second)
			got := find[parley.TurnLatencyData](r.tape, parley.EventTurnLatency)
			if len(got) != 1 || got[0].HeardMs == nil {
				t.Fatalf("%v: latency %+v", delay, got)
			}
			l := got[0]
			if l.CreateMs != 30 || l.FirstByteMs != 200 || l.FrameMs != 0 || l.ResponseMs != 230 {
				t.Errorf("%v: hops %+v", delay, l)
			}
			if total, ok := l.Total(); !ok || total-l.EndpointMs < truth.Milliseconds()-3 || total-l.EndpointMs > truth.Milliseconds()+3 {
				t.Errorf("%v: heard %d ms after the end of speech, in truth %v", delay, total-l.EndpointMs, truth)
			}
			if l.EndpointMs < 250 || l.EndpointMs > 350 { // a second of audio was appended, the caller stopped at 700 ms
				t.Errorf("%v: endpointing took %d ms", delay, l.EndpointMs)
			}
			hops := r.tape.record().Latency.Hops
			if hops.Model.P50Ms != 200 || hops.Heard.P95Ms != *l.HeardMs || hops.Total.P50Ms == 0 {
				t.Errorf("%v: projection %+v", delay, hops)
			}
			r.stop()
		})
	}
}

// TestEndOfSpeechIsFoundInTheSound: the model's own end of speech includes the silence that it waited for.
func TestEndOfSpeechIsFoundInTheSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rtt := range []time.Duration{0, 120 * time.Millisecond} {
			v := parley.DefaultVoiceConfig()
			g := newGate(&v)
			hear := func(frames int, amplitude float64) {
				for range frames {
					time.Sleep(20 * time.Millisecond)
					frame := make([]int16, frameBytes)
					for i := range frame {
						frame[i] = int16(amplitude * math.Sin(2*math.Pi*200*float64(i)/8000))
					}
					g.hear(audio.EncodeULaw(frame), time.Now(), rtt, true)
				}
			}
			hear(50, 20)
			hear(60, 6000)
			ended := time.Now()
			hear(25, 20)
			s := &Session{ledger: ledger{rtt: rtt}, barge: barge{gate: g}, appended: 135 * frameBytes}
			if got, want := s.endpointMs(135*20, time.Now()), time.Since(ended).Milliseconds(); got != want {
				t.Errorf("%v: the caller ended %d ms ago, want %d", rtt, got, want)
			}
			if got := s.endpointMs(2000, time.Now().Add(time.Minute)); got != 700 {
				t.Errorf("%v: an old sound counted: %d", rtt, got)
			}
		}
	})
}

// TestAnswerThatIsNotHeard is cut off before the carrier's word came: the turn is on record all the same.
func TestAnswerThatIsNotHeard(t *testing.T) {
	for name, end := range map[string]func(*rig){
		"interrupted": func(r *rig) { r.speechStarted(); time.Sleep(time.Second); r.stop() },
		"hung up":     func(r *rig) { r.stop() },
		"lost":        func(r *rig) { r.carrier.vanish(); r.wait(); r.session.Release(); r.session.Wait() },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{delay: 150 * time.Millisecond}).ready()
			time.Sleep(time.Second)
			r.turnEnds("u1")
			time.Sleep(10 * time.Millisecond)
			r.reply("r1", "a1", words, 3000)
			time.Sleep(50 * time.Millisecond)
			end(r)
			got := find[parley.TurnLatencyData](r.tape, parley.EventTurnLatency)
			if len(got) != 1 || got[0].HeardMs != nil || got[0].ResponseMs != 10 {
				t.Errorf("%s: latency %+v", name, got)
			}
			if l := r.tape.record().Latency; l.Turns != 1 || l.Hops.Total != (parley.Spread{}) {
				t.Errorf("%s: projection %+v", name, l)
			}
		})
	}
}

// TestCountsSeeASession runs a call whose carrier and recorder are watched, as the Host does it.
func TestCountsSeeASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := NewCounts()
		r := &rig{t: t, carrier: newCarrierSim(way{}), model: newModelSim(), tape: newTape(), out: make(chan Outcome, 1)}
		v := parley.DefaultVoiceConfig()
		v.Timeout = 0
		carrier, rec := counts.watch(r.carrier, r.tape)
		r.session = New(carrier, rec, Config{
			Agent: parley.Agent{Model: "m", Voice: &v}, Counts: counts, Log: slog.New(slog.DiscardHandler),
			Dial: func(context.Context) (Model, error) { return r.model, nil },
		})
		r.run()
		r.ready()
		r.turnEnds("u1")
		time.Sleep(10 * time.Millisecond)
		r.reply("r1", "a1", words, 2000)
		time.Sleep(500 * time.Millisecond)
		r.speechStarted()
		time.Sleep(500 * time.Millisecond)
		r.stop()
		measured := find[parley.StreamMeasuredData](r.tape, parley.EventStreamMeasured)
		if len(measured) != 1 || measured[0].FramesOut != counts.FramesOut.Load() || measured[0].FramesIn != counts.FramesIn.Load() ||
			measured[0].FramesOut < 30 || measured[0].FramesIn < 45 || measured[0].Late != 0 {
			t.Errorf("measured %+v, counted %d in, %d out", measured, counts.FramesIn.Load(), counts.FramesOut.Load())
		}
		if counts.Clear.Count() != 1 || counts.Pacing.Count() < 20 || counts.Connect.Count() != 1 ||
			counts.Hops["response"].Count() != 1 || counts.Hops["heard"].Count() != 1 {
			t.Errorf("clear %d, pacing %d, connect %d, response %d, heard %d", counts.Clear.Count(), counts.Pacing.Count(),
				counts.Connect.Count(), counts.Hops["response"].Count(), counts.Hops["heard"].Count())
		}
		for typ, want := range map[string]int64{parley.EventInterruption: 1, parley.EventSpeechStarted: 1, parley.EventTurnCommitted: 1, parley.EventError: 0} {
			if got := counts.Events.Get(typ); got != want {
				t.Errorf("%s: %d, want %d", typ, got, want)
			}
		}
	})
}

// TestLateFramesAreCounted stalls the session's goroutine, as an overloaded process does.
func TestLateFramesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rigOptions{}).ready()
		r.turnEnds("u1")
		r.reply("r1", "a1", words, 3000)
		time.Sleep(500 * time.Millisecond)
		s := r.session
		r.carrier.stall(100 * time.Millisecond) // of the next send
		time.Sleep(time.Second)
		if got := s.cfg.Counts.FramesLate.Load(); got < 1 {
			t.Errorf("%d late frames after a stall of 100 ms", got)
		}
		r.stop()
	})
}
