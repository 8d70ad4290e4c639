package ws

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair connects a Conn to a plain peer.
func pair(t *testing.T, opt Options) (*Conn, *websocket.Conn) {
	t.Helper()
	got := make(chan *websocket.Conn, 1)
	transport := &http.Transport{}
	finish := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		got <- c
		<-finish
	}))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	c, resp, err := Dial(ctx, Client(transport), srv.URL, nil)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	_ = resp
	w := New(c, opt)
	peer := <-got
	t.Cleanup(func() {
		w.CloseNow()
		_ = peer.CloseNow()
		<-w.Done()
		close(finish)
		srv.Close()
		transport.CloseIdleConnections()
	})
	return w, peer
}

func TestMessagesKeepOrderAndContent(t *testing.T) {
	w, peer := pair(t, Options{})
	peer.SetReadLimit(1 << 20)
	big := strings.Repeat("x", 200_000)
	for _, m := range []string{"a", "b", big, "c"} {
		if err := w.Send([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"a", "b", big, "c"} {
		_, got, err := peer.Read(context.Background())
		if err != nil || string(got) != want {
			t.Fatalf("got %d bytes, %v; want %d bytes", len(got), err, len(want))
		}
	}
}

func TestReadReturnsMessagesLargerThanTheLibraryDefault(t *testing.T) {
	w, peer := pair(t, Options{})
	want := strings.Repeat("y", 100_000)
	go func() { _ = peer.Write(context.Background(), websocket.MessageText, []byte(want)) }()
	got, err := w.Read()
	if err != nil || string(got) != want {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

func TestReadRefusesTooLargeAndBinary(t *testing.T) {
	w, peer := pair(t, Options{ReadLimit: 100})
	go func() { _ = peer.Write(context.Background(), websocket.MessageText, make([]byte, 101)) }()
	if _, err := w.Read(); err == nil {
		t.Fatal("a message over the limit was accepted")
	}
	w, peer = pair(t, Options{})
	go func() { _ = peer.Write(context.Background(), websocket.MessageBinary, []byte{1}) }()
	if _, err := w.Read(); err == nil {
		t.Fatal("a binary message was accepted")
	}
}

func TestSlowPeerIsAnErrorNotAWait(t *testing.T) {
	w, _ := pair(t, Options{QueueBytes: 32 << 20, WriteTimeout: time.Minute})
	msg := make([]byte, 1<<20)
	var err error
	for range 200 { // the peer never reads: kernel buffers, then the queue fill up
		if err = w.Send(msg); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrSlowPeer) {
		t.Fatalf("got %v, want ErrSlowPeer", err)
	}
}

func TestWriteWatchdogEndsAStalledConnection(t *testing.T) {
	w, _ := pair(t, Options{QueueBytes: 64 << 20, WriteTimeout: 50 * time.Millisecond})
	for range 60 {
		if w.Send(make([]byte, 1<<20)) != nil {
			break
		}
	}
	select {
	case <-w.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("a stalled write was not ended")
	}
	if err := w.Send([]byte("x")); err == nil {
		t.Fatal("send after the watchdog succeeded")
	}
}

func TestCloseSendsWhatIsQueued(t *testing.T) {
	w, peer := pair(t, Options{})
	_ = w.Send([]byte("last words"))
	w.Close()
	if _, got, err := peer.Read(context.Background()); err != nil || string(got) != "last words" {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, _, err := peer.Read(context.Background()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Fatalf("got %v, want a normal closure", err)
	}
	if err := w.Send([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

func TestBothTypesKeepTheirOrder(t *testing.T) {
	w, peer := pair(t, Options{})
	for i, send := range []func([]byte) error{w.Send, w.SendBinary, w.SendBinary, w.Send} {
		if err := send([]byte{'0' + byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary, websocket.MessageBinary, websocket.MessageText} {
		typ, got, err := peer.Read(context.Background())
		if err != nil || typ != want || string(got) != string(rune('0'+i)) {
			t.Fatalf("message %d: %v %q, %v", i, typ, got, err)
		}
		go func() { _ = peer.Write(context.Background(), typ, got) }()
		back, binary, err := w.ReadEither()
		if err != nil || binary != (typ == websocket.MessageBinary) || string(back) != string(got) {
			t.Fatalf("message %d came back as %q, binary %v, %v", i, back, binary, err)
		}
	}
}

func TestTheFirstCloseNamesTheStatus(t *testing.T) {
	w, peer := pair(t, Options{})
	w.CloseWith(4000, "because")
	w.Close()
	var closed websocket.CloseError
	if _, _, err := peer.Read(context.Background()); !errors.As(err, &closed) || closed.Code != 4000 || closed.Reason != "because" {
		t.Fatalf("got %v", err)
	}
}

func TestDeadPeerIsNoticedByPing(t *testing.T) {
	w, _ := pair(t, Options{PingEvery: 20 * time.Millisecond, WriteTimeout: 50 * time.Millisecond})
	// Nobody reads on the other side, so no pong comes. Our own reader runs, as Ping requires.
	if _, err := w.Read(); err == nil {
		t.Fatal("read returned a message from a silent peer")
	}
}

func BenchmarkSendFrame(b *testing.B) {
	finish := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
		}
	}))
	defer srv.Close()
	defer close(finish)
	c, _, err := Dial(context.Background(), Client(&http.Transport{}), srv.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	w := New(c, Options{QueueBytes: 1 << 20})
	defer w.CloseNow()
	frame := make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		for errors.Is(w.Send(frame), ErrSlowPeer) {
		}
	}
}
