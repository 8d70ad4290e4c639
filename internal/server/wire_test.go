package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// listen serves on a real connection until the test ends.
func listen(t *testing.T, s *Server) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// exchange sends bytes as they are and returns all bytes of the answer; the connection must end by itself.
func exchange(t *testing.T, address, text string) []byte {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // only so that a server that hangs fails the test
	_, _ = io.WriteString(conn, text)
	got, err := io.ReadAll(conn)
	if err != nil && len(got) == 0 {
		t.Errorf("%.60q: %v", text, err)
	}
	return got
}

// TestRequestLines: every request that net/http hands to us is answered in the envelope. What it refuses by
// itself is plain text; those rows document it.
func TestRequestLines(t *testing.T) {
	t.Parallel()
	address := listen(t, newServer(nil))
	const host = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	long := strings.Repeat("a", 8_000)
	cases := []struct {
		request string
		status  int
		plain   bool
	}{
		{"GET /api/v1/ok" + host, 200, true},
		{"GET http://x/api/v1/ok" + host, 200, true},
		{"GET /api/v1/nope" + host, 404, false},
		{"GET /api/v1" + host, 404, false},
		{"POST /api/v1" + host, 404, false},
		{"GET /api/v1/" + host, 404, false},
		{"GET /static" + host, 404, false},
		{"GET /twilio" + host, 404, false},
		{"GET /somewhere" + host, 404, false},
		{"GET //" + host, 404, false},
		{"GET //api/v1/ok" + host, 404, false},
		{"GET /api//v1/ok" + host, 404, false},
		{"GET /api/v1/ok/../panic" + host, 404, false},
		{"GET /api/v1/ok/%2e%2e/part" + host, 200, true}, // an id like any other
		{"GET /api/v1/ok/%2F/part" + host, 404, false},   // http.ServeMux takes a lone slash for the end of a path
		{"GET /api/v1/ok/a%2Fb/part" + host, 200, true},
		{"GET /api/v1/ok/%00/part" + host, 200, true},
		{"GET /%2e%2e/%2e%2e/etc/passwd" + host, 404, false},
		{"GET /api/v1/" + long + host, 404, false},
		{"GET /api/v1/ok?x=" + long + host, 200, true},
		{"PUT /api/v1/ok" + host, 405, false},
		{"OPTIONS /api/v1/ok" + host, 405, false},
		{"TRACE /api/v1/ok" + host, 405, false},
		{"PRI /api/v1/ok" + host, 405, false},
		{"get /api/v1/ok" + host, 405, false},
		{"CONNECT x:443" + host, 405, false},
		{"CONNECT /api/v1/ok" + host, 405, false},
		{"GET *" + host, 404, false},
		{"GET /api/v1/panic" + host, 500, false},
		{"GET /api/v1/ok HTTP/1.0\r\n\r\n", 200, true},
		{"GET /api/v1/nope HTTP/1.0\r\n\r\n", 404, false},
		{"POST /api/v1/ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405, false},

		{"OPTIONS *" + host, 200, true},
		{"GET /api/v1/ok HTTP/1.1\r\n\r\n", 400, true},
		{"GET /api/v1/%zz" + host, 400, true},
		{"GET /api/v1/ok HTTP/3.0\r\nHost: x\r\n\r\n", 505, true},
		{"nonsense\r\n\r\n", 400, true},
		{"GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n", 400, true},
		{"GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, true},
		{"POST /api/v1/ok HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, true},
		{"POST /api/v1/ok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, true},
		{"POST /api/v1/ok HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n", 417, true},
		{"GET /api/v1/ok HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", maxHeaderBytes+5_000) + "\r\n\r\n", 431, true},
	}
	for _, c := range cases {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(exchange(t, address, c.request))), nil)
		if err != nil {
			t.Errorf("%.60q: no answer: %v", c.request, err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || (res.StatusCode == 405) != (res.Header.Get("Allow") != "") {
			t.Errorf("%.60q = %d %s, want %d", c.request, res.StatusCode, body, c.status)
		}
		if !c.plain {
			checkEnvelope(t, c.request, res, body)
		}
	}
}

func checkEnvelope(t *testing.T, request string, res *http.Response, body []byte) {
	t.Helper()
	var e struct {
		Success *bool
		Error   struct {
			Code          int
			Message, Type string
			RequestID     string `json:"requestId"`
		}
	}
	err := json.Unmarshal(body, &e)
	if err != nil || e.Success == nil || *e.Success || e.Error.Code != res.StatusCode || e.Error.Message == "" || e.Error.Type == "" ||
		e.Error.RequestID == "" || e.Error.RequestID != res.Header.Get("X-Request-Id") || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%.60q was answered %s", request, body)
	}
	if strings.Contains(string(body), "hunter2") || strings.Contains(string(body), ".go") {
		t.Errorf("%.60q shows the inside: %s", request, body)
	}
}

// TestSlowHeaders: a client that does not finish its request is cut off. net/http gives it no answer or a plain
// 400, depending on how far it came.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	s.http.ReadHeaderTimeout = 50 * time.Millisecond
	address := listen(t, s)
	for _, text := range []string{"", "GET /api", "GET /api/v1/ok HTTP/1.1\r\nHost: x\r\n"} {
		if got := exchange(t, address, text); len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 400 ")) {
			t.Errorf("%q was answered %s", text, got)
		}
	}
}

// TestPanicIsLoggedOnce with its request id, whether or not the answer had begun.
func TestPanicIsLoggedOnce(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]int{"/api/v1/panic": http.StatusInternalServerError, "/api/v1/late": 0} {
		log := &safeBuffer{}
		address := listen(t, newServer(func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) }))
		got := exchange(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		id := ""
		if status != 0 {
			res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
			if err != nil || res.StatusCode != status {
				t.Fatalf("%s was answered %s, %v", path, got, err)
			}
			id = res.Header.Get("X-Request-Id")
			_ = res.Body.Close()
		}
		text := log.String()
		if n := strings.Count(text, "request failed"); n != 1 || !strings.Contains(text, "panic: ") || !strings.Contains(text, "request_id="+id) {
			t.Errorf("%s was logged %d times: %s", path, n, text)
		}
		if strings.Contains(string(got), "hunter2") || strings.Contains(string(got), "goroutine") {
			t.Errorf("%s shows the inside: %s", path, got)
		}
	}
}

// safeBuffer takes the log lines of several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
