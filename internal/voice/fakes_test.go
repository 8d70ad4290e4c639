package voice

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/leg"
	"parley/internal/store"
	"parley/internal/tool"
)

// tape is a Recorder that keeps events in memory.
type tape struct {
	mu     sync.Mutex
	events []parley.Event
	done   chan struct{}
	err    error
}

func newTape() *tape { return &tape{done: make(chan struct{})} }

func (t *tape) Fact(typ string, data any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := parley.NewEvent(typ, time.Now(), data)
	e.Seq = int64(len(t.events) + 1)
	t.events = append(t.events, e)
}
func (t *tape) Telemetry(typ string, data any) { t.Fact(typ, data) }
func (t *tape) Intent(_ context.Context, typ string, data any, _ ...func(context.Context, *store.Tx) error) error {
	t.Fact(typ, data)
	return nil
}
func (t *tape) Done() <-chan struct{} { return t.done }
func (t *tape) Err() error            { return t.err }

func (t *tape) record() parley.Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return parley.Project(t.events)
}

func find[T any](t *tape, typ string) []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []T
	for _, e := range t.events {
		if e.Type == typ {
			var d T
			_ = json.Unmarshal(e.Data, &d)
			out = append(out, d)
		}
	}
	return out
}

// rig is a session in a bubble with its two far ends.
type rig struct {
	t       *testing.T
	carrier *carrierSim
	model   *modelSim
	tape    *tape
	session *Session
	caller  func() []byte // every 20 ms, 160 bytes; nil = silence
	out     chan Outcome
	ran     chan struct{} // closed when Run has returned
	cancel  context.CancelFunc
}

type rigOptions struct {
	delay   time.Duration // each way, when way is zero
	way     way
	voice   func(*parley.VoiceConfig)
	history []leg.HistoryItem
	tool    func(context.Context, tool.Call) tool.Result
	tools   []parley.Tool // offered
	dialing time.Duration // how long the model takes to be dialed
	dial    func(context.Context) (Model, error)
	caller  func() []byte
	setup   func(*rig) // before the session begins
	over    chan struct{}
	call    parley.Call
	model   string // "" = one without a price
	spent   int64  // by earlier streams
}

// newRig starts a session whose model is connected and configured.
func newRig(t *testing.T, opt rigOptions) *rig {
	t.Helper()
	if opt.way == (way{}) {
		opt.way.up, opt.way.down = opt.delay, opt.delay
	}
	r := &rig{t: t, carrier: newCarrierSim(opt.way), model: newModelSim(), tape: newTape(), caller: opt.caller, out: make(chan Outcome, 1)}
	v := parley.DefaultVoiceConfig()
	v.Timeout = 0
	if opt.voice != nil {
		opt.voice(&v)
	}
	if opt.dial == nil {
		opt.dial = func(context.Context) (Model, error) {
			time.Sleep(opt.dialing)
			return r.model, nil
		}
	}
	if opt.tool == nil {
		opt.tool = func(context.Context, tool.Call) tool.Result { return tool.Result{Output: `{"ok":true}`, Outcome: "ok"} }
	}
	r.session = New(r.carrier, r.tape, Config{
		Agent: parley.Agent{Model: cmp.Or(opt.model, "m"), Voice: &v}, History: opt.history, Tools: opt.tools, Spent: opt.spent,
		Dial: opt.dial, RunTool: opt.tool, Over: opt.over, Call: opt.call, Log: slog.New(slog.DiscardHandler),
	})
	if opt.setup != nil {
		opt.setup(r)
	}
	r.run()
	return r
}

// run runs the session until its stream ends.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ran = cancel, make(chan struct{})
	ran := r.ran
	go func() {
		out := r.session.Run(ctx)
		close(ran)
		if out.Keep == 0 {
			r.session.Wait()
		} else {
			r.t.Cleanup(r.session.Release)
		}
		r.out <- *out
	}()
	carrier := r.carrier
	quit := carrier.quit
	go func() { // the caller's side sends frames all the time
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: r.callerSays()})
			}
		}
	}()
}

func (r *rig) ready() *rig {
	r.model.say(leg.ModelEvent{Kind: leg.ModelSessionUpdated})
	time.Sleep(time.Millisecond)
	return r
}

// stop ends the session and its far ends.
func (r *rig) stop() Outcome {
	r.t.Helper()
	r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierStop})
	return r.wait()
}

func (r *rig) wait() Outcome {
	r.t.Helper()
	out := <-r.out
	r.carrier.Close()
	r.carrier.Wait()
	r.cancel()
	return out
}

// reply lets the model answer with one item of ms milliseconds of audio and the text, generated at once.
func (r *rig) reply(resp, item, text string, ms int) { r.model.reply(resp, item, text, ms) }

func (r *rig) part(resp, item, text string, ms int) { r.model.part(resp, item, text, ms) }

func (r *rig) responseDone(resp, status string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: resp, Status: status})
}

// speechStarted lets the caller speak long enough for the gate, and the model notice it then.
func (r *rig) speechStarted() {
	for range speechSpan + 2 {
		r.carrier.deliver(leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: vowel})
	}
	synctest.Wait() // the session chooses among what is pending: let it hear first
	r.modelHears("u")
}

// modelHears lets the model alone hear something.
func (r *rig) modelHears(item string) {
	r.model.say(leg.ModelEvent{Kind: leg.ModelSpeechStarted, ItemID: item})
}

// agentByte is the agent's voice in the tests: any sound of about −20 dBFS.
const agentByte = 0xA8

// vowel is a frame of a voice at −14 dBFS.
var vowel = func() []byte {
	pcm := make([]int16, frameBytes)
	for i := range pcm {
		x := 2 * math.Pi * float64(i) / 40 // 200 Hz
		pcm[i] = int16(4000 * (math.Sin(x) + math.Sin(2*x) + math.Sin(3*x)))
	}
	return audio.EncodeULaw(pcm)
}()

var quiet = bytes.Repeat([]byte{audio.Silence}, frameBytes)

// callerSays is the caller's next frame: silence, unless the test has a caller.
func (r *rig) callerSays() []byte {
	if r.caller == nil {
		return quiet
	}
	return r.caller()
}

func (r *rig) turnEnds(item string) {
	r.model.say(
		leg.ModelEvent{Kind: leg.ModelSpeechStopped, ItemID: item},
		leg.ModelEvent{Kind: leg.ModelCommitted, ItemID: item},
	)
}
