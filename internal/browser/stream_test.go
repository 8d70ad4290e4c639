package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley"
	"parley/internal/leg"
	"parley/internal/ws"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair connects a Stream with a plain client.
func pair(t *testing.T) (*Stream, *client) {
	t.Helper()
	got, finish := make(chan ws.Socket, 1), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := ws.Accept(w, r, Subprotocol)
		if err != nil {
			t.Error(err)
			return
		}
		got <- c
		<-finish
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	transport := &http.Transport{}
	c, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	s := Accept(<-got)
	t.Cleanup(func() {
		s.Leave()
		_ = c.CloseNow()
		s.Wait()
		cancel()
		close(finish)
		srv.Close()
		transport.CloseIdleConnections()
	})
	return s, &client{t, ctx, c}
}

type client struct {
	t   *testing.T
	ctx context.Context
	c   *websocket.Conn
}

func (c *client) text(s string) { _ = c.c.Write(c.ctx, websocket.MessageText, []byte(s)) }

func (c *client) audio(b []byte) error { return c.c.Write(c.ctx, websocket.MessageBinary, b) }

// until reads up to the first text message of a type and returns its members.
func (c *client) until(typ string) map[string]any {
	c.t.Helper()
	for {
		kind, raw, err := c.c.Read(c.ctx)
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", typ, err)
		}
		var m map[string]any
		if kind == websocket.MessageText && json.Unmarshal(raw, &m) != nil {
			c.t.Fatalf("no JSON: %s", raw)
		}
		if m["type"] == typ {
			return m
		}
	}
}

// closed reads to the end and returns the status of the close frame.
func (c *client) closed() websocket.CloseError {
	c.t.Helper()
	for {
		_, _, err := c.c.Read(c.ctx)
		if err == nil {
			continue
		}
		var e websocket.CloseError
		if !errors.As(err, &e) {
			c.t.Fatalf("not closed in order: %v", err)
		}
		return e
	}
}

func next(t *testing.T, s *Stream) leg.CarrierEvent {
	t.Helper()
	select {
	case ev, ok := <-s.Events():
		if !ok {
			t.Fatalf("events ended: %v", s.Err())
		}
		return ev
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
	}
	return leg.CarrierEvent{}
}

func gone(t *testing.T, s *Stream) {
	t.Helper()
	for {
		select {
		case _, ok := <-s.Events():
			if !ok {
				return
			}
		case <-time.After(10 * time.Second):
			t.Fatal("events go on")
		}
	}
}

func TestAudioAndMarksBothWays(t *testing.T) {
	t.Parallel()
	s, c := pair(t)
	s.Listen(Welcome{ConversationID: "conv", ResumeToken: "again", ResumeSeconds: 60, Test: true})
	w := c.until("welcome")
	if w["conversationId"] != "conv" || w["protocol"] != 1.0 || w["resumed"] != false || w["resume"].(map[string]any)["token"] != "again" || w["audio"].(map[string]any)["encoding"] != "pcmu" {
		t.Errorf("welcome %v", w)
	}
	if m := c.until("state"); m["state"] != stateConnecting {
		t.Errorf("state %v", m)
	}
	frame := bytes.Repeat([]byte{0x55}, 160)
	_, _, _ = s.SendMedia(frame), s.SendMark("g0.1"), s.SendClear()
	if m := c.until("state"); m["state"] != stateSpeaking {
		t.Errorf("state %v", m)
	}
	if kind, got, err := c.c.Read(c.ctx); err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, frame) {
		t.Errorf("audio: %v, %d bytes, %v", kind, len(got), err)
	}
	if m := c.until("mark"); m["name"] != "g0.1" {
		t.Errorf("mark %v", m)
	}
	c.until("clear")
	for i := range 3 {
		if err := c.audio(bytes.Repeat([]byte{byte(i)}, 160)); err != nil {
			t.Fatal(err)
		}
	}
	c.text(`{"type":"mark","name":"g0.1"}`)
	c.text(`{"type":"unheard of"}`)
	c.text(`{"type":"ping","t":7}`)
	c.text(`{"type":"dtmf","digit":"5"}`)
	c.text(`{"type":"stop"}`)
	kept := make([][]byte, 3)
	for i := range kept {
		kept[i] = next(t, s).Payload
	}
	for i, payload := range kept {
		if len(payload) != 160 || payload[0] != byte(i) || payload[159] != byte(i) {
			t.Errorf("frame %d was overwritten: %v", i, payload[:1])
		}
	}
	for _, want := range []leg.CarrierEvent{{Kind: leg.CarrierMark, Name: "g0.1"}, {Kind: leg.CarrierDTMF, Name: "5"}, {Kind: leg.CarrierStop}} {
		if ev := next(t, s); ev.Kind != want.Kind || ev.Name != want.Name {
			t.Errorf("got %+v, want %+v", ev, want)
		}
	}
	if m := c.until("pong"); m["t"] != 7.0 {
		t.Errorf("pong %v", m)
	}
	s.Close()
	s.End(parley.EndCallerHangup)
	s.End(parley.EndInternalError) // the first end stands
	if m := c.until("ended"); m["reason"] != parley.EndCallerHangup || m["message"] != "" {
		t.Errorf("ended %v", m)
	}
	if e := c.closed(); e.Code != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", e)
	}
}

// TestHostileClients: each ends its own stream, with a reason, and the call is left to its minute.
func TestHostileClients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(*client)
		status websocket.StatusCode
		reason string
	}{
		"empty audio":     {func(c *client) { _ = c.audio(nil) }, websocket.StatusPolicyViolation, "invalid_message"},
		"too much audio":  {func(c *client) { _ = c.audio(make([]byte, maxAudio+1)) }, websocket.StatusPolicyViolation, "invalid_message"},
		"a huge frame":    {func(c *client) { _ = c.audio(make([]byte, 1<<20)) }, websocket.StatusMessageTooBig, ""},
		"not JSON":        {func(c *client) { c.text("hello") }, websocket.StatusPolicyViolation, "invalid_message"},
		"a deep document": {func(c *client) { c.text(strings.Repeat("[", 1000)) }, websocket.StatusPolicyViolation, "invalid_message"},
		"a long text":     {func(c *client) { c.text(`"` + strings.Repeat("x", maxText) + `"`) }, websocket.StatusPolicyViolation, "invalid_message"},
		"a flood of audio": {func(c *client) {
			for range 40 {
				_ = c.audio(make([]byte, maxAudio))
			}
		}, websocket.StatusPolicyViolation, "flood"},
		"a flood of marks": {func(c *client) {
			for range 2 * messageBurst {
				c.text(`{"type":"mark","name":"g0.1"}`)
			}
		}, websocket.StatusPolicyViolation, "flood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, peer := pair(t)
			s.Listen(Welcome{ConversationID: "conv"})
			go c.do(peer)
			gone(t, s)
			if s.Err() == nil {
				t.Error("the stream gives no reason")
			}
			if e := peer.closed(); e.Code != c.status || e.Reason != c.reason && c.reason != "" {
				t.Errorf("closed with %v", e)
			}
		})
	}
}

// TestHowAStreamEnds: only `stop`, and a page that the browser says is gone, are a hang-up.
func TestHowAStreamEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*client)
		stop bool
	}{
		"the page goes away":    {func(c *client) { _ = c.c.Close(websocket.StatusGoingAway, "") }, true},
		"closed by the client":  {func(c *client) { _ = c.c.Close(websocket.StatusNormalClosure, "") }, false},
		"closed without status": {func(c *client) { _ = c.c.Close(websocket.StatusNoStatusRcvd, "") }, false},
		"the network is gone":   {func(c *client) { _ = c.c.CloseNow() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, peer := pair(t)
			s.Listen(Welcome{})
			c.do(peer)
			stopped := false
			for ev := range s.Events() {
				stopped = stopped || ev.Kind == leg.CarrierStop
			}
			if stopped != c.stop || s.Err() == nil {
				t.Errorf("stop %v, error %v", stopped, s.Err())
			}
		})
	}
}

// TestTell: the page sees the words and the states, and nothing of tools, bills and failures.
func TestTell(t *testing.T) {
	t.Parallel()
	s, c := pair(t)
	s.Listen(Welcome{Resumed: true})
	tell := func(typ string, data any) { s.Tell(parley.NewEvent(typ, time.Now(), data)) }
	tell(parley.EventStreamStarted, parley.StreamStartedData{StreamSID: "an earlier one"})
	tell(parley.EventModelConnected, parley.ModelConnectedData{})
	tell(parley.EventTurnCommitted, parley.TurnCommittedData{ItemID: "u1"})
	tell(parley.EventMessageUser, parley.MessageUserData{ItemID: "u1", Text: "Before."})
	tell(parley.EventEndRequested, parley.EndData{Reason: "taken back"})
	tell(parley.EventStreamStarted, parley.StreamStartedData{StreamSID: s.ID})
	tell(parley.EventSpeechStarted, parley.SpeechData{})
	tell(parley.EventError, parley.ErrorData{Message: "canary"})
	tell(parley.EventUsage, parley.UsageData{Model: "canary"})
	tell(parley.EventToolStarted, parley.ToolStartedData{Name: "canary", Arguments: json.RawMessage(`{}`)})
	tell(parley.EventToolCompleted, parley.ToolCompletedData{Name: "canary", Result: "canary"})
	tell(parley.EventMessageAssistant, parley.MessageAssistantData{ItemID: "a1", Text: "One two three."})
	tell(parley.EventMessageHeard, parley.MessageHeardData{ItemID: "a1", HeardText: "One", Interrupted: true})
	s.Tell(parley.Event{Type: parley.EventMessageUser, Data: json.RawMessage(`[`)})
	tell(parley.EventConversationEnded, parley.EndData{Reason: parley.EndMaxDuration})
	want := []string{
		`{"type":"state","state":"connecting"}`,
		`{"type":"transcript","id":"u1","role":"user","text":"","final":false,"interrupted":false}`,
		`{"type":"transcript","id":"u1","role":"user","text":"Before.","final":true,"interrupted":false}`,
		`{"type":"state","state":"listening"}`,
		`{"type":"caller","speaking":true}`,
		`{"type":"state","state":"thinking"}`,
		`{"type":"transcript","id":"a1","role":"assistant","text":"One two three.","final":false,"interrupted":false}`,
		`{"type":"transcript","id":"a1","role":"assistant","text":"One","final":true,"interrupted":true}`,
		`{"type":"ended","reason":"max_duration","message":"The call has reached its longest duration."}`,
	}
	c.until("welcome")
	for i, w := range want {
		if _, raw, err := c.c.Read(c.ctx); err != nil || string(raw) != w {
			t.Fatalf("message %d: %s, %v, want %s", i, raw, err, w)
		}
	}
}

func TestAnotherStreamTakesTheCallOver(t *testing.T) {
	t.Parallel()
	s, c := pair(t)
	s.Listen(Welcome{})
	s.Tell(parley.NewEvent(parley.EventStreamStarted, time.Now(), parley.StreamStartedData{StreamSID: s.ID}))
	s.Tell(parley.NewEvent(parley.EventStreamStarted, time.Now(), parley.StreamStartedData{StreamSID: "another"}))
	s.End(parley.EndCallerHangup)
	if m := c.until("ended"); m["reason"] != Replaced {
		t.Errorf("ended %v", m)
	}
}

func BenchmarkReadFrame(b *testing.B) {
	s := &Stream{}
	raw := bytes.Repeat([]byte{0x7f}, 160)
	b.ReportAllocs()
	for b.Loop() {
		if checkAudio(raw) == nil {
			s.keep(raw)
		}
	}
}
