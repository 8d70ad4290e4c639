package ws

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// transport trusts the server's certificate.
func transport(t *testing.T, srv *httptest.Server) *http.Transport {
	tr := &http.Transport{}
	if srv.TLS != nil {
		tr.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func serve(secure bool, h http.HandlerFunc) *httptest.Server {
	if secure {
		return httptest.NewTLSServer(h)
	}
	return httptest.NewServer(h)
}

// accepted connects a Conn that accepts to coder/websocket, which offers compression.
func accepted(t *testing.T, secure bool, opt Options) (*Conn, *websocket.Conn) {
	t.Helper()
	got := make(chan *Conn, 1)
	srv := serve(secure, func(w http.ResponseWriter, r *http.Request) {
		s, err := Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		got <- New(s, opt)
	})
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	peer, _, err := websocket.Dial(ctx, srv.URL, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport(t, srv)}, CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tidy(t, <-got, peer)
}

// dialing connects a Conn that dials to coder/websocket, which would compress.
func dialing(t *testing.T, secure bool, opt Options) (*Conn, *websocket.Conn) {
	t.Helper()
	got := make(chan *websocket.Conn, 1)
	finish := make(chan struct{})
	srv := serve(secure, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Error(err)
			return
		}
		got <- c
		<-finish
	})
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(finish) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, _, err := Dial(ctx, Client(transport(t, srv)), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tidy(t, New(s, opt), <-got)
}

func tidy(t *testing.T, w *Conn, peer *websocket.Conn) (*Conn, *websocket.Conn) {
	t.Cleanup(func() {
		w.CloseNow()
		<-w.Done()
		_ = peer.CloseNow()
	})
	peer.SetReadLimit(8 << 20)
	return w, peer
}

type websocketConn = websocket.Conn

var roles = map[string]func(*testing.T, bool, Options) (*Conn, *websocketConn){"accepted": accepted, "dialing": dialing}

// each runs a test over both roles, with and without TLS.
func each(t *testing.T, opt Options, test func(*testing.T, *Conn, *websocket.Conn)) {
	t.Parallel()
	for role, connect := range roles {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/TLS=%v", role, secure), func(t *testing.T) {
				w, peer := connect(t, secure, opt)
				test(t, w, peer)
			})
		}
	}
}

func TestInteropEcho(t *testing.T) {
	each(t, Options{ReadLimit: 4 << 20, QueueBytes: 4 << 20}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		ctx := t.Context()
		go func() {
			for {
				typ, r, err := peer.Reader(ctx)
				if err != nil {
					return
				}
				out, err := peer.Writer(ctx, typ)
				if err != nil {
					return
				}
				// Comes back in fragments.
				if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{r}, make([]byte, 700)); err != nil {
					return
				}
				if out.Close() != nil {
					return
				}
			}
		}()
		for i, n := range []int{0, 1, 125, 126, 500, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 100_000, 3 << 20, 17} {
			msg := []byte(strings.Repeat("abcdefg", n/7+1)[:n])
			send := w.Send
			if i%2 == 1 {
				send = w.SendBinary
			}
			if err := send(msg); err != nil {
				t.Fatal(err)
			}
			got, binary, err := w.ReadEither()
			if err != nil || !bytes.Equal(got, msg) || binary != (i%2 == 1) {
				t.Fatalf("%d bytes came back as %d, binary %v, %v", n, len(got), binary, err)
			}
		}
	})
}

func TestInteropManyMessagesBothWays(t *testing.T) {
	each(t, Options{QueueBytes: 8 << 20}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		const n = 3000
		word := func(i int) string { return strings.Repeat("m", i%900) + fmt.Sprint(i) }
		sent, got := make(chan error, 1), make(chan error, 1)
		go func() {
			for i := range n {
				if err := peer.Write(t.Context(), websocket.MessageText, []byte(word(i))); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		go func() {
			for i := range n {
				if _, msg, err := peer.Read(t.Context()); err != nil || string(msg) != word(i) {
					got <- fmt.Errorf("message %d came as %q, %w", i, msg, err)
					return
				}
			}
			got <- nil
		}()
		for i := range n {
			if err := w.Send([]byte(word(i))); err != nil {
				t.Fatal(err)
			}
			if msg, err := w.Read(); err != nil || string(msg) != word(i) {
				t.Fatalf("message %d came as %q, %v", i, msg, err)
			}
		}
		if err := errors.Join(<-sent, <-got); err != nil {
			t.Fatal(err)
		}
	})
}

func TestInteropPingsBothWays(t *testing.T) {
	each(t, Options{PingEvery: time.Millisecond, WriteTimeout: 20 * time.Second}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		peer.CloseRead(t.Context()) // reads and answers pings
		go func() {
			for {
				if _, err := w.Read(); err != nil {
					return
				}
			}
		}()
		for range 20 {
			if err := peer.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for { // until the tenth keep-alive was answered
			w.mu.Lock()
			n, err := w.pings, w.err
			w.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			if n > 10 {
				return
			}
			if err := peer.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestInteropWeClose(t *testing.T) {
	each(t, Options{}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		_ = w.Send([]byte("last words"))
		w.CloseWith(4000, "because")
		w.Close()
		if _, got, err := peer.Read(t.Context()); err != nil || string(got) != "last words" {
			t.Fatalf("got %q, %v", got, err)
		}
		var closed websocket.CloseError
		if _, _, err := peer.Read(t.Context()); !errors.As(err, &closed) || closed.Code != 4000 || closed.Reason != "because" {
			t.Fatalf("got %v", err)
		}
		<-w.Done()
		if err := w.Send([]byte("x")); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
		if _, err := w.Read(); CloseStatus(err) != 4000 {
			t.Errorf("the peer's answer was %v", err)
		}
	})
}

func TestInteropPeerCloses(t *testing.T) {
	each(t, Options{}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		closed := make(chan error, 1)
		go func() { closed <- peer.Close(websocket.StatusGoingAway, "bye") }()
		_, err := w.Read()
		var goodbye *CloseError
		if !errors.As(err, &goodbye) || goodbye.Status != StatusGoingAway || goodbye.Reason != "bye" {
			t.Fatalf("got %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("the peer got no answer: %v", err)
		}
		<-w.Done()
	})
}

func TestInteropPeerVanishes(t *testing.T) {
	each(t, Options{}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		_ = peer.CloseNow()
		if _, err := w.Read(); !errors.Is(err, io.ErrUnexpectedEOF) || CloseStatus(err) >= 0 {
			t.Fatalf("got %v", err)
		}
		<-w.Done()
	})
}

func TestInteropRefusals(t *testing.T) {
	each(t, Options{ReadLimit: 1000}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		go func() { _ = peer.Write(context.Background(), websocket.MessageBinary, make([]byte, 1<<20)) }()
		if _, _, err := w.ReadEither(); !errors.Is(err, ErrTooBig) {
			t.Fatalf("got %v", err)
		}
		if _, _, err := peer.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("the peer got %v", err)
		}
		<-w.Done()
	})
}

func TestABinaryMessageIsRefusedByRead(t *testing.T) {
	each(t, Options{}, func(t *testing.T, w *Conn, peer *websocket.Conn) {
		_ = peer.Write(t.Context(), websocket.MessageBinary, []byte{1})
		if _, err := w.Read(); !errors.Is(err, errBinaryMessage) {
			t.Fatalf("got %v", err)
		}
		if _, _, err := peer.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
			t.Errorf("the peer got %v", err)
		}
	})
}

// TestNothingIsWrittenUnderTLS: every byte on the wire of a secure connection is of a TLS record.
func TestNothingIsWrittenUnderTLS(t *testing.T) {
	t.Parallel()
	w, peer := dialing(t, true, Options{})
	if _, ok := w.conn.(*tls.Conn); !ok {
		t.Fatalf("frames are written to a %T", w.conn)
	}
	if _, ok := w.pipe.Conn.(*tls.Conn); ok || w.pipe.raw == nil {
		t.Fatal("the pipe is not under the TLS")
	}
	_ = w.Send([]byte("hello"))
	if _, msg, err := peer.Read(t.Context()); err != nil || string(msg) != "hello" {
		t.Fatalf("got %q, %v", msg, err)
	}
}
