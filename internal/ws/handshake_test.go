package ws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const upgrade = "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// ask sends a handshake and what follows it in one piece.
func ask(t *testing.T, srv *httptest.Server, line, headers, behind string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s\r\nHost: parley\r\n%s\r\n%s", line, headers, behind)
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, in, res
}

func TestAcceptHandshake(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Of-The-House", "yes")
		s, err := Accept(w, r, "first", "second")
		if err != nil {
			return
		}
		c := New(s, Options{})
		msg, _ := c.Read()
		_ = c.Send(msg)
		c.Close()
	}))
	defer srv.Close()

	hello := string(frame{fin | 1, "in the same packet", false}.append(nil, true))
	_, in, res := ask(t, srv, "GET / HTTP/1.1", upgrade+"Sec-WebSocket-Protocol: other, SECOND\r\nSec-WebSocket-Extensions: permessage-deflate\r\nOrigin: https://elsewhere\r\n", hello)
	h := res.Header
	if res.StatusCode != 101 || h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("X-Of-The-House") != "yes" {
		t.Errorf("answered %s, %v", res.Status, h)
	}
	if h.Get("Sec-WebSocket-Protocol") != "second" || h.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("agreed to %v", h)
	}
	peer := &rawPeer{t: t, in: in, masked: true}
	if _, msg, err := peer.receive(); err != nil || string(msg) != "in the same packet" {
		t.Errorf("got %q, %v", msg, err)
	}

	for name, c := range map[string]struct {
		line, without, with string
		status              int
	}{
		"a POST":           {line: "POST / HTTP/1.1", with: "Content-Length: 0\r\n", status: 405},
		"HTTP/1.0":         {line: "GET / HTTP/1.0", status: 426},
		"no upgrade":       {without: "Upgrade: WebSocket\r\n", status: 426},
		"another upgrade":  {without: "Upgrade: WebSocket\r\n", with: "Upgrade: h2c\r\n", status: 426},
		"no connection":    {without: "Connection: keep-alive, upgrade\r\n", status: 426},
		"another version":  {without: "Sec-WebSocket-Version: 13\r\n", with: "Sec-WebSocket-Version: 8\r\n", status: 400},
		"no key":           {without: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", status: 400},
		"a short key":      {without: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", with: "Sec-WebSocket-Key: aGVsbG8=\r\n", status: 400},
		"a key not base64": {without: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", with: "Sec-WebSocket-Key: ========================\r\n", status: 400},
		"two keys":         {with: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", status: 400},
	} {
		if c.line == "" {
			c.line = "GET / HTTP/1.1"
		}
		_, _, res := ask(t, srv, c.line, strings.Replace(upgrade, c.without, "", 1)+c.with, "")
		if res.StatusCode != c.status {
			t.Errorf("%s: answered %s", name, res.Status)
		}
		if c.status == 426 && res.Header.Get("Upgrade") != "websocket" {
			t.Errorf("%s: 426 without Upgrade", name)
		}
	}
}

// answering plays a server that answers a handshake with what answer makes of the right Sec-WebSocket-Accept.
func answering(t *testing.T, answer func(accept string) string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				fmt.Fprint(c, answer(acceptKey(req.Header.Get("Sec-Websocket-Key"))))
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return "ws://" + l.Addr().String()
}

func TestDialChecksTheAnswer(t *testing.T) {
	t.Parallel()
	const switching = "HTTP/1.1 101 Switching Protocols\r\n"
	client := Client(&http.Transport{DisableKeepAlives: true})
	for name, c := range map[string]struct {
		answer string
		status int
		body   int
	}{
		"refused":           {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nwords", 401, 5},
		"refused at length": {"HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\n\r\n" + strings.Repeat("x", 5000), 500, 1 << 10},
		"no upgrade":        {switching + "Connection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\n\r\n", 101, 0},
		"wrong key":         {switching + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", 101, 0},
		"extension":         {switching + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 101, 0},
		"subprotocol":       {switching + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: x\r\n\r\n", 101, 0},
	} {
		address := answering(t, func(accept string) string { return strings.Replace(c.answer, "KEY", accept, 1) })
		_, res, err := Dial(t.Context(), client, address, nil)
		if err == nil || res == nil || res.StatusCode != c.status {
			t.Errorf("%s: %v, %v", name, res, err)
			continue
		}
		if body, _ := io.ReadAll(res.Body); len(body) != c.body {
			t.Errorf("%s: body %q", name, body)
		}
	}
}

// TestDialTakesWhatCameWithTheAnswer: frames in the same packet as the 101 are in the transport's buffer.
func TestDialTakesWhatCameWithTheAnswer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("y", 3000)
	address := answering(t, func(accept string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n" +
			string(frame{fin | 1, "x", false}.append(nil, false)) + string(frame{fin | 1, long, false}.append(nil, false)) + "\x81\x03cu"
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	s, _, err := Dial(ctx, Client(&http.Transport{}), address, nil)
	cancel() // bounds the dialing only
	if err != nil {
		t.Fatal(err)
	}
	c := New(s, Options{})
	for _, want := range []string{"x", long} {
		if msg, err := c.Read(); err != nil || string(msg) != want {
			t.Fatalf("got %q, %v", msg, err)
		}
	}
	c.CloseNow()
	<-c.Done()
}

func TestDialGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := Dial(ctx, Client(&http.Transport{}), answering(t, func(string) string { return "" }), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	var op *net.OpError
	if _, _, err := Dial(t.Context(), Client(&http.Transport{}), "ws://127.0.0.1:1", nil); !errors.As(err, &op) {
		t.Errorf("got %v", err)
	}
	if _, _, err := Dial(t.Context(), &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, answering(t, func(accept string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
	}), nil); err == nil {
		t.Error("a client whose writes wait was taken")
	}
}

// tunnel is an HTTP proxy that knows CONNECT.
func tunnel(t *testing.T, secure bool) (*httptest.Server, *atomic.Int32) {
	var used atomic.Int32
	srv := serve(secure, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNz" {
			http.Error(w, "no", http.StatusProxyAuthRequired)
			return
		}
		used.Add(1)
		out, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		in, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(in, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(out, in)
			out.Close()
		}()
		_, _ = io.Copy(in, out)
		in.Close()
	})
	t.Cleanup(srv.Close)
	return srv, &used
}

// TestDialThroughAProxy: TLS in a tunnel, and in a tunnel that is itself in TLS.
func TestDialThroughAProxy(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		proxy, used := tunnel(t, secure)
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := Accept(w, r)
			if err != nil {
				return
			}
			c := New(s, Options{})
			for {
				msg, err := c.Read()
				if err != nil || c.Send(msg) != nil {
					return
				}
			}
		}))
		t.Cleanup(srv.Close)
		via, _ := url.Parse(proxy.URL)
		via.User = url.UserPassword("user", "pass")
		tr := transport(t, srv) // httptest's servers share their certificate
		tr.Proxy = http.ProxyURL(via)
		s, _, err := Dial(t.Context(), Client(tr), strings.Replace(srv.URL, "https", "wss", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		c := New(s, Options{})
		for _, n := range []int{3, 100_000, 0} {
			if err := c.Send(make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			if msg, err := c.Read(); err != nil || len(msg) != n {
				t.Fatalf("got %d bytes, %v", len(msg), err)
			}
		}
		if used.Load() != 1 {
			t.Error("the proxy was not asked")
		}
		c.Close()
		<-c.Done()
	}
}
