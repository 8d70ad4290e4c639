package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// relayOptions are those of the hidden subcommand that voice compares the server with: a bridge that does
// nothing but copy. It is as fast as this WebSocket library allows: two goroutines for each call, each of which
// reads a message into a buffer of its own, puts the base64 into the other protocol's words and writes it. It
// decodes nothing, knows no turns, keeps no record and survives nothing.
type relayOptions struct {
	Listen string `env:"PARLEY_LISTEN"`
	Model  string `env:"RELAY_MODEL"`
	Key    string `env:"RELAY_KEY"`
}

// Run relays until the context ends.
func (o relayOptions) Run(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /twilio/stream/{name}", o.stream)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// relay is one call.
type relay struct {
	carrier, model *websocket.Conn
	sid            []byte
}

// buffers are those of the copies: one for what is read, one for what is written.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

func (o relayOptions) stream(w http.ResponseWriter, r *http.Request) {
	carrier, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = carrier.CloseNow() }()
	ctx := context.Background() // without a Done channel reads and writes need no timer
	//nolint:bodyclose // on success it is the connection; on failure the process of the benchmark ends
	model, _, err := websocket.Dial(ctx, o.Model+"/realtime?model="+r.PathValue("name"), &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + o.Key}},
	})
	if err != nil {
		return
	}
	defer func() { _ = model.CloseNow() }()
	carrier.SetReadLimit(1 << 20)
	model.SetReadLimit(1 << 20)
	c := relay{carrier: carrier, model: model}
	if c.begin() != nil {
		return
	}
	go func() {
		c.down()
		_ = carrier.CloseNow()
	}()
	c.up()
}

// begin waits for the stream's start and configures the model as a bridge does that leaves turns to it.
func (c *relay) begin() error {
	var buf []byte
	for c.sid == nil {
		raw, err := readMessage(c.carrier, buf)
		if err != nil {
			return err
		}
		if bytes.Contains(raw, []byte(`"event":"start"`)) {
			c.sid = bytes.Clone(member(raw, "streamSid"))
		}
		buf = raw
	}
	return c.model.Write(context.Background(), websocket.MessageText, []byte(`{"type":"session.update","session":{"type":"realtime",`+
		`"output_modalities":["audio"],"audio":{"input":{"format":{"type":"audio/pcmu"},"turn_detection":{"type":"server_vad"}},`+
		`"output":{"format":{"type":"audio/pcmu"},"voice":"marin"}}}}`))
}

// up copies the caller's audio to the model.
func (c *relay) up() {
	in, out := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer buffers.Put(in)
	defer buffers.Put(out)
	for {
		raw, err := readMessage(c.carrier, *in)
		if err != nil {
			return
		}
		*in = raw
		payload := member(raw, "payload")
		if payload == nil {
			continue
		}
		b := append((*out)[:0], `{"type":"input_audio_buffer.append","audio":"`...)
		b = append(append(b, payload...), `"}`...)
		*out = b
		if c.model.Write(context.Background(), websocket.MessageText, b) != nil {
			return
		}
	}
}

// down copies the model's audio to the caller, and clears it when the model hears the caller.
func (c *relay) down() {
	in, out := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer buffers.Put(in)
	defer buffers.Put(out)
	quoted := strconv.AppendQuote(nil, string(c.sid))
	head := append(append([]byte(`{"event":"media","streamSid":`), quoted...), `,"media":{"payload":"`...)
	stop := append(append([]byte(`{"event":"clear","streamSid":`), quoted...), '}')
	for {
		raw, err := readMessage(c.model, *in)
		if err != nil {
			return
		}
		*in = raw
		b := stop
		switch {
		case has(raw, `"response.output_audio.delta"`):
			b = append((*out)[:0], head...)
			b = append(append(b, member(raw, "delta")...), `"}}`...)
			*out = b
		case has(raw, `"input_audio_buffer.speech_started"`):
		default:
			continue
		}
		if c.carrier.Write(context.Background(), websocket.MessageText, b) != nil {
			return
		}
	}
}

// readMessage reads one message into buf and returns it grown.
func readMessage(c *websocket.Conn, buf []byte) ([]byte, error) {
	_, r, err := c.Reader(context.Background())
	if err != nil {
		return buf, err
	}
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}
