package ws

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestDialOverTLS speaks with an independent peer behind TLS, as with the real OpenAI.
func TestDialOverTLS(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			typ, msg, err := c.Read(r.Context())
			if err != nil {
				return
			}
			_ = c.Write(r.Context(), typ, msg)
		}
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: srv.Client().Transport.(*http.Transport).TLSClientConfig}
	defer transport.CloseIdleConnections()
	s, _, err := Dial(ctx, Client(transport), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := New(s, Options{})
	defer func() { c.CloseNow(); <-c.Done() }()
	if err := c.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Read(); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
}
