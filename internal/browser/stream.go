package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/ws"
)

// carrierEvents is how many decoded events may wait for the session: 2.5 s of audio. The session never waits
// for anything slower than memory.
const carrierEvents = 128

// slabBytes is one second of audio: payloads are cut from a slab, so that a frame costs a fiftieth of an
// allocation and the session may keep it.
const slabBytes = 8_000

// Stream is the caller's leg of a browser call. The methods that send audio and marks belong to the session's
// goroutine; Tell belongs to whoever follows the record; all others are safe for concurrent use. No method blocks.
type Stream struct {
	// ID names the stream on record, as a carrier's would.
	ID string

	conn   *ws.Conn
	events chan leg.CarrierEvent
	done   chan struct{} // the session has closed its leg
	ended  chan struct{} // the page was told how the call ended
	once   sync.Once
	reader sync.WaitGroup
	err    error // why events was closed; read after that

	slab    []byte
	scratch []byte
	replay  bool // what Tell gets is from before this stream
	known   bool // an earlier stream of the call reached the model

	mu      sync.Mutex
	mood    mood
	stopped bool // the caller hung up
	over    bool // `ended` or `error` was sent
}

// Accept takes over an upgraded socket. Nothing is read before Listen.
func Accept(c ws.Socket) *Stream {
	return &Stream{
		ID:   "WS" + strings.ReplaceAll(parley.NewID(), "-", ""),
		conn: ws.New(c, ws.Options{ReadLimit: 16 << 10, QueueBytes: 1 << 20, WriteTimeout: 5 * time.Second, PingEvery: 10 * time.Second}),

		events: make(chan leg.CarrierEvent, carrierEvents),
		done:   make(chan struct{}), ended: make(chan struct{}), replay: true,
	}
}

// Listen greets the page and starts delivering events.
func (s *Stream) Listen(w Welcome) {
	m := welcomeMessage{
		Type: "welcome", Protocol: version, ConversationID: w.ConversationID, Resumed: w.Resumed, Test: w.Test,
		Audio: audioFormat{Encoding: "pcmu", SampleRate: 8000, FrameMs: 20},
	}
	if w.ResumeToken != "" {
		m.Resume = &resumeTicket{Token: w.ResumeToken, Seconds: w.ResumeSeconds}
	}
	s.say(m)
	s.show(func(*mood) {})
	s.reader.Add(1)
	go s.read()
}

// Events delivers what the page says, in order. It is closed when the socket is gone; Err says why.
func (s *Stream) Events() <-chan leg.CarrierEvent { return s.events }

// Err says why Events was closed; nil after our own Close.
func (s *Stream) Err() error { return s.err }

// SendMedia plays µ-law audio after everything sent before. It copies ulaw and allocates nothing.
func (s *Stream) SendMedia(ulaw []byte) error {
	s.show(func(m *mood) { m.media(time.Now()) })
	return s.conn.SendBinary(ulaw)
}

// SendMark asks for an echo of name once everything sent before has been played or cleared. name must need no
// escaping in JSON.
func (s *Stream) SendMark(name string) error {
	s.show(func(m *mood) { m.marked(name) })
	b := append(s.scratch[:0], `{"type":"mark","name":"`...)
	b = append(b, name...)
	b = append(b, `"}`...)
	s.scratch = b
	return s.conn.Send(b)
}

// SendClear drops everything sent and not yet played; pending marks come back at once.
func (s *Stream) SendClear() error {
	err := s.conn.Send([]byte(`{"type":"clear"}`))
	s.show((*mood).cleared)
	return err
}

// Close ends the session's part: no event is delivered any more. The socket stays, so that the page can be told
// how the call ended (Tell, End). Returns at once.
func (s *Stream) Close() { s.once.Do(func() { close(s.done) }) }

// End tells the page, unless it knows, how the call ended, and closes the socket. reason is one of parley.End*.
func (s *Stream) End(reason string) {
	if reason == parley.EndCallerHangup && !s.hungUp() {
		reason = Replaced // another stream has taken the call over
	}
	s.finish(endedMessage{Type: "ended", Reason: reason, Message: words[reason]}, statusNormal, reason)
}

// Leave closes the socket without an end: the call waits for the page to come back.
func (s *Stream) Leave() {
	s.Close()
	s.conn.CloseWith(statusTryAgain, "resume")
}

// Ended is closed when the page was told how the call ended.
func (s *Stream) Ended() <-chan struct{} { return s.ended }

// Wait returns when the stream's goroutines have ended; call it after End or Leave.
func (s *Stream) Wait() {
	s.reader.Wait()
	<-s.conn.Done()
}

// hungUp reports whether the caller ended the call.
func (s *Stream) hungUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// show changes the mood and tells the page when its state is another now.
func (s *Stream) show(change func(*mood)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mood)
	if state, changed := s.mood.changed(); changed {
		s.say(stateMessage{"state", state})
	}
}

// finish sends the last message, once, and closes the socket behind it.
func (s *Stream) finish(last any, status int, reason string) {
	s.mu.Lock()
	first := !s.over
	s.over = true
	s.mu.Unlock()
	if first {
		s.say(last)
		s.conn.CloseWith(status, reason)
		close(s.ended)
	}
}

// say queues a message. A failure shows in the audio's sends and in the reader.
func (s *Stream) say(message any) {
	raw, err := json.Marshal(message)
	if err == nil {
		_ = s.conn.Send(raw)
	}
}

func (s *Stream) read() {
	defer s.reader.Done()
	defer close(s.events)
	flow := newFlow(time.Now())
	for {
		ev, deliver, err := s.next(&flow)
		if err != nil {
			s.lost(err)
			return
		}
		if !deliver {
			continue
		}
		select {
		case s.events <- ev:
		case <-s.done:
			s.drain()
			return
		}
	}
}

// next reads one message; deliver is false when it is not for the session.
func (s *Stream) next(flow *flow) (ev leg.CarrierEvent, deliver bool, err error) {
	raw, binary, err := s.conn.ReadEither()
	if ws.CloseStatus(err) == ws.StatusGoingAway && s.hangUp() {
		return leg.CarrierEvent{Kind: leg.CarrierStop}, true, nil // the page is gone for good: the next read fails
	}
	if err != nil {
		return ev, false, err
	}
	audio := 0
	if binary {
		audio = len(raw)
	}
	if !flow.admit(audio, time.Now()) {
		s.refuse("flood", errFlood)
		return ev, false, errFlood
	}
	if binary {
		if err := checkAudio(raw); err != nil {
			s.refuse("invalid_message", err)
			return ev, false, err
		}
		return leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: s.keep(raw)}, true, nil
	}
	kind, ev, pong, err := decodeText(raw)
	switch {
	case err != nil:
		s.refuse("invalid_message", err)
		return ev, false, err
	case kind == clientPing:
		_ = s.conn.Send(pong)
	case kind == clientStop:
		s.hangUp()
	case ev.Kind == leg.CarrierMark:
		s.show(func(m *mood) { m.played(ev.Name) })
	}
	return ev, kind == clientEvent || kind == clientStop, nil
}

// hangUp notes that the caller ended the call; it reports whether that is news.
func (s *Stream) hangUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := !s.stopped
	s.stopped = true
	return news
}

// keep copies audio out of the connection's buffer.
func (s *Stream) keep(raw []byte) []byte {
	if cap(s.slab)-len(s.slab) < len(raw) {
		s.slab = make([]byte, 0, max(slabBytes, len(raw)))
	}
	at := len(s.slab)
	s.slab = append(s.slab, raw...)
	return s.slab[at:len(s.slab):len(s.slab)]
}

// refuse ends the stream of a client that breaks the protocol. The call is left to its 60 s.
func (s *Stream) refuse(code string, err error) {
	s.finish(errorMessage{Type: "error", Code: code, Message: err.Error()}, statusPolicy, code)
}

// drain reads on until the socket is closed, so that the closing handshake can complete and pings are answered.
func (s *Stream) drain() {
	flow := newFlow(time.Now())
	for {
		raw, binary, err := s.conn.ReadEither()
		if err == nil && !flow.admit(0, time.Now()) {
			s.conn.CloseNow()
			err = errFlood
		}
		if err != nil {
			s.lost(nil)
			return
		}
		if binary {
			continue
		}
		if kind, _, pong, err := decodeText(raw); err == nil && kind == clientPing {
			_ = s.conn.Send(pong)
		}
	}
}

// lost ends the reader; the socket ends by itself, after the goodbye of a refusal.
func (s *Stream) lost(err error) {
	select {
	case <-s.done:
	default:
		if err != nil {
			s.err = fmt.Errorf("web call: %w", err)
		}
	}
}
