package chat

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"parley"
	"parley/internal/bill"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/tool"
)

// Options of a Service. Store, Log, Model, Tools, Endpoint and Owner are required; the others have defaults.
type Options struct {
	Store *store.Store
	Log   *log.Log
	Model Model
	Tools *tool.Runner
	// Endpoint says which provider, and whose account, serves an organization.
	Endpoint func(ctx context.Context, orgID string) (openai.Endpoint, error)
	// Owner is the id of this process; it marks the runs that it holds.
	Owner  string
	Bill   *bill.Bill // nil: the built-in prices
	Counts *tool.Counts
	Logger *slog.Logger

	Deadline time.Duration // of one turn; 2 min
	Lease    time.Duration // a run that is not renewed for this long counts as lost; 30 s
	MaxRuns  int           // at once in this process; 5,000
	// Of the tool calls of one conversation; zero takes tool.Limits' defaults.
	ToolCalls int
	ToolTime  time.Duration
	Keep      time.Duration // how long an ended run can still be followed; 1 h
}

// Bounds of a turn.
const (
	MaxMessage    = 32_000 // code points of a visitor's message
	maxRounds     = 8      // requests to the model
	parallelCalls = 8
	maxToolBytes  = 128 << 10 // of tool output that the model sees in one turn
	recordTime    = 10 * time.Second
	keepBytes     = 32 << 20 // of ended runs in memory
)

// Why a run is canceled.
var (
	errStopped  = errors.New("the visitor stopped the run")
	errClosing  = errors.New("the server is stopping")
	errLost     = errors.New("the run was taken over by another process")
	errDeadline = errors.New("the run took too long")
)

// Service runs chat turns. It is safe for concurrent use.
type Service struct {
	o     Options
	log   *slog.Logger
	peers peers // the keeper's

	life    context.Context //nolint:containedctx // of the keeper
	end     context.CancelFunc
	others  context.Context //nolint:containedctx // of everything about runs of other processes: it ends when Close begins
	forsake context.CancelFunc
	keepers sync.WaitGroup

	mu      sync.Mutex
	closing bool
	active  map[*turn]struct{}
	runs    map[string]*Run // active, mirrored and kept, by id
	kept    []*Run          // ended, oldest first
	bytes   int             // of kept
	mirrors int
	wg      sync.WaitGroup // active turns, and mirrors
}

// New makes a Service and starts its keepers, which renew leases, look after the runs of dead processes, and forget old
// ones. Close ends it.
func New(o Options) *Service {
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Minute
	}
	if o.Lease <= 0 {
		o.Lease = 30 * time.Second
	}
	if o.MaxRuns <= 0 {
		o.MaxRuns = 5000
	}
	if o.Keep <= 0 {
		o.Keep = time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Bill == nil {
		o.Bill = bill.Builtin()
	}
	s := &Service{o: o, log: o.Logger, peers: peers{}, active: map[*turn]struct{}{}, runs: map[string]*Run{}}
	s.life, s.end = context.WithCancel(context.Background())
	s.others, s.forsake = context.WithCancel(s.life)
	s.keepers.Go(s.keep)
	s.keepers.Go(s.mourn)
	return s
}

// Request is a visitor's message.
type Request struct {
	AgentID        string
	ConversationID string // "" begins a conversation
	Message        string
	Test           bool // works whatever the agent's status, and marks a new conversation
	// BeginID is the id of the conversation when this message begins one; "" makes one. It is a conflict when it was used.
	BeginID string
	// VisitorID is the website's visitor: a new conversation belongs to it, and another's does not exist for it. "" is
	// the API, which may continue every conversation.
	VisitorID string
	// ClientMessageID is the visitor's own id of the message: sent again, it finds the run that it began. "" has none.
	ClientMessageID string
	Origin          string // of the site, kept with a new conversation
	// ClientTools are the function names for which the page with the chat has a handler: of the agent's client tools the
	// model is offered these.
	ClientTools []string
	// Claim, if any, joins the transaction that begins the run; when it fails, nothing has begun and Start
	// returns its error.
	Claim func(ctx context.Context, tx *store.Tx, runID string) error

	replaces  store.Run // Retry: whose answer is given again
	messageID string    // Retry: the item id of its message
}

// Start accepts a message and begins its run; it returns once the message is on record. The run does not end
// with ctx: a message that was accepted is answered, listened to or not.
//
// A message whose ClientMessageID is known starts nothing: the run that it began is returned.
//
// Errors: invalid_request (empty or too long message, voice agent), not_found (agent, conversation),
// unavailable (the agent does not answer), conflict (the conversation is still answering; the ClientMessageID was
// used for another text), rate_limited (this process is full).
func (s *Service) Start(ctx context.Context, orgID string, req Request) (*Run, error) {
	t, err := s.begin(ctx, orgID, req)
	if parley.IsConflict(err) && s.reapStanding(ctx, orgID, req.ConversationID) {
		t, err = s.begin(ctx, orgID, req)
	}
	if again, ok := errors.AsType[*sameMessageError](err); ok {
		return s.again(ctx, again.run, req)
	}
	if err != nil {
		return nil, err
	}
	return t.run, nil
}

// Find returns a run that is active or ended less than an hour ago in this process.
func (s *Service) Find(orgID, runID string) (*Run, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.runs[runID]
	if !ok || r.OrgID != orgID {
		return nil, false
	}
	return r, true
}

// Active is how many runs are under way.
func (s *Service) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.active)
}

// Close refuses new runs, lets those under way end until ctx ends, cancels the rest and waits until they are
// on record as failed. Everybody who follows them sees run.completed; who follows a run of another process is cut off.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.forsake()

	idle := make(chan struct{})
	go func() { s.wg.Wait(); close(idle) }() // ends with the last turn, which its deadline bounds
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
		s.mu.Lock()
		for t := range s.active {
			t.cancel(errClosing)
		}
		s.mu.Unlock()
		<-idle // a canceled turn only records its end: at most recordTime
	}
	s.end()
	s.keepers.Wait()
	return err
}

// enter reserves a place for a turn.
func (s *Service) enter(t *turn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return parley.Errorf(parley.CodeUnavailable, "The server is restarting: please try again in a moment")
	case len(s.active) >= s.o.MaxRuns || s.o.Log.Backlogged():
		return parley.Errorf(parley.CodeRateLimited, "The server is busy: please try again in a moment")
	}
	s.active[t] = struct{}{}
	s.wg.Add(1)
	return nil
}

// publish makes a run findable.
func (s *Service) publish(r *Run) {
	s.mu.Lock()
	s.runs[r.ID] = r
	s.mu.Unlock()
}

// unpublish takes back a run that did not begin.
func (s *Service) unpublish(r *Run) {
	s.mu.Lock()
	delete(s.runs, r.ID)
	s.mu.Unlock()
}

// release gives a turn's place back; a run that began stays readable.
func (s *Service) release(t *turn) {
	s.mu.Lock()
	delete(s.active, t)
	if t.run != nil {
		s.keepRun(t.run)
	}
	s.mu.Unlock()
	s.wg.Done()
}

// keepRun leaves an ended run readable for a while. s.mu is held.
func (s *Service) keepRun(r *Run) {
	if s.runs[r.ID] == r {
		s.kept = append(s.kept, r)
		s.bytes += r.size()
		s.forget(time.Now())
	}
}
