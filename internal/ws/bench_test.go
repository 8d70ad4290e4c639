package ws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// frameBytes is a frame of audio in Twilio's JSON.
const frameBytes = 300

// rawServer upgrades and leaves the connection to serve, so that only one side is measured.
func rawServer(b *testing.B, serve func(c net.Conn)) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "+acceptKey(r.Header.Get("Sec-Websocket-Key"))+"\r\n\r\n")
		serve(c)
		c.Close()
	}))
	b.Cleanup(srv.Close)
	return srv.URL
}

func sink(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// source sends many frames at once, so that the reader is what is measured.
func source(c net.Conn) {
	f := appendFrame(nil, opText, false, []byte(strings.Repeat("x", frameBytes)))
	many := bytes.Repeat(f, 200)
	for {
		if _, err := c.Write(many); err != nil {
			return
		}
	}
}

func BenchmarkSend(b *testing.B) {
	msg := []byte(strings.Repeat("x", frameBytes))
	b.Run("ws", func(b *testing.B) {
		w := dialBench(b, rawServer(b, sink))
		b.ReportAllocs()
		for b.Loop() {
			for errors.Is(w.Send(msg), ErrSlowPeer) {
			}
		}
	})
	b.Run("coder", func(b *testing.B) {
		c := dialCoder(b, rawServer(b, sink))
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Write(context.Background(), websocket.MessageText, msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	b.Run("ws", func(b *testing.B) {
		w := dialBench(b, rawServer(b, source))
		b.ReportAllocs()
		for b.Loop() {
			if msg, err := w.Read(); err != nil || len(msg) != frameBytes {
				b.Fatal(err)
			}
		}
	})
	b.Run("coder", func(b *testing.B) {
		c := dialCoder(b, rawServer(b, source))
		buf := make([]byte, 1024)
		b.ReportAllocs()
		for b.Loop() {
			_, r, err := c.Reader(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for err == nil {
				var m int
				m, err = r.Read(buf[n:])
				n += m
			}
			if n != frameBytes {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkParse is the reader alone, with a client's frames.
func BenchmarkParse(b *testing.B) {
	f := appendFrame(nil, opText, true, []byte(strings.Repeat("x", frameBytes)))
	r := reader{limit: 1 << 20, control: func(byte, []byte) {}}
	r.fill = func(r *reader) error {
		if r.buf == nil {
			r.buf = takeBuffer(smallBytes)
		}
		r.have += copy(r.buf[r.have:], f)
		return nil
	}
	b.ReportAllocs()
	b.SetBytes(frameBytes)
	for b.Loop() {
		if _, _, err := r.read(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	msg := make([]byte, frameBytes)
	b.SetBytes(frameBytes)
	for b.Loop() {
		mask(msg, 0x01020304)
	}
}

func dialBench(b *testing.B, address string) *Conn {
	s, _, err := Dial(context.Background(), Client(&http.Transport{}), address, nil)
	if err != nil {
		b.Fatal(err)
	}
	w := New(s, Options{})
	b.Cleanup(func() {
		w.CloseNow()
		<-w.Done()
	})
	return w
}

func dialCoder(b *testing.B, address string) *websocket.Conn {
	c, _, err := websocket.Dial(context.Background(), address, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.CloseNow() })
	return c
}
