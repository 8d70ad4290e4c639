package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"parley/internal/ws"
)

// stream is one Media Streams socket. The call's lock guards it, apart from conn, whose reads are receive's.
type stream struct {
	sid       string
	name      string
	url       string // public
	statusURL string
	params    map[string]string

	conn       *ws.Conn
	begun      bool // the start message has left
	closing    bool // ended from this side
	overflowed bool
	seq, chunk int
	in         parser
	report     *StreamReport
}

// sendQueue is what Twilio keeps for a server that does not read: about four seconds.
const sendQueue = 64 << 10

// attach opens the stream that a <Stream> describes and returns when it has ended.
func (c *Call) attach(ctx context.Context, v verb) {
	s := &stream{sid: newSID("MZ"), name: v.attrs["name"], statusURL: v.attrs["statusCallback"], url: v.attrs["url"]}
	if err := c.check(s, v); err != nil {
		c.streamFailed(s, err)
		return
	}
	if err := c.open(ctx, s); err != nil {
		if ctx.Err() == nil {
			c.streamFailed(s, err)
		}
		return
	}
	interrupt := context.AfterFunc(ctx, func() { c.detach(s) })
	reason := c.receive(s)
	interrupt()
	c.afterStream(ctx, s, reason)
}

// check applies Twilio's rules for a <Stream>.
func (c *Call) check(s *stream, v verb) error {
	u, err := url.Parse(s.url)
	switch {
	case err != nil || u.Host == "":
		return &Failure{Code: 31923, Message: "stream URL is malformed: " + s.url}
	case u.Scheme != "wss" && (u.Scheme != "ws" || c.public.Scheme != "http"):
		return &Failure{Code: 31922, Message: "stream URL must be wss: " + s.url}
	case u.RawQuery != "" || u.ForceQuery:
		return &Failure{Code: 31920, Message: "stream URL has a query string, which Twilio does not support: " + s.url}
	case v.attrs["track"] != "" && v.attrs["track"] != "inbound_track":
		return &Failure{Code: 31941, Message: "a bidirectional stream takes inbound_track only, not " + v.attrs["track"]}
	}
	s.params = make(map[string]string, len(v.children))
	for _, p := range v.children {
		name, value := p.attrs["name"], p.attrs["value"]
		if name == "" || len(name)+len(value) > 500 {
			return &Failure{Code: 12200, Message: fmt.Sprintf("Parameter %q: name and value must be 1-500 characters together", name)}
		}
		s.params[name] = value
	}
	return nil
}

// open connects the socket and says connected and start.
func (c *Call) open(ctx context.Context, s *stream) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	local, err := c.reach(s.url)
	if err != nil {
		return &Failure{Code: 31923, Message: err.Error()}
	}
	header := http.Header{"User-Agent": {"Twilio.TmeWs/1.0"}}
	if c.opt.AuthToken != "" {
		header.Set("X-Twilio-Signature", Signature(c.opt.AuthToken, s.url, nil))
	}
	//nolint:bodyclose // on failure dialFailure reads it; on success it is the connection
	conn, res, err := ws.Dial(ctx, c.streams, local, header)
	if err != nil {
		return dialFailure(res, err)
	}
	s.conn = ws.New(conn, ws.Options{QueueBytes: sendQueue, ReadLimit: maxMessage})

	c.mu.Lock()
	defer c.unlock()
	s.report = &StreamReport{SID: s.sid, Parameters: s.params, Started: c.sinceAnswer(time.Now())}
	c.record.streams = append(c.record.streams, s.report)
	c.stream = s
	c.tape.fed = -1
	c.send(s, s.connected(), nil)
	c.send(s, s.start(c.opt.AccountSID, c.opt.CallSID), func() { s.begun = true })
	c.tell(EventStreamStarted, s.sid)
	c.reportStream(s, "stream-started", "")
	return nil
}

func dialFailure(res *http.Response, err error) error {
	var op *net.OpError
	switch {
	case res != nil && res.StatusCode != http.StatusSwitchingProtocols:
		return &Failure{Code: 31920, HTTPStatus: res.StatusCode, Message: fmt.Sprintf("stream handshake answered HTTP %d instead of 101", res.StatusCode)}
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Code: 31901, Message: "stream connection timed out"}
	case errors.As(err, &op):
		return &Failure{Code: 31902, Message: "stream connection refused: " + err.Error()}
	}
	return &Failure{Code: 31924, Message: "stream handshake: " + err.Error()}
}

// streamFailed records why a stream could not be opened; the next verb runs.
func (c *Call) streamFailed(s *stream, err error) {
	c.mu.Lock()
	defer c.unlock()
	failure := &Failure{Code: 31924, Message: err.Error()}
	errors.As(err, &failure)
	c.violation(failure.Code, "%s", failure.Message)
	c.reportStream(s, "stream-error", failure.Message)
}

// send transmits a message through the delay; then runs after it has left. msg may be reused afterwards. The
// lock must be held.
func (c *Call) send(s *stream, msg []byte, then func()) {
	if c.up.direct() {
		c.put(s, msg)
		if then != nil {
			then()
		}
		return
	}
	held := append([]byte(nil), msg...)
	c.up.add(time.Now(), func() {
		c.put(s, held)
		if then != nil {
			then()
		}
	})
	c.rouse()
}

func (c *Call) put(s *stream, msg []byte) {
	if c.opt.OnMessage != nil {
		c.opt.OnMessage(Sent, msg)
	}
	if err := s.conn.Send(msg); errors.Is(err, ws.ErrSlowPeer) && !s.overflowed {
		s.overflowed = true
		c.violation(31930, "the server reads too slowly: caller audio is dropped")
	}
}

// rouse wakes the line, because something may be due before the next tick.
func (c *Call) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// detach ends the stream from the carrier's side.
func (c *Call) detach(s *stream) {
	c.mu.Lock()
	defer c.unlock()
	if s.closing {
		return
	}
	s.closing = true
	if c.abrupt {
		s.conn.CloseNow()
		return
	}
	c.up.run(time.Now().Add(time.Hour)) // what was on its way arrives before the stop
	c.put(s, s.stop(c.opt.AccountSID, c.opt.CallSID))
	s.conn.Close()
}

// receive reads the server's messages until the socket ends and says how it ended.
func (c *Call) receive(s *stream) string {
	for {
		raw, binary, err := s.conn.ReadEither()
		if err != nil {
			return c.closed(s, err)
		}
		c.mu.Lock()
		c.arrive(s, raw, binary)
		c.unlock()
	}
}

func (c *Call) arrive(s *stream, raw []byte, binary bool) {
	if s.closing {
		return // Twilio no longer listens
	}
	if c.opt.OnMessage != nil {
		c.opt.OnMessage(Received, raw)
	}
	if binary {
		c.violation(31950, "binary frame on the stream")
		return
	}
	m, err := s.in.parse(raw, s.sid)
	switch {
	case err != nil:
		c.violation(31951, "%v", err)
	case !s.begun:
		c.violation(31951, "%s before the start message", m.event)
	case c.down.direct():
		c.apply(s, m)
	default:
		m.payload = append([]byte(nil), m.payload...)
		c.down.add(time.Now(), func() { c.apply(s, m) })
		c.rouse()
	}
}

// apply lets a message take effect at the phone.
func (c *Call) apply(s *stream, m message) {
	now := c.sinceAnswer(time.Now())
	switch m.event {
	case "media":
		s.report.BytesReceived += len(m.payload)
		if !c.speaker.push(m.payload) {
			c.violation(31930, "more than five minutes of audio are waiting to be played; some was dropped")
		}
	case "mark":
		c.record.marks = append(c.record.marks, Mark{Name: m.name, At: now})
		if c.speaker.mark(m.name, len(c.record.marks)-1) {
			c.echo(s, pendingMark{name: m.name, record: len(c.record.marks) - 1}, false)
		}
	case "clear":
		dropped, marks := c.speaker.clear()
		c.record.clears = append(c.record.clears, Clear{At: now, Bytes: dropped})
		c.tape.fed = -1
		c.tell(EventCleared, fmt.Sprintf("%d ms", dropped/8))
		for _, p := range marks {
			c.echo(s, p, true)
		}
	}
}

// echo returns a mark to the server.
func (c *Call) echo(s *stream, p pendingMark, cleared bool) {
	m := &c.record.marks[p.record]
	m.Echoed, m.EchoedAt, m.Cleared = true, c.sinceAnswer(time.Now()), cleared
	if s != nil && !s.closing {
		c.send(s, s.mark(p.name), nil)
	}
}

// closed says how a socket ended; ends that Twilio logs as errors are violations.
func (c *Call) closed(s *stream, err error) string {
	c.mu.Lock()
	defer c.unlock()
	if s.closing {
		return "phone"
	}
	switch status := ws.CloseStatus(err); {
	case status == ws.StatusNormal || status == ws.StatusGoingAway || status == ws.StatusNone:
		return "server"
	case errors.Is(err, ws.ErrTooBig):
		c.violation(31924, "message larger than 1 MiB")
	case status >= 0:
		c.violation(31921, "the server closed the stream with status %d", status)
	default:
		c.violation(31921, "the stream was closed abnormally: %v", err)
	}
	return "server, abnormally"
}

// afterStream waits until what was under way has arrived, then forgets the stream.
func (c *Call) afterStream(ctx context.Context, s *stream, reason string) {
	c.mu.Lock()
	rest := time.Until(c.down.last)
	c.mu.Unlock()
	if rest > 0 && reason != "phone" {
		sleep(ctx, rest)
	}
	s.conn.Close()
	<-s.conn.Done()

	c.mu.Lock()
	defer c.unlock()
	s.closing = true
	c.stream = nil
	clear(c.down.queue)
	c.down.queue = c.down.queue[:0]
	s.report.Dropped, _ = c.speaker.clear()
	s.report.Ended, s.report.EndedBy = c.sinceAnswer(time.Now()), reason
	c.tell(EventStreamEnded, reason)
	c.reportStream(s, "stream-stopped", "")
}
