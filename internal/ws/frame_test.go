package ws

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestFramesOfEveryLength sends the lengths around each form of a frame's header, from both sides.
func TestFramesOfEveryLength(t *testing.T) {
	lengths := []int{0, 1, 7, 8, 9, 125, 126, 127, 4095, 4096, 65535, 65536, 200_000}
	accepted := make(chan *Conn, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		c := New(s, Options{})
		accepted <- c
		<-c.Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	s, _, err := Dial(ctx, Client(transport), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := New(s, Options{})
	server := <-accepted
	for _, way := range []struct{ from, to *Conn }{{client, server}, {server, client}} {
		for _, n := range lengths {
			msg := bytes.Repeat([]byte{'m'}, n)
			for i := range msg {
				msg[i] += byte(i % 7)
			}
			if err := way.from.SendBinary(msg); err != nil {
				t.Fatal(err)
			}
			got, binary, err := way.to.ReadEither()
			if err != nil || !binary || !bytes.Equal(got, msg) {
				t.Fatalf("%d bytes arrived as %d, binary %v: %v", n, len(got), binary, err)
			}
		}
	}
	for _, c := range []*Conn{client, server} {
		c.CloseNow()
		<-c.Done()
	}
}

// TestMaskChanges: no two frames of a client carry the same mask, or proxies could be made to see what is sent.
func TestMaskChanges(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		seen[string(appendFrame(nil, opText, true, []byte("hello")))] = true
	}
	if len(seen) < 99 {
		t.Errorf("%d different frames of 100", len(seen))
	}
	if f := appendFrame(nil, opText, false, []byte("hi")); string(f) != "\x81\x02hi" {
		t.Errorf("a server's frame is %q", f)
	}
}
