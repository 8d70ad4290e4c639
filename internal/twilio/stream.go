package twilio

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/leg"
	"parley/internal/ws"
)

// Start is what Twilio says when a Media Stream begins.
type Start struct {
	StreamSID        string            `json:"streamSid"`
	AccountSID       string            `json:"accountSid"`
	CallSID          string            `json:"callSid"`
	CustomParameters map[string]string `json:"customParameters"`
	MediaFormat      struct {
		Encoding   string `json:"encoding"`
		SampleRate int    `json:"sampleRate"`
		Channels   int    `json:"channels"`
	} `json:"mediaFormat"`
}

// carrierEvents is how many decoded events may wait for the session: 320 ms of audio. The session never waits
// for anything slower than memory; a full channel makes the reader wait.
const carrierEvents = 16

// MediaStream is the caller's leg: one Media Streams WebSocket with µ-law audio in both directions. Methods
// that send belong to one goroutine and never block; Close may be called by any.
type MediaStream struct {
	Start Start

	conn   *ws.Conn
	events chan leg.CarrierEvent
	done   chan struct{}
	once   sync.Once
	reader sync.WaitGroup
	err    error       // why events was closed; read after that
	heard  atomic.Bool // some audio has come

	media, mark, clear []byte // message prefixes with the stream's SID
	scratch            []byte
	buffers            leg.Buffers // of the reader
}

// AcceptStream takes over an upgraded socket, reads up to Twilio's `start` within the deadline and
// starts delivering events. On error the socket is closed.
func AcceptStream(c ws.Socket, deadline time.Duration) (*MediaStream, error) {
	s := &MediaStream{
		conn:   ws.New(c, ws.Options{ReadLimit: 256 << 10, QueueBytes: 1 << 20, WriteTimeout: 5 * time.Second}),
		events: make(chan leg.CarrierEvent, carrierEvents),
		done:   make(chan struct{}), buffers: leg.NewBuffers(carrierEvents),
	}
	timer := time.AfterFunc(deadline, s.conn.CloseNow)
	err := s.readStart()
	if !timer.Stop() && err == nil {
		err = errors.New("no start message in time")
	}
	if err != nil {
		s.conn.CloseNow()
		<-s.conn.Done()
		return nil, fmt.Errorf("media stream: %w", err)
	}
	sid, _ := json.Marshal(s.Start.StreamSID)
	s.media = fmt.Appendf(nil, `{"event":"media","streamSid":%s,"media":{"payload":"`, sid)
	s.mark = fmt.Appendf(nil, `{"event":"mark","streamSid":%s,"mark":{"name":"`, sid)
	s.clear = fmt.Appendf(nil, `{"event":"clear","streamSid":%s}`, sid)
	return s, nil
}

// Listen starts delivering events. It is separate from AcceptStream so that nobody hears a stream whose token
// has not been used up yet.
func (s *MediaStream) Listen() {
	s.reader.Add(1)
	go s.read()
}

// maxPreamble bounds the messages before `start`.
const maxPreamble = 20

func (s *MediaStream) readStart() error {
	for range maxPreamble {
		raw, err := s.conn.Read()
		if err != nil {
			return err
		}
		var m streamMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			return fmt.Errorf("first messages: %w", err)
		}
		switch m.Event {
		case "start":
			return s.begin(m.Start)
		case "media", "mark", "dtmf", "stop":
			return fmt.Errorf("got %q where \"start\" was expected", m.Event)
		}
		// Twilio's `connected` says nothing that we need, and others may be added.
	}
	return errors.New("no start message among the first ones")
}

// begin checks what Twilio says about the stream.
func (s *MediaStream) begin(start *Start) error {
	if start == nil {
		return errors.New("start message without start")
	}
	s.Start = *start
	if f := s.Start.MediaFormat; f.Encoding != "audio/x-mulaw" || f.SampleRate != 8000 || f.Channels != 1 {
		return fmt.Errorf("media format %s/%d/%d is not audio/x-mulaw/8000/1", f.Encoding, f.SampleRate, f.Channels)
	}
	if s.Start.StreamSID == "" || s.Start.CallSID == "" {
		return errors.New("start message without streamSid or callSid")
	}
	return nil
}

// Events delivers what the caller's side says, in order. It is closed when the socket is gone; Err says why.
func (s *MediaStream) Events() <-chan leg.CarrierEvent { return s.events }

// Err says why Events was closed; nil after our own Close.
func (s *MediaStream) Err() error { return s.err }

// HadMedia reports whether the caller's audio has begun to come.
func (s *MediaStream) HadMedia() bool { return s.heard.Load() }

// SendMedia plays µ-law audio after everything sent before. It copies ulaw and allocates nothing.
func (s *MediaStream) SendMedia(ulaw []byte) error {
	b := append(s.scratch[:0], s.media...)
	b = base64.StdEncoding.AppendEncode(b, ulaw)
	b = append(b, `"}}`...)
	s.scratch = b
	return s.conn.Send(b)
}

// SendMark asks for an echo of name once everything sent before has been played or cleared. name must need
// no escaping in JSON.
func (s *MediaStream) SendMark(name string) error {
	b := append(s.scratch[:0], s.mark...)
	b = append(b, name...)
	b = append(b, `"}}`...)
	s.scratch = b
	return s.conn.Send(b)
}

// SendClear drops everything sent and not yet played; pending marks come back at once.
func (s *MediaStream) SendClear() error { return s.conn.Send(s.clear) }

// Close closes the socket after what was queued; Twilio then goes on with the next verb. Returns at once.
func (s *MediaStream) Close() {
	s.once.Do(func() {
		close(s.done)
		s.conn.Close()
	})
}

// Wait returns when the stream's goroutines have ended; call it after Close.
func (s *MediaStream) Wait() {
	s.reader.Wait()
	<-s.conn.Done()
}

// streamMessage is the union of what Twilio sends. Its counters are strings; we need none of them.
type streamMessage struct {
	Event string `json:"event"`
	Start *Start `json:"start"`
	Media struct {
		Track   string `json:"track"`
		Payload []byte `json:"payload"`
	} `json:"media"`
	Mark struct {
		Name string `json:"name"`
	} `json:"mark"`
	DTMF struct {
		Digit string `json:"digit"`
	} `json:"dtmf"`
}

func (s *MediaStream) read() {
	defer s.reader.Done()
	defer close(s.events)
	for {
		raw, err := s.conn.Read()
		if err != nil {
			s.finish(err)
			return
		}
		if !s.deliver(raw) {
			s.drain()
			return
		}
	}
}

// deliver passes a message on; false when nobody listens any more. What it needs of stack is not kept while the reader
// waits.
//
//go:noinline
func (s *MediaStream) deliver(raw []byte) bool {
	ev, ok := s.decode(raw)
	if !ok {
		return true
	}
	select {
	case s.events <- ev:
		return true
	case <-s.done:
		return false
	}
}

// drain reads on until the socket is closed, so that the closing handshake can complete.
func (s *MediaStream) drain() {
	for {
		if _, err := s.conn.Read(); err != nil {
			s.finish(nil)
			return
		}
	}
}

func (s *MediaStream) finish(err error) {
	select {
	case <-s.done:
	default:
		s.err = fmt.Errorf("media stream: %w", err)
	}
}

// decode reads one message; unknown events and undecodable messages say nothing (ok false): Twilio may add
// events, and one bad frame must not end a call.
func (s *MediaStream) decode(raw []byte) (leg.CarrierEvent, bool) {
	if ev, ok := s.fast(raw); ok {
		if ev.Kind == leg.CarrierMedia && !s.heard.Load() {
			s.heard.Store(true)
		}
		return ev, true
	}
	var m streamMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return leg.CarrierEvent{}, false
	}
	switch m.Event {
	case "media":
		if m.Media.Track != "outbound" && len(m.Media.Payload) > 0 { // only the caller's track is asked for
			s.heard.Store(true)
			return leg.CarrierEvent{Kind: leg.CarrierMedia, Payload: m.Media.Payload}, true
		}
	case "mark":
		return leg.CarrierEvent{Kind: leg.CarrierMark, Name: m.Mark.Name}, true
	case "dtmf":
		return leg.CarrierEvent{Kind: leg.CarrierDTMF, Name: m.DTMF.Digit}, true
	case "stop":
		return leg.CarrierEvent{Kind: leg.CarrierStop}, true
	}
	return leg.CarrierEvent{}, false
}
