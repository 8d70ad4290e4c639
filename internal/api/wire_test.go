package api_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

// TestBodiesOnTheWire sends bodies that arrive late, broken or too large over a real connection: each gets the
// envelope, and none of them makes an agent.
func TestBodiesOnTheWire(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	patient, hasty := httptest.NewServer(h.handler), httptest.NewUnstartedServer(h.handler)
	hasty.Config.ReadTimeout = 100 * time.Millisecond // for bodies that never come, in place of half a minute
	hasty.Start()
	t.Cleanup(func() { patient.Close(); hasty.Close() })
	const good = `{"name":"A","type":"voice"}`
	big := strings.Repeat("x", 3<<19+100)
	cases := []struct {
		name, header, body string
		half               bool // the client ends its side after the body
		statuses           string
	}{
		{"whole", fmt.Sprintf("Content-Length: %d", len(good)), good, false, "201"},
		{"whole, in chunks", "Transfer-Encoding: chunked", "5\r\n" + good[:5] + "\r\n16\r\n" + good[5:] + "\r\n0\r\n\r\n", false, "201"},
		{"asks first", fmt.Sprintf("Content-Length: %d\r\nExpect: 100-continue", len(good)), good, false, "100 201"},
		{"never comes", "Content-Length: 100", "", false, "408"},
		{"stops half way", "Content-Length: 100", good[:9], false, "408"},
		{"stops between chunks", "Transfer-Encoding: chunked", "5\r\n" + good[:5] + "\r\n", false, "408"},
		{"is cut off", "Content-Length: 100", good[:9], true, "400"},
		{"is cut off between chunks", "Transfer-Encoding: chunked", "5\r\n" + good[:5] + "\r\n", true, "400"},
		{"garbled chunks", "Transfer-Encoding: chunked", "zz\r\n" + good + "\r\n0\r\n\r\n", false, "400"},
		{"too large by its own word", "Content-Length: 1572865", "", false, "413"},
		{"too large, asks first", "Content-Length: 1572865\r\nExpect: 100-continue", "", false, "413"},
		{"far too large", "Content-Length: 9223372036854775807", "{", false, "413"},
		{"too large", fmt.Sprintf("Content-Length: %d", len(big)), big, false, "413"},
		{"too large in chunks", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), false, "413"},
		{"no length and no chunks", "", "", false, "400"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			head := "POST /api/v1/agents HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Api-Key: " + h.key + "\r\n"
			if c.header != "" {
				head += c.header + "\r\n"
			}
			srv := patient
			if c.statuses == "408" {
				srv = hasty
			}
			got := onTheWire(t, srv.Listener.Addr().String(), "POST", head+"\r\n"+c.body, c.half)
			if got.statuses != c.statuses {
				t.Errorf("%s, want %s: %s", got.statuses, c.statuses, got.body)
			}
			checkWire(t, got)
		})
	}
}

// TestOldClients speak HTTP/1.0, or ask with HEAD.
func TestOldClients(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t))
	srv := httptest.NewServer(h.handler)
	defer srv.Close()
	for _, c := range []struct{ method, request, statuses string }{
		{"GET", "GET /api/v1/agents HTTP/1.0\r\nX-Api-Key: " + h.key + "\r\n\r\n", "200"},
		{"GET", "GET /api/v1/agents HTTP/1.0\r\n\r\n", "401"},
		{"POST", "POST /api/v1/agents HTTP/1.0\r\nX-Api-Key: " + h.key + "\r\nContent-Length: 2\r\n\r\n{}", "400"},
		{"HEAD", "HEAD /api/v1/agents HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + h.key + "\r\n\r\n", "200"},
		{"HEAD", "HEAD /api/v1/agents HTTP/1.1\r\nHost: x\r\n\r\n", "401"},
		{"HEAD", "HEAD /api/v1/agents/x HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + h.key + "\r\n\r\n", "404"},
		{"HEAD", "HEAD /api/v1/test-calls HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + h.key + "\r\n\r\n", "405"},
	} {
		got := onTheWire(t, srv.Listener.Addr().String(), c.method, c.request, false)
		if got.statuses != c.statuses || c.method == "HEAD" && len(got.body) > 0 {
			t.Errorf("%.60s = %s %s, want %s", c.request, got.statuses, got.body, c.statuses)
		}
		checkWire(t, got)
	}
}

// wired is the answer to bytes on a connection.
type wired struct {
	statuses string // the final one, after interim ones
	header   http.Header
	body     []byte
}

// onTheWire sends bytes as they are and reads the answer.
func onTheWire(t *testing.T, address, method, text string, half bool) wired {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // only so that a server that hangs fails the test
	if _, err := io.WriteString(conn, text); err != nil {
		t.Logf("the server stopped reading: %v", err) // as it may, after an early refusal
	}
	if half {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	r := bufio.NewReader(conn)
	var got wired
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("no answer after %q: %v", got.statuses, err)
		}
		got.statuses = strings.TrimSpace(fmt.Sprint(got.statuses, " ", res.StatusCode))
		got.header = res.Header
		if res.StatusCode >= 200 {
			got.body, err = io.ReadAll(res.Body)
			if err != nil {
				t.Errorf("reading the answer: %v", err)
			}
			_ = res.Body.Close()
			return got
		}
	}
}

func checkWire(t *testing.T, got wired) {
	t.Helper()
	if got.header.Get("X-Request-Id") == "" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", got.header)
	}
	if len(got.body) == 0 {
		return
	}
	var e struct {
		Success *bool
		Error   struct{ Code int }
	}
	if err := json.NewDecoder(bytes.NewReader(got.body)).Decode(&e); err != nil || e.Success == nil || !strings.HasSuffix(got.statuses, "201") && !strings.HasSuffix(got.statuses, "200") && !strings.HasSuffix(got.statuses, fmt.Sprint(e.Error.Code)) {
		t.Errorf("%s was answered %s", got.statuses, got.body)
	}
}
