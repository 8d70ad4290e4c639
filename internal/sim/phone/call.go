package phone

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"parley/internal/ws"
)

// Call is one call in progress. Its methods are safe for concurrent use. It owns three goroutines while it
// lives: one executes TwiML and reads the stream, one ticks every 20 ms, one delivers status callbacks. Done is
// closed when all have ended.
type Call struct {
	opt       Options
	public    *url.URL
	local     *url.URL
	client    *http.Client
	streams   *http.Client // for sockets
	callbacks chan callback
	done      chan struct{}
	wake      chan struct{} // capacity 1: a delayed message is due before the next tick

	mu       sync.Mutex
	status   string // Twilio's CallStatus
	started  time.Time
	answered time.Time // zero until then
	ended    time.Time
	endedBy  string
	failure  *Failure
	abrupt   bool
	redirect *document // set by REST: what to execute next
	cancel   context.CancelFunc
	tape     tape
	speaker  playout // audio of the server's stream and of Say
	caller   caller
	stream   *stream // attached, or nil
	up, down delayLine
	record   record
	pending  []Event // told after the lock is released
	callSeq  int     // of status callbacks
}

// document is TwiML to be executed: the text, or the URL to ask for it.
type document struct {
	url   string // public
	get   bool   // method GET
	twiml string
	extra url.Values
}

func newCall(opt Options) (*Call, error) {
	public, _ := url.Parse(opt.PublicURL) // checked by complete
	local, _ := url.Parse(opt.WebhookURL)
	c := &Call{
		opt: opt, public: public, local: local,
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
				MaxIdleConnsPerHost:   1,
				ResponseHeaderTimeout: webhookTimeout,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		streams:   ws.Client(&http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: webhookTimeout}),
		callbacks: make(chan callback, 32),
		done:      make(chan struct{}),
		wake:      make(chan struct{}, 1),
		status:    "ringing",
		started:   time.Now(),
	}
	c.caller.steps = opt.Program
	c.tape.agent.last = -1
	c.up.set(opt.Delay.Up, opt.Delay.Jitter, opt.Delay.Seed)
	c.down.set(opt.Delay.Down, opt.Delay.Jitter, opt.Delay.Seed+1)
	return c, nil
}

// SID returns the CallSid.
func (c *Call) SID() string { return c.opt.CallSID }

// Done is closed when the call and everything it owned has ended.
func (c *Call) Done() <-chan struct{} { return c.done }

// Wait waits for the end of the call, or of ctx, and returns the report so far.
func (c *Call) Wait(ctx context.Context) *Report {
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	return c.Report()
}

// Hangup ends the call as the caller would: a stop message, then the socket's close.
func (c *Call) Hangup() { c.end("caller", false) }

// Vanish ends the call without a stop message or a closing handshake, as Twilio sometimes does.
func (c *Call) Vanish() { c.end("caller", true) }

// end begins the end of the call; only the first reason counts.
func (c *Call) end(by string, abrupt bool) {
	c.mu.Lock()
	c.endLocked(by, abrupt)
	c.unlock()
}

func (c *Call) endLocked(by string, abrupt bool) {
	if c.endedBy != "" {
		return
	}
	c.endedBy, c.abrupt = by, abrupt
	if c.cancel != nil {
		c.cancel()
	}
}

// tell queues an event for OnEvent; the lock must be held.
func (c *Call) tell(kind, text string) {
	if c.opt.OnEvent != nil {
		c.pending = append(c.pending, Event{Kind: kind, At: c.sinceAnswer(time.Now()), Text: text})
	}
}

// unlock releases the lock and then tells what happened under it.
func (c *Call) unlock() {
	events := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, e := range events {
		c.opt.OnEvent(e)
	}
}

func (c *Call) sinceAnswer(now time.Time) time.Duration {
	if c.answered.IsZero() {
		return 0
	}
	return now.Sub(c.answered)
}

// run is the life of the call.
func (c *Call) run(ctx context.Context) {
	defer close(c.done)
	defer c.client.CloseIdleConnections()
	limit, stop := context.WithTimeout(ctx, c.opt.MaxDuration)
	defer stop()

	var delivered sync.WaitGroup
	delivered.Go(func() { c.deliver(context.WithoutCancel(ctx)) })
	defer delivered.Wait()
	defer close(c.callbacks)

	var line sync.WaitGroup
	lineCtx, stopLine := context.WithCancel(context.WithoutCancel(ctx))
	c.report("initiated")
	c.report("ringing")
	next := &document{url: c.opt.PublicURL}
	for n := 0; next != nil; n++ {
		if n == maxDocuments {
			c.fail(&Failure{Code: 12100, Message: "more than 50 TwiML documents: the call is redirected in circles"})
			break
		}
		verbCtx, cancel := context.WithCancel(limit)
		c.begin(cancel)
		verbs, base, err := c.fetch(verbCtx, next)
		if err == nil {
			if c.answer(verbs) {
				line.Go(func() { c.line(lineCtx) })
			}
			next = c.execute(verbCtx, verbs, base)
		} else {
			next = c.fallback(verbCtx, next, err)
		}
		cancel()
		next = c.follow(limit, next)
	}
	stopLine()
	line.Wait()
	c.finish()
}

// begin makes the next document interruptible. A call that has ended meanwhile is interrupted at once.
func (c *Call) begin(cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	if c.endedBy != "" || c.redirect != nil {
		cancel()
	}
}

// answer marks the call as answered at the first document that does not reject it. It reports whether the
// line must be started.
func (c *Call) answer(verbs []verb) bool {
	c.mu.Lock()
	defer c.unlock()
	if !c.answered.IsZero() || c.endedBy != "" || len(verbs) > 0 && verbs[0].name == "Reject" {
		return false
	}
	c.answered, c.status = time.Now(), "in-progress"
	c.tell(EventAnswered, "")
	c.reportLocked("answered")
	return true
}

// follow decides what comes after a document: nothing once the call has ended, else what REST asked for, else
// what the verbs asked for.
func (c *Call) follow(limit context.Context, next *document) *document {
	c.mu.Lock()
	defer c.unlock()
	if errors.Is(limit.Err(), context.DeadlineExceeded) {
		c.endLocked("max duration", false)
	} else if limit.Err() != nil {
		c.endLocked("canceled", false)
	}
	if c.endedBy != "" {
		return nil
	}
	if c.redirect != nil {
		next, c.redirect = c.redirect, nil
	}
	if next == nil {
		c.endLocked("end of TwiML", false)
	}
	return next
}

// fail ends the call because the server's answer is of no use.
func (c *Call) fail(f *Failure) {
	c.mu.Lock()
	defer c.unlock()
	if c.endedBy != "" {
		return // an interrupted request is not the server's failure
	}
	c.failure = f
	c.violation(f.Code, "%s", f.Message)
	c.endLocked("error", false)
}

func (c *Call) finish() {
	c.mu.Lock()
	defer c.unlock()
	c.ended = time.Now()
	switch {
	case c.status == "busy" || c.status == "no-answer": // rejected
	case c.answered.IsZero() && c.endedBy == "caller":
		c.status = "canceled"
	case c.answered.IsZero():
		c.status = "failed"
	default:
		c.status = "completed"
	}
	c.tell(EventEnded, c.endedBy)
	c.reportLocked("completed")
}
