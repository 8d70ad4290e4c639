package model

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	readLimit    = 16 << 20 // an append may carry 15 MiB
	writeTimeout = 10 * time.Second
)

// Conn is one Realtime connection. One goroutine reads the socket, another (run) owns all state and writes.
type Conn struct {
	srv   *Server
	opt   Options
	ws    *websocket.Conn
	model string
	ctx   context.Context
	drop  context.CancelFunc
	inbox chan []byte
	asks  chan func() // from other goroutines, run by the owner

	mu     sync.Mutex
	script []Reply

	// Owned by run:
	sessionID string
	expiresAt time.Time
	session   map[string]any
	cfg       config
	items     []*item
	input     input
	active    *response   // the one that writes to the conversation
	side      []*response // out of band, in parallel
	responses int
	spoken    bool // audio was sent: the voice is fixed
	held      []func()
	autoNext  bool // a turn ended while a cancelled response was winding down
	billed    int  // context tokens of the last response: cached in the next
	tasks     []*task
	idle      *task
	scratch   []byte
	err       error
}

// task is something to do later, in the owner's goroutine.
type task struct {
	at time.Time
	do func()
}

// realtime is the route: it upgrades and serves one connection until either side ends it.
func (s *Server) realtime(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("OpenAI-Beta"), "realtime=v1") {
		fail(w, http.StatusBadRequest, refuse("beta_api_shape_disabled", "", "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API, without the OpenAI-Beta header."))
		return
	}
	model := r.URL.Query().Get("model")
	if model == "" {
		fail(w, http.StatusBadRequest, refuse("missing_model", "model", "You must provide a model parameter."))
		return
	}
	sock, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // Accept has answered
	}
	sock.SetReadLimit(readLimit)
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	c := &Conn{
		srv: s, opt: s.options(), ws: sock, model: model, ctx: ctx, drop: cancel,
		inbox: make(chan []byte, 64), asks: make(chan func()),
	}
	s.add(c)
	defer s.remove(c)
	var reader sync.WaitGroup
	reader.Go(c.read)
	c.run()
	cancel()
	_ = sock.CloseNow()
	reader.Wait()
}

// Model is the model that the client asked for.
func (c *Conn) Model() string { return c.model }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.ctx.Done() }

// Script queues replies for this connection's next responses, before the server's script and the brain.
func (c *Conn) Script(replies ...Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.script = append(c.script, replies...)
}

// Drop cuts the connection without a close frame, as a lost network does.
func (c *Conn) Drop() { c.drop() }

// Expire ends the session as at its maximum age.
func (c *Conn) Expire() { c.ask(c.expire) }

// SendError sends an error event that belongs to no client event.
func (c *Conn) SendError(typ, code, message string) {
	c.ask(func() { c.sendError(&apiError{Type: typ, Code: &code, Message: message}, "") })
}

// Inject sends raw, which must be one JSON object, as it is: for events that the simulator itself never makes.
func (c *Conn) Inject(raw []byte) { c.ask(func() { c.write(raw) }) }

func (c *Conn) ask(do func()) {
	select {
	case c.asks <- do:
	case <-c.ctx.Done():
	}
}

func (c *Conn) read() {
	for {
		typ, raw, err := c.ws.Read(c.ctx)
		if err != nil {
			c.drop()
			return
		}
		if typ != websocket.MessageText {
			raw = nil // refused as malformed by the owner
		}
		select {
		case c.inbox <- raw:
		case <-c.ctx.Done():
			return
		}
	}
}

// run is the owner: it serves messages, requests of tests and due tasks until the connection ends.
func (c *Conn) run() {
	c.begin()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for c.err == nil {
		timer.Reset(c.untilNext())
		select {
		case raw := <-c.inbox:
			if c.opt.OnMessage != nil {
				c.opt.OnMessage(c, FromClient, raw)
			}
			if !c.opt.Mute {
				c.handle(raw)
			}
		case do := <-c.asks:
			do()
		case <-timer.C:
			c.runDue()
		case <-c.ctx.Done():
			return
		}
	}
	if !errors.Is(c.err, errEnded) && c.ctx.Err() == nil {
		c.opt.Logger.Debug("simulated model lost its client", slog.Any("error", c.err))
	}
}

var errEnded = errors.New("session ended")

func (c *Conn) begin() {
	c.sessionID = c.srv.id("sess")
	c.expiresAt = time.Now().Add(c.opt.MaxAge)
	c.session = defaultSession(c.sessionID, c.model, c.expiresAt)
	c.cfg = configOf(c.session)
	c.input.configure(c.cfg)
	c.after(c.opt.MaxAge, c.expire)
	if c.opt.DropAfter > 0 {
		c.after(c.opt.DropAfter, c.drop)
	}
	c.send("session.created", members{"session": c.session})
}

func (c *Conn) expire() {
	const words = "Your session hit the maximum duration of 60 minutes."
	c.sendError(refuse("session_expired", "", words), "")
	_ = c.ws.Close(websocket.StatusGoingAway, words)
	c.err = errEnded
}

func (c *Conn) after(d time.Duration, do func()) *task {
	t := &task{at: time.Now().Add(d), do: do}
	c.tasks = append(c.tasks, t)
	return t
}

func (c *Conn) forget(t *task) {
	for i, o := range c.tasks {
		if o == t {
			c.tasks = append(c.tasks[:i], c.tasks[i+1:]...)
			return
		}
	}
}

func (c *Conn) earliest() *task {
	var first *task
	for _, t := range c.tasks {
		if first == nil || t.at.Before(first.at) {
			first = t
		}
	}
	return first
}

func (c *Conn) untilNext() time.Duration {
	if t := c.earliest(); t != nil {
		return max(0, time.Until(t.at))
	}
	return time.Hour
}

func (c *Conn) runDue() {
	for now := time.Now(); c.err == nil; {
		t := c.earliest()
		if t == nil || t.at.After(now) {
			return
		}
		c.forget(t)
		t.do()
	}
}

type members map[string]any

// send encodes and sends one server event.
func (c *Conn) send(typ string, m members) {
	m["type"], m["event_id"] = typ, c.srv.id("event")
	raw, err := json.Marshal(m)
	if err != nil {
		c.err = err
		return
	}
	c.write(raw)
}

func (c *Conn) write(raw []byte) {
	if c.err != nil {
		return
	}
	if c.opt.OnMessage != nil {
		c.opt.OnMessage(c, ToClient, raw)
	}
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, raw); err != nil {
		c.err = err
	}
}

// sendError reports a refused client event; the session stays open.
func (c *Conn) sendError(e *apiError, eventID string) {
	body := members{"type": e.Type, "code": e.Code, "message": e.Message, "param": e.Param, "event_id": nil}
	if eventID != "" {
		body["event_id"] = eventID
	}
	c.send("error", members{"error": body})
}
