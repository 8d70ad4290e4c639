package ws

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fill sends to a peer that does not read until the queue is full.
func fill(w *Conn) error {
	msg := make([]byte, 1<<20)
	for range 200 { // the kernel's buffers, then the queue
		if err := w.Send(msg); err != nil {
			return err
		}
	}
	return nil
}

func TestSlowPeerIsAnErrorNotAWait(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for role, connect := range roles {
			w, _ := connect(t, secure, Options{QueueBytes: 8 << 20, WriteTimeout: time.Minute})
			if err := fill(w); !errors.Is(err, ErrSlowPeer) {
				t.Fatalf("%s, TLS %v: got %v, want ErrSlowPeer", role, secure, err)
			}
			w.CloseNow() // at once, although a write hangs
			<-w.Done()
		}
	}
}

func TestWriteWatchdogEndsAStalledConnection(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, connect := range roles {
			w, _ := connect(t, secure, Options{QueueBytes: 16 << 20, WriteTimeout: 50 * time.Millisecond})
			_ = fill(w)
			<-w.Done()
			if err := w.Send([]byte("x")); err == nil || errors.Is(err, ErrSlowPeer) {
				t.Fatalf("send after the watchdog: %v", err)
			}
			if _, err := w.Read(); err == nil {
				t.Fatal("read after the watchdog succeeded")
			}
		}
	}
}

func TestDeadPeerIsNoticedByPing(t *testing.T) {
	t.Parallel()
	w, peer := rawPair(t, true, Options{PingEvery: time.Millisecond, WriteTimeout: 200 * time.Millisecond})
	go func() { // the first ping is answered, the second with what it did not ask
		_, payload, _ := peer.receive()
		peer.send(frame{fin | 10, string(payload), false})
		_, _, _ = peer.receive()
		peer.send(frame{fin | 10, string(payload), false})
	}()
	if _, err := w.Read(); !errors.Is(err, errNoPong) {
		t.Fatalf("got %v", err)
	}
	<-w.Done()
}

// TestFloodOfPings: pongs that the peer does not read are dropped when the queue is full; the connection lives.
func TestFloodOfPings(t *testing.T) {
	t.Parallel()
	const queue = 8 << 10
	w, peer := rawPair(t, false, Options{QueueBytes: queue, WriteTimeout: time.Minute})
	go func() {
		var flood []byte
		for range 1000 {
			flood = frame{fin | 9, string(make([]byte, 125)), false}.append(flood, true)
		}
		for range 200 { // 26 MB of pongs: more than the kernel keeps
			peer.write(flood)
		}
		peer.send(frame{fin | 1, "done", false})
	}()
	if msg, err := w.Read(); err != nil || string(msg) != "done" {
		t.Fatalf("got %q, %v", msg, err)
	}
	if n := w.pipe.backlog(); n == 0 || n > queue+2*maxControl {
		t.Errorf("%d bytes of pongs are kept", n)
	}
}

func TestGoodbyeIsBounded(t *testing.T) {
	t.Parallel()
	w, peer := rawPair(t, false, Options{WriteTimeout: 20 * time.Millisecond})
	w.Close()
	if status := peer.receiveClose(); status != StatusNormal {
		t.Errorf("goodbye with status %d", status)
	}
	<-w.Done() // although the peer never answers
	peer.receiveEOF()
	if _, err := w.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestGoodbyeCompletesWithoutAReader: nobody calls Read, and the answer comes behind other messages.
func TestGoodbyeCompletesWithoutAReader(t *testing.T) {
	t.Parallel()
	w, peer := rawPair(t, true, Options{WriteTimeout: time.Hour})
	peer.send(frame{fin | 1, "a", false})
	w.Close()
	peer.receiveClose()
	peer.send(frame{fin | 1, "b", false}, frame{fin | 9, "unanswered", false}, frame{fin | 8, closing(1000, ""), false})
	<-w.Done()
	peer.receiveEOF()
	if _, err := w.Read(); CloseStatus(err) != StatusNormal {
		t.Errorf("the answer was not read: %v", err)
	}
}

// TestWhatWasReadStaysAcrossClose: the message in the reader's hands is its own until it reads again.
func TestWhatWasReadStaysAcrossClose(t *testing.T) {
	t.Parallel()
	w, peer := rawPair(t, false, Options{})
	peer.send(frame{fin | 1, "held", false}, frame{1, "fragment", false})
	msg, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	for range 100 {
		peer.send(frame{0, strings.Repeat("z", 17), false})
	}
	peer.send(frame{fin | 8, "", false})
	<-w.Done()
	if string(msg) != "held" {
		t.Errorf("it became %q", msg)
	}
}

// TestAFloodAfterTheGoodbyeEnds: what a peer sends on is discarded only as far as it can have been under way.
func TestAFloodAfterTheGoodbyeEnds(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]frame{"in frames": {fin | 1, "x", false}, "after a violation": {fin | 3, "x", false}} {
		w, peer := rawPair(t, false, Options{WriteTimeout: time.Hour})
		peer.send(last)
		if _, _, err := w.ReadEither(); err == nil {
			w.Close()
		}
		flood := frame{fin | 2, string(make([]byte, 60_000)), false}.append(nil, true)
		var err error
		for err == nil {
			_, err = peer.conn.Write(flood)
		}
		var timeout interface{ Timeout() bool }
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: it was read for ever", name)
		}
		<-w.Done()
	}
}

func TestCutIsNotAGoodbye(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{"between frames": "", "in a header": "\x81", "in a frame": "\x81\x85abcdhel"} {
		w, peer := rawPair(t, false, Options{})
		peer.write([]byte(sent))
		_ = peer.conn.Close()
		if _, err := w.Read(); !errors.Is(err, io.ErrUnexpectedEOF) || CloseStatus(err) != -1 {
			t.Errorf("%s: got %v", name, err)
		}
		<-w.Done()
		if err := w.Send([]byte("x")); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: a send then got %v", name, err)
		}
	}
}

// TestEverybodyClosesAtOnce is for the race detector.
func TestEverybodyClosesAtOnce(t *testing.T) {
	t.Parallel()
	for i := range 60 {
		connect := []func(*testing.T, bool, Options) (*Conn, *websocketConn){accepted, dialing}[i%2]
		w, peer := connect(t, i%4 > 1, Options{PingEvery: time.Millisecond, WriteTimeout: time.Second})
		var all sync.WaitGroup
		all.Go(func() {
			for w.Send([]byte("hello")) == nil {
			}
		})
		all.Go(func() {
			for {
				if _, err := w.Read(); err != nil {
					return
				}
			}
		})
		all.Go(func() {
			for {
				_, msg, err := peer.Read(t.Context())
				if err != nil || peer.Write(t.Context(), 1, msg) != nil {
					return
				}
			}
		})
		enders := []func(){
			w.Close, w.CloseNow, func() { w.CloseWith(4000, "x") }, func() { _ = peer.CloseNow() }, func() { _ = peer.Close(1000, "") },
		}
		all.Go(enders[i%5])
		all.Go(enders[i/5%5])
		all.Wait()
		w.CloseNow()
		<-w.Done()
	}
}

func TestAReasonIsCutToWhatMayBeSent(t *testing.T) {
	t.Parallel()
	w, peer := rawPair(t, false, Options{})
	w.CloseWith(4000, fmt.Sprintf("%122sµ", "x")) // the µ would end at byte 124
	_, payload, err := peer.receive()
	if err != nil || len(payload) != 124 || CloseStatus(parseClose(payload)) != 4000 {
		t.Errorf("got %d bytes %q, %v", len(payload), payload, err)
	}
}
