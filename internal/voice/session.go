package voice

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/bill"
	"parley/internal/leg"
	"parley/internal/record"
	"parley/internal/store"
	"parley/internal/tool"
)

// Carrier is the caller's leg. Sends never block and belong to the session's goroutine. Events is closed when
// the socket is gone. Close returns at once, Wait when the leg's goroutines have ended.
type Carrier interface {
	Events() <-chan leg.CarrierEvent
	Err() error
	SendMedia(ulaw []byte) error
	SendMark(name string) error
	SendClear() error
	Close()
	Wait()
}

// Model is the speech model's leg, in the vocabulary of OpenAI's Realtime API. Sends never block and belong to
// the session's goroutine; event ids match later ModelError events. Events is closed when the session is gone.
type Model interface {
	Events() <-chan leg.ModelEvent
	Err() error
	Configure(cfg leg.SessionConfig) (eventID string, err error)
	AddItem(h leg.HistoryItem) error
	AppendAudio(ulaw []byte) error
	CreateResponse(a leg.Ask) (eventID string, err error)
	CancelResponse(responseID string) (eventID string, err error)
	Truncate(itemID string, contentIndex int, audioEndMs int64) (eventID string, err error)
	DeleteItem(itemID string) (eventID string, err error)
	SendToolResult(callID, output string) error
	Probe() error // asks for any event, as a sign of life; it changes nothing
	Close()
	Wait()
}

// Recorder takes what goes on record; *log.Writer is the one of the running server. Fact and Telemetry never
// block. Intent waits for the commit and is only called off the session's goroutine. Done is closed when this
// session may not write any more, because another process owns the call or the record's bounds are reached.
type Recorder interface {
	Fact(typ string, data any)
	Telemetry(typ string, data any)
	Intent(ctx context.Context, typ string, data any, also ...func(context.Context, *store.Tx) error) error
	Done() <-chan struct{}
	Err() error
}

// Config is what a session needs to know about its call.
type Config struct {
	Call    parley.Call
	Agent   parley.Agent // a voice agent
	Tools   []parley.Tool
	Earlier []parley.Event    // of earlier streams of the same call, for what their tools count
	History []leg.HistoryItem // of an earlier stream of the same call; the greeting is then not repeated

	Recording *record.Writer // of this stream; nil = none

	SimulatedModel bool
	Dial           func(context.Context) (Model, error)
	RunTool        func(context.Context, tool.Call) tool.Result
	SessionLife    time.Duration   // of a model session that does not say when it ends; zero = 60 minutes
	Patience       time.Duration   // how long the caller may wait for a model, all attempts together; zero = 15 s
	Bill           *bill.Bill      // nil: the built-in prices
	Counts         *Counts         // nil: nobody wants to know
	Direction      string          // of the call, for the carrier's price
	Spent          int64           // by earlier streams of the same call, in micro-dollars
	Over           <-chan struct{} // closed when the carrier says by another way that the call is over; may be nil
	Taken          <-chan struct{} // closed when another stream of the call was attached in this process; may be nil
	Lost           bool            // the caller noticed that an earlier stream was lost
	HandOver       <-chan struct{} // closed when the call shall go to another process at the end of a turn; may be nil
	Log            *slog.Logger
}

// Outcome says how a session ended and what has to happen to the call.
type Outcome struct {
	Reason   string            // one of parley.End*
	Intent   parley.CallIntent // what the carrier's next request is answered with
	Errand   parley.Errand     // of an intent to come back
	Detached bool              // the stream vanished without a stop: the call may still live
	Fenced   bool              // another stream or process owns the call now: touch nothing
	// Keep is how long the session waits for another stream of its call; zero = it is over. See Rejoin.
	Keep time.Duration
	// HandOver says that the stream did not vanish: this process let the call go, for another one.
	HandOver bool
}

// Timing and bounds of a session.
const (
	createTimeout  = 10 * time.Second       // response.create → response.created
	stallTimeout   = 20 * time.Second       // silence of the model in the middle of a response
	mediaTimeout   = 30 * time.Second       // silence of the carrier; it sends frames all the time
	retryDelay     = 500 * time.Millisecond // before a failed or refused response is asked for again
	commitTimeout  = 2 * time.Second        // from the end of speech to its commit as a turn
	positionPeriod = time.Second            // of playout.position events
	goodbyeTimeout = 30 * time.Second       // for a goodbye to be said and heard
	maxHeldAudio   = 15_000 * bytesPerMs    // caller's audio kept while the model is dialed
	// keepDetached is how long a session outlives its stream. The carrier's way back (a spoken "one moment", a pause of
	// 2 s, a webhook, a handshake) takes about 4 s.
	keepDetached = 10 * time.Second
)

// Session is one live call. Make it with New and run it with Run. When a run's Outcome says Keep, the session may be
// given another stream of its call with Rejoin and run again; the model's leg, the running tools and what the caller
// has not yet heard are kept. Otherwise, or when nobody came, Release it, and Wait.
type Session struct {
	cfg     Config
	carrier Carrier
	rec     Recorder
	ctx     context.Context // the session's life, across its runs
	cancel  context.CancelFunc
	begun   bool

	model       Model // absent until dialed
	modelEvents <-chan leg.ModelEvent
	dialing     bool
	configureID string
	ready       bool   // the model's session is configured
	held        []byte // caller's audio until ready
	appended    int64  // bytes of caller's audio given to the model

	ledger  ledger
	barge   barge
	seq     sequencer
	turn    *turn
	answer  *answer // of the last turn, until it is heard
	pace    pace
	budget  budget
	dead    map[string][]string // responses that were interrupted → items to delete when they are done; kept to drop what comes late
	said    map[string]bool     // items whose words are on record
	tools   toolbox
	guard   *tool.Guard
	consent consent
	memory  memory
	tail    tail
	outage  outage
	swap    swap
	pulse   pulse
	prompts prompts
	filler  filler

	news       chan any       // of the goroutines that the session starts: a dialResult or a *toolResult
	retired    sync.WaitGroup // closings of model sessions that were replaced
	connects   int            // sessions of the model that were ready
	midTurn    bool           // the caller was speaking when the model was lost
	unanswered bool           // … and has to be answered, even if the next session finds no speech in it

	handing     bool      // the call goes to another process at the end of a turn
	leaveReason string    // "" = the agent has hung up
	leaveBy     time.Time // the agent ends the call when its goodbye was heard, then at the latest; zero = it stays
	leaving     leaving   // what a control tool asked for
	back        bool      // the call may have come back from an errand
	keypad      keypad
	machine     *machine // nil when the agent cannot leave a message
	spoke       string   // response of the newest audio
	retryAt     time.Time
	failed      int // responses failed in a row

	carrierGone    bool // sends fail: the end of its events says how the call ended
	callerSpeaking bool
	cutOff         bool      // the caller's speech has interrupted an answer and is not yet a turn
	commitBy       time.Time // when what the caller has said has to be a turn; zero = nothing is waited for
	cancelCreated  bool      // interrupted while response.create was in flight

	startedAt    time.Time
	callSince    time.Time // the call's own beginning, before startedAt when the stream was resumed
	lastMedia    time.Time // from the carrier
	lastActivity time.Time // of either party, for the silence timeout
	lastPosition time.Time
	leftAt       time.Time // when the run before this one ended
	lot          *lot      // between two runs; nil while one runs

	outcome *Outcome
}

// New makes a session over an attached carrier stream. rec must belong to the call's current epoch.
func New(carrier Carrier, rec Recorder, cfg Config) *Session {
	if cfg.Bill == nil {
		cfg.Bill = bill.Builtin()
	}
	if cfg.Counts == nil {
		cfg.Counts = NewCounts()
	}
	cfg.Tools = offered(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	cfg.SessionLife = cmp.Or(cfg.SessionLife, sessionLife)
	cfg.Patience = cmp.Or(cfg.Patience, defaultPatience)
	s := &Session{
		cfg: cfg, carrier: carrier, rec: rec, ctx: ctx, cancel: cancel,
		model:  absent{},
		news:   make(chan any, maxNews),
		budget: newBudget(cfg),
		ledger: ledger{lead: lead{ahead: minLead}},
		barge:  barge{gate: newGate(cfg.Agent.Voice)},
		tail:   newTail(prefixOf(cfg.Agent.Voice)),
		dead:   map[string][]string{},
		said:   map[string]bool{},
		tools:  newToolbox(), consent: newConsent(),

		back: cfg.Call.Continued(), machine: newMachine(cfg.Tools),
	}
	s.guard = s.newGuard()
	return s
}

// Run holds the call until one side ends it or ctx is done. It returns at once then: the caller of Run commits
// the outcome and closes the carrier's leg before Wait, because a model's socket may take its time to close.
func (s *Session) Run(ctx context.Context) *Outcome {
	if s.begun {
		s.goOn()
	} else {
		s.begin()
	}
	wake := newAlarm()
	defer wake.stop()

	for s.outcome == nil {
		now := time.Now()
		s.paced(now)
		s.tend(now)
		s.pump(now)
		s.resolve(now)
		s.create(now)
		s.leave(now)
		s.keepBudget(now)
		s.handsOver(now)
		if s.outcome != nil {
			break
		}
		s.awaitFrame()
		wake.by(s.deadline(now), now)
		s.await(wake)
		s.look(ctx)
	}
	s.settle(time.Now())
	if s.outcome.Keep == 0 {
		s.Release()
	}
	return s.outcome
}

// Release ends everything that belongs to the session but the carrier's leg; it does not wait for a socket.
func (s *Session) Release() {
	s.cancel()
	s.lot.leave()
	s.lot = nil
	s.tools.wait()
	s.model.Close()
	s.swap.drop(s)
}

// Wait returns when everything that Release ends has ended. Call it once.
func (s *Session) Wait() {
	for s.dialing || s.swap.dialing { // the dialing ends with the session's context
		s.tooLate(<-s.news)
	}
	s.tools.wait()
	s.retire(s.model)
	s.retired.Wait()
}

func (s *Session) begin() {
	now := time.Now()
	s.begun = true
	s.startedAt, s.callSince, s.lastMedia, s.lastActivity = now, now, now, now
	if s.cfg.Call.Continued() {
		s.callSince = s.cfg.Call.CreatedAt
	}
	// A mark before any audio comes straight back: it measures the round trip of this call.
	s.sendMark(now)
	s.dial(now)
}

// end decides how the session ends; the first decision stands.
func (s *Session) end(reason string, intent parley.CallIntent) {
	if s.outcome == nil {
		s.outcome = &Outcome{Reason: reason, Intent: intent}
	}
}

// fault puts a failure on record, in words for the operator.
func (s *Session) fault(where, typ, message string) {
	s.rec.Fact(parley.EventError, parley.ErrorData{Where: where, Type: typ, Message: message})
	s.cfg.Log.Warn("call fault", slog.String("where", where), slog.String("type", typ), slog.String("message", message))
}

func (s *Session) onRecorderDone() {
	if errors.Is(s.rec.Err(), store.ErrFenced) {
		s.outcome = &Outcome{Fenced: true}
		return
	}
	s.cfg.Log.Error("call record closed", slog.Any("error", s.rec.Err()))
	s.end(parley.EndOverload, parley.IntentNotice)
}

// deadline is when onTime has to look next.
func (s *Session) deadline(now time.Time) time.Time {
	at := now.Add(lookEvery)
	sooner := func(t time.Time) {
		if t.Before(at) {
			at = t
		}
	}
	sooner(s.lastMedia.Add(mediaTimeout))
	if s.frameWaits() {
		sooner(s.ledger.playhead.Add(-s.ledger.lead.ahead))
	}
	if s.ledger.speaking() {
		sooner(s.lastPosition.Add(positionPeriod))
	}
	s.tendAt(now, sooner)
	if t := s.bargeDeadline(now); !t.IsZero() {
		sooner(t)
	}
	if s.seq.creating != "" {
		sooner(s.seq.creatingAt.Add(createTimeout))
	}
	if s.seq.active != "" {
		sooner(s.seq.activityAt.Add(stallTimeout))
	}
	if !s.leaveBy.IsZero() {
		sooner(s.leaveBy)
	}
	s.tellKeysAt(sooner)
	if t, ok := s.budgetLooks(now); ok {
		sooner(t)
	}
	if !s.retryAt.IsZero() {
		sooner(s.retryAt)
	}
	if !s.commitBy.IsZero() && !s.pulse.probing() {
		sooner(s.commitBy)
	}
	if t, ok := s.silenceEnds(); ok {
		sooner(t)
	}
	return at
}

func (s *Session) onTime(now time.Time) {
	due := func(t time.Time) bool { return !now.Before(t) }
	switch {
	case due(s.lastMedia.Add(mediaTimeout)):
		s.fault("carrier", "stalled", "the carrier sent no audio for 30 s")
		s.detach()
	case s.seq.creating != "" && due(s.seq.creatingAt.Add(createTimeout)):
		s.modelLost("timeout", "the model did not begin to answer")
	case s.seq.active != "" && due(s.seq.activityAt.Add(stallTimeout)):
		s.modelLost("timeout", "the model stopped in the middle of an answer")
	default:
		if t, ok := s.silenceEnds(); ok && due(t) {
			s.onSilence(now)
		}
	}
	if !s.retryAt.IsZero() && due(s.retryAt) {
		s.retryAt = time.Time{}
		s.seq.again()
	}
	if !s.commitBy.IsZero() && due(s.commitBy) && !s.pulse.probing() {
		s.noTurn()
	}
	s.listen(now)
	if s.ledger.speaking() && due(s.lastPosition.Add(positionPeriod)) {
		s.reportPosition(now)
		if !s.carrierGone && s.ledger.presume(now) {
			s.reportHeard(now)
		}
	}
}

// noTurn: what the caller said was no turn after all. The answer that it cut off is taken up again: nobody is left in
// silence.
func (s *Session) noTurn() {
	s.commitBy = time.Time{}
	s.tail.drop()
	switch {
	case s.cutOff:
		s.cutOff = false
		s.seq.want(leg.Ask{})
	case s.unanswered:
		s.say(s.instruct(askRepeat))
	}
	s.unanswered = false
}
