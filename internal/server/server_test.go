package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/metric"
)

func newServer(change func(*Options)) *Server {
	api := http.NewServeMux()
	api.HandleFunc("GET /api/v1/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	api.HandleFunc("GET /api/v1/ok/{id}/part", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "part") })
	api.HandleFunc("GET /api/v1/panic", func(http.ResponseWriter, *http.Request) { panic("hunter2") })
	api.HandleFunc("GET /api/v1/late", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x"); panic("late") })
	opt := Options{
		API: api, Page: http.NotFoundHandler(), Metrics: metric.New("test"), Logger: slog.New(slog.DiscardHandler),
		Phone: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "twilio") }),
	}
	if change != nil {
		change(&opt)
	}
	return New(opt)
}

func get(s *Server, method, url, peer string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x"+url, nil)
	r.RemoteAddr = peer + ":1000"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestUnroutedRequestsGetTheEnvelope(t *testing.T) {
	t.Parallel()
	s := newServer(nil)
	cases := []struct {
		method, url string
		status      int
		allow       string
	}{
		{"GET", "/api/v1/ok", 200, ""},
		{"HEAD", "/api/v1/ok", 200, ""},
		{"POST", "/api/v1/ok", 405, "GET, HEAD"},
		{"GET", "/api/v1/nope", 404, ""},
		{"GET", "/api/v1/", 404, ""},
		{"GET", "/api", 404, ""},
		{"GET", "/api/v2/agents", 404, ""},
		{"GET", "/api/v1//ok", 404, ""},
		{"GET", "/api/v1/ok//part", 404, ""},
		{"GET", "/api/v1/x/../ok", 404, ""},
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"GET", "/etc", 404, ""},
		{"GET", "/api/v1/panic", 500, ""},
	}
	for _, c := range cases {
		w := get(s, c.method, c.url, "192.0.2.1")
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s = %d, Allow %q; want %d, %q", c.method, c.url, w.Code, w.Header().Get("Allow"), c.status, c.allow)
		}
		id := w.Header().Get("X-Request-Id")
		if id == "" {
			t.Errorf("%s %s carries no X-Request-Id", c.method, c.url)
		}
		if w.Code < 400 {
			continue
		}
		var e struct {
			Success *bool
			Error   struct {
				Code      int
				RequestID string `json:"requestId"`
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Success == nil || *e.Success || e.Error.Code != c.status || e.Error.RequestID != id {
			t.Errorf("%s %s answered %s", c.method, c.url, w.Body)
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("the panic is shown: %s", w.Body)
		}
	}
}

func TestPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // recover returns the sentinel itself
			t.Errorf("recovered %v, want ErrAbortHandler", p)
		}
	}()
	get(newServer(nil), "GET", "/api/v1/late", "192.0.2.1")
}

func TestMetricsAccess(t *testing.T) {
	t.Parallel()
	open, locked := newServer(nil), newServer(func(o *Options) { o.MetricsToken = "secret-token" })
	cases := []struct {
		name   string
		s      *Server
		peer   string
		header []string
		ok     bool
	}{
		{"loopback", open, "127.0.0.1", nil, true},
		{"loopback 6", open, "[::1]", nil, true},
		{"other machine", open, "192.0.2.1", nil, false},
		{"proxy on this machine", open, "127.0.0.1", []string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"proxy, RFC 7239", open, "127.0.0.1", []string{"Forwarded", "for=1"}, false},
		{"proxy, real ip", open, "127.0.0.1", []string{"X-Real-IP", "1.1.1.1"}, false},
		{"proxy, via", open, "127.0.0.1", []string{"Via", "1.1 x"}, false},
		{"a token where none is set", open, "192.0.2.1", []string{"Authorization", "Bearer "}, false},
		{"right token", locked, "192.0.2.1", []string{"Authorization", "bearer secret-token"}, true},
		{"right token by proxy", locked, "127.0.0.1", []string{"Authorization", "Bearer secret-token", "Via", "x"}, true},
		{"wrong token", locked, "192.0.2.1", []string{"Authorization", "Bearer secret-tokem"}, false},
		{"loopback beside a token", locked, "127.0.0.1", nil, true},
	}
	for _, c := range cases {
		w := get(c.s, "GET", "/metrics", c.peer, c.header...)
		if (w.Code == 200) != c.ok || !c.ok && w.Code != 401 {
			t.Errorf("%s: %d", c.name, w.Code)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	var broken error
	s := newServer(func(o *Options) {
		o.Ready = []Check{{Name: "database", Run: func(context.Context) error { return broken }}}
	})
	if w := get(s, "GET", "/readyz", "192.0.2.1"); w.Code != 200 {
		t.Fatalf("ready: %d %s", w.Code, w.Body)
	}
	broken = errors.New("hunter2")
	if w := get(s, "GET", "/readyz", "192.0.2.1"); w.Code != 503 || strings.Contains(w.Body.String(), "hunter2") || !strings.Contains(w.Body.String(), "database") {
		t.Fatalf("broken: %d %s", w.Code, w.Body)
	}
	broken = nil
	s.Drain()
	if w := get(s, "GET", "/readyz", "192.0.2.1"); w.Code != 503 {
		t.Fatalf("draining: %d", w.Code)
	}
	if w := get(s, "GET", "/healthz", "192.0.2.1"); w.Code != 200 {
		t.Fatalf("health while draining: %d", w.Code)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	s := newServer(func(o *Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1", "1.2.3.4", "192.0.2.1"},
		{"10.0.0.1", "1.2.3.4", "1.2.3.4"},
		{"10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"},
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "nonsense", "10.0.0.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer + ":1"
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := s.client(r); got.String() != c.want {
			t.Errorf("client(%s, %q) = %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// TestShutdownEndsStreams: an answer that never ends by itself must not hold the server up.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	s := newServer(func(o *Options) {
		o.API.HandleFunc("GET /api/v1/stream", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			close(began)
			<-r.Context().Done()
		})
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+l.Addr().String()+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	<-began
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
