package model

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley/internal/sim/schema"
	"parley/internal/sim/speech"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// client is a plain Realtime client that validates everything it receives.
type client struct {
	t      testing.TB
	ws     *websocket.Conn
	ctx    context.Context
	schema schema.Schema
	seen   []map[string]any
}

func start(t testing.TB, opt Options) *Server {
	t.Helper()
	s, err := Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dial(t testing.TB, s *Server) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	h := http.Header{"Authorization": {"Bearer " + s.Key()}}
	ws, resp, err := websocket.Dial(ctx, s.BaseURL()+"/realtime?model=gpt-realtime-2025-08-28", &websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get(simulatedHeader) != "1" {
		t.Error("the upgrade does not say that the model is simulated")
	}
	ws.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = ws.CloseNow() })
	c := &client{t: t, ws: ws, ctx: ctx, schema: schema.RealtimeServer(t)}
	c.until("session.created")
	return c
}

func (c *client) send(raw string) {
	c.t.Helper()
	if err := c.ws.Write(c.ctx, websocket.MessageText, []byte(raw)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) next() map[string]any {
	c.t.Helper()
	_, raw, err := c.ws.Read(c.ctx)
	if err != nil {
		c.t.Fatalf("reading: %v; seen %v", err, c.types())
	}
	c.schema.Check(c.t, raw)
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		c.t.Fatal(err)
	}
	c.seen = append(c.seen, m)
	return m
}

// until reads to the next event of a type. An error event that was not asked for fails the test.
func (c *client) until(typ string) map[string]any {
	c.t.Helper()
	for {
		m := c.next()
		if m["type"] == typ {
			return m
		}
		if m["type"] == "error" {
			c.t.Fatalf("waiting for %s: %v", typ, m["error"])
		}
	}
}

func (c *client) types() (out []string) {
	for _, m := range c.seen {
		typ, _ := m["type"].(string)
		if n := len(out); n == 0 || out[n-1] != typ {
			out = append(out, typ)
		}
	}
	return out
}

const phoneSession = `{"type":"session.update","session":{"type":"realtime","instructions":"Be kind.","audio":{
 "input":{"format":{"type":"audio/pcmu"},"transcription":{"model":"gpt-4o-transcribe"},"turn_detection":{"type":"server_vad","create_response":%s,"interrupt_response":%s}},
 "output":{"format":{"type":"audio/pcmu"},"voice":"sage"}},
 "tools":[{"type":"function","name":"current_time","parameters":{"type":"object","properties":{}}}]}}`

// hear appends audio as a phone does, in 20 ms messages.
func (c *client) hear(ulaw []byte) {
	c.t.Helper()
	for len(ulaw) > 0 {
		n := min(160, len(ulaw))
		c.send(`{"type":"input_audio_buffer.append","audio":"` + base64.StdEncoding.EncodeToString(ulaw[:n]) + `"}`)
		ulaw = ulaw[n:]
	}
}

func silence(ms int) []byte {
	b := make([]byte, 8*ms)
	for i := range b {
		b[i] = 0xFF
	}
	return b
}

// caller is a turn of the caller: speech between silences.
func caller() []byte {
	return append(append(silence(400), speech.Say("Good evening I would like to book a table").ULaw...), silence(900)...)
}
