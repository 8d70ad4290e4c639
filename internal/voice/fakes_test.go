package voice

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
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

// carrierSim is the far end of a call on the bubble's clock: it plays what it gets at 1×, in 20 ms steps,
// echoes marks when the audio before them has been played, and returns pending marks at once on clear. Every
// message takes the delay of its direction and a random part of jitter, and none overtakes another.
type carrierSim struct {
	way
	events chan leg.CarrierEvent
	inbox  chan carrierMsg // what the session sends, with its arrival time
	quit   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once

	mu      sync.Mutex
	refused error         // of every send, once set
	stalled time.Duration // of the next send

	gate    sync.Mutex // of events
	gone    bool
	holding bool // the caller's frames are held back
	losing  bool // echoes of marks get lost
	queue   []carrierMsg
	played  []byte
	clears  int
	dropped int // bytes cleared
	marks   []string
	echoAt  time.Time // of the last echo: echoes keep their order
	begun   time.Time
	silent  int   // ms since something was played
	dry     []int // ms of silence in the middle of what was played, one entry for each hole
	clearAt []time.Time
	keepAir bool
	air     []byte // all that the caller's ear got since the beginning, silence too, if keepAir
}

// way is how long messages take.
type way struct {
	up, down, jitter time.Duration // up: to the carrier
	// Every stallEvery nothing arrives for stall, in either direction.
	stallEvery, stall time.Duration
}

// arrives is when what was sent at a time and takes d comes out.
func (w way) arrives(begin, sent time.Time, d time.Duration) time.Time {
	at := sent.Add(w.takes(d))
	if w.stall > 0 {
		if into := at.Sub(begin) % w.stallEvery; at.Sub(begin) > w.stallEvery && into < w.stall {
			at = at.Add(w.stall - into)
		}
	}
	return at
}

// takes is how long a message takes now.
func (w way) takes(d time.Duration) time.Duration {
	if w.jitter > 0 {
		d += time.Duration(rand.Int64N(int64(w.jitter)))
	}
	return d
}

type carrierMsg struct {
	at    time.Time
	audio []byte
	mark  string
	clear bool
}

func newCarrierSim(w way) *carrierSim {
	c := &carrierSim{way: w, events: make(chan leg.CarrierEvent, 1000), inbox: make(chan carrierMsg, 10_000), quit: make(chan struct{}), begun: time.Now()}
	c.wg.Add(1)
	go c.play()
	return c
}

func (c *carrierSim) Events() <-chan leg.CarrierEvent { return c.events }
func (c *carrierSim) Err() error                      { return nil }
func (c *carrierSim) Wait()                           { c.wg.Wait() }
func (c *carrierSim) Close()                          { c.once.Do(func() { close(c.quit) }) }

// refuse makes every further send fail.
func (c *carrierSim) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = err
}

func (c *carrierSim) SendMedia(ulaw []byte) error {
	return c.send(carrierMsg{audio: append([]byte(nil), ulaw...)})
}

func (c *carrierSim) SendMark(name string) error {
	return c.send(carrierMsg{mark: name})
}

func (c *carrierSim) SendClear() error {
	c.mu.Lock()
	c.clearAt = append(c.clearAt, time.Now())
	c.mu.Unlock()
	return c.send(carrierMsg{clear: true})
}

// stall makes the next send take some time, which a real one never does: a process that is late looks like this.
func (c *carrierSim) stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = d
}

func (c *carrierSim) send(m carrierMsg) error {
	c.mu.Lock()
	refused, stall := c.refused, c.stalled
	c.stalled = 0
	c.mu.Unlock()
	time.Sleep(stall)
	if refused != nil {
		return refused
	}
	m.at = c.arrives(c.begun, time.Now(), c.up)
	c.inbox <- m
	return nil
}

// play advances in steps of 1 ms: fine enough for every assertion, cheap on a virtual clock.
func (c *carrierSim) play() {
	defer c.wg.Done()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var waiting []carrierMsg
	for {
		select {
		case <-c.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
	drain:
		for {
			select {
			case m := <-c.inbox:
				waiting = append(waiting, m)
			default:
				break drain
			}
		}
		for len(waiting) > 0 && !waiting[0].at.After(now) {
			c.arrive(waiting[0])
			waiting = waiting[1:]
		}
		c.step()
	}
}

// heard returns n bytes of what the caller's ear got until ms ago; silence before the beginning.
func (c *carrierSim) heard(n, ago int) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := bytes.Repeat([]byte{audio.Silence}, n)
	from := len(c.air) - ago*bytesPerMs - n
	for i := max(0, -from); i < n && from+i < len(c.air); i++ {
		out[i] = c.air[from+i]
	}
	return out
}

func (c *carrierSim) arrive(m carrierMsg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !m.clear {
		c.queue = append(c.queue, m)
		return
	}
	c.clears++
	for _, q := range c.queue {
		c.dropped += len(q.audio)
		if q.mark != "" {
			c.echo(q.mark)
		}
	}
	c.queue = nil
}

// step plays one millisecond.
func (c *carrierSim) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && c.queue[0].mark != "" {
		c.echo(c.queue[0].mark)
		c.queue = c.queue[1:]
	}
	if len(c.queue) == 0 {
		c.silent++
		if c.keepAir {
			c.air = append(c.air, quiet[:bytesPerMs]...)
		}
		return
	}
	if c.silent > 0 && len(c.played) > 0 {
		c.dry = append(c.dry, c.silent)
	}
	c.silent = 0
	head := &c.queue[0]
	n := min(bytesPerMs, len(head.audio))
	c.played = append(c.played, head.audio[:n]...)
	if c.keepAir {
		c.air = append(append(c.air, head.audio[:n]...), quiet[:bytesPerMs-n]...)
	}
	if head.audio = head.audio[n:]; len(head.audio) == 0 {
		c.queue = c.queue[1:]
	}
}

func (c *carrierSim) echo(name string) {
	c.marks = append(c.marks, name)
	at := c.arrives(c.begun, time.Now(), c.down)
	if at.Before(c.echoAt) {
		at = c.echoAt
	}
	c.echoAt = at
	time.AfterFunc(time.Until(at), func() { c.deliver(leg.CarrierEvent{Kind: leg.CarrierMark, Name: name}) })
}

func (c *carrierSim) deliver(ev leg.CarrierEvent) {
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.gone || c.holding && ev.Kind == leg.CarrierMedia || c.losing && ev.Kind == leg.CarrierMark {
		return
	}
	select {
	case c.events <- ev:
	case <-c.quit:
	}
}

// holdFrames holds the caller's frames back from now on, or no longer.
func (c *carrierSim) holdFrames(hold bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.holding = hold
}

// loseMarks loses the echoes of marks from now on, or no longer.
func (c *carrierSim) loseMarks(lose bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.losing = lose
}

// vanish closes the events without a stop.
func (c *carrierSim) vanish() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.gone = true
	close(c.events)
}

func (c *carrierSim) playedMs() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.played)) / bytesPerMs
}

// cleared is how often the buffer was cleared.
func (c *carrierSim) cleared() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clears
}

// modelSim records what the session asks of the model; the test says what the model does.
type modelSim struct {
	events chan leg.ModelEvent
	once   sync.Once
	done   chan struct{}

	obliging bool      // says at once that its session is configured
	expires  time.Time // of its session, when obliging

	gate      sync.Mutex // of events
	gone      bool
	swallowed bool // nothing of it arrives any more

	mu         sync.Mutex
	answer     func(leg.Ask) (text string, ms int)
	asks       []leg.Ask
	sent       []string // one line per client event
	n          int
	heardAudio int

	onAudio  func([]byte) // what the model does by itself; nil = nothing
	onCreate func()
	onCancel func(responseID string)
}

func newModelSim() *modelSim {
	return &modelSim{events: make(chan leg.ModelEvent, 10_000), done: make(chan struct{})}
}

// heard is how much of the caller's audio the model got, in bytes.
func (m *modelSim) heard() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heardAudio
}

func (m *modelSim) note(format string, args ...any) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	m.sent = append(m.sent, fmt.Sprintf(format, args...))
	return fmt.Sprintf("e%d", m.n)
}

func (m *modelSim) log() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.sent...)
}

func (m *modelSim) Events() <-chan leg.ModelEvent { return m.events }
func (m *modelSim) Err() error                    { return nil }
func (m *modelSim) Probe() error {
	m.say(leg.ModelEvent{Kind: leg.ModelSessionUpdated})
	return nil
}
func (m *modelSim) Close() { m.once.Do(func() { close(m.done) }) }
func (m *modelSim) Wait()  {}
func (m *modelSim) Configure(leg.SessionConfig) (string, error) {
	if m.obliging {
		m.say(leg.ModelEvent{Kind: leg.ModelSessionCreated, Expires: m.expires}, leg.ModelEvent{Kind: leg.ModelSessionUpdated})
	}
	return m.note("configure"), nil
}
func (m *modelSim) AddItem(h leg.HistoryItem) error {
	switch place := ""; {
	case h.Kind == leg.HistoryToolCall:
		m.note("call %s %s %s", h.CallID, h.Name, h.Arguments)
	case h.Kind == leg.HistoryToolResult:
		m.note("result %s %s", h.CallID, h.Text)
	case h.Audio != "":
		m.note("history %s audio", h.Role)
		m.mu.Lock()
		m.heardAudio += len(h.Audio)
		m.mu.Unlock()
	default:
		if h.After != "" {
			place = " after " + h.After
		}
		m.note("history %s %s%s", h.Role, h.Text, place)
	}
	return nil
}
func (m *modelSim) AppendAudio(b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heardAudio += len(b)
	if m.onAudio != nil {
		m.onAudio(b)
	}
	return nil
}
func (m *modelSim) CreateResponse(a leg.Ask) (string, error) {
	m.mu.Lock()
	m.asks = append(m.asks, a)
	n, answer := len(m.asks), m.answer
	m.mu.Unlock()
	if m.onCreate != nil {
		m.onCreate()
	}
	if answer != nil {
		if text, ms := answer(a); ms >= 0 {
			id := fmt.Sprintf("%p-%d", m, n)
			m.reply("r"+id, "a"+id, text, ms)
			m.say(leg.ModelEvent{Kind: leg.ModelResponseDone, ResponseID: "r" + id, Status: "completed"})
		}
	}
	if a.Purpose != "" {
		return m.note("create %s", a.Purpose), nil
	}
	if a.Instructions != "" {
		return m.note("create with instructions"), nil
	}
	return m.note("create"), nil
}
func (m *modelSim) CancelResponse(id string) (string, error) {
	if m.onCancel != nil {
		m.onCancel(id)
	}
	return m.note("cancel %s", id), nil
}
func (m *modelSim) Truncate(item string, index int, ms int64) (string, error) {
	return m.note("truncate %s/%d %d", item, index, ms), nil
}
func (m *modelSim) DeleteItem(item string) (string, error) { return m.note("delete %s", item), nil }
func (m *modelSim) SendToolResult(id, out string) error    { m.note("result %s %s", id, out); return nil }

// say sends events, unless the session has vanished.
func (m *modelSim) say(evs ...leg.ModelEvent) {
	m.gate.Lock()
	defer m.gate.Unlock()
	for _, ev := range evs {
		if !m.gone && !m.swallowed {
			m.events <- ev
		}
	}
}

// fallSilent lets nothing of the session through any more; the connection stays open.
func (m *modelSim) fallSilent() {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.swallowed = true
}

// vanish cuts the session.
func (m *modelSim) vanish() {
	m.gate.Lock()
	defer m.gate.Unlock()
	if !m.gone {
		m.gone = true
		close(m.events)
	}
}

// answers makes it answer every response.create from now on: with the words and so many milliseconds of audio, at
// once; not when they are negative.
func (m *modelSim) answers(answer func(leg.Ask) (text string, ms int)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// asked is what responses were asked for.
func (m *modelSim) asked() []leg.Ask {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]leg.Ask(nil), m.asks...)
}

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

func (m *modelSim) reply(resp, item, text string, ms int) {
	m.say(
		leg.ModelEvent{Kind: leg.ModelResponseCreated, ResponseID: resp},
		leg.ModelEvent{Kind: leg.ModelItemAdded, ResponseID: resp, ItemID: item, ItemType: "message"},
	)
	m.part(resp, item, text, ms)
	m.say(
		leg.ModelEvent{Kind: leg.ModelAudioDone, ResponseID: resp, ItemID: item},
		leg.ModelEvent{Kind: leg.ModelItemDone, ResponseID: resp, ItemID: item, ItemType: "message", Status: "completed"},
	)
}

func (m *modelSim) part(resp, item, text string, ms int) {
	m.say(leg.ModelEvent{Kind: leg.ModelText, ResponseID: resp, ItemID: item, Text: text})
	for ms > 0 {
		n := min(ms, 130) // uneven, not a multiple of 20 ms
		m.say(leg.ModelEvent{Kind: leg.ModelAudio, ResponseID: resp, ItemID: item, Audio: bytes.Repeat([]byte{agentByte}, n*bytesPerMs)})
		ms -= n
	}
}

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
