package egress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"parley/internal/egress/egresstest"
)

// site is a server that stands for the public Internet: the gate allows just its address.
func site(t testing.TB, listen string, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func port(s *httptest.Server) string {
	_, p, _ := net.SplitHostPort(s.Listener.Addr().String())
	return p
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestAnswersAreReadUnderABound(t *testing.T) {
	t.Parallel()
	pack := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	}
	big := bytes.Repeat([]byte("x"), 20<<20)
	bomb := pack(bytes.Repeat([]byte{0}, 40<<20))
	var nothing []byte // members without content: much to read, nothing to see
	for empty := pack(nil); len(nothing) < maxStream+len(empty); {
		nothing = append(nothing, empty...)
	}
	s := site(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("asked for %q", r.Header.Get("Accept-Encoding"))
		}
		encoding, body := "", []byte("hello")
		switch r.URL.Path {
		case "/gzip":
			encoding, body = "gzip", pack(body)
		case "/x-gzip":
			encoding, body = "X-GZIP", pack(body)
		case "/identity":
			encoding = "identity"
		case "/br", "/deflate", "/zstd":
			encoding = r.URL.Path[1:]
		case "/twice":
			encoding, body = "gzip, gzip", pack(pack(body))
		case "/lie":
			encoding = "gzip"
		case "/cut":
			encoding, body = "gzip", pack(body)[:20]
		case "/empty":
			encoding, body = "gzip", nil
		case "/exact":
			body = big[:MaxBody]
		case "/over":
			body = big[:MaxBody+1]
		case "/20MB":
			body = big
		case "/bomb":
			encoding, body = "gzip", bomb
		case "/double-bomb":
			encoding, body = "gzip", pack(bomb)
		case "/nothing":
			encoding, body = "gzip", nothing
		case "/none":
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if encoding != "" {
			w.Header().Set("Content-Encoding", encoding)
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(body)
	})
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	for path, c := range map[string]struct {
		size      int
		truncated bool
		err       string
	}{
		"/plain": {size: 5}, "/gzip": {size: 5}, "/x-gzip": {size: 5}, "/identity": {size: 5}, "/none": {}, "/empty": {},
		"/br": {err: "compression"}, "/deflate": {err: "compression"}, "/zstd": {err: "compression"}, "/twice": {err: "compression"},
		"/lie": {err: "gzip that it claims"}, "/cut": {err: "gzip that it claims"},
		"/exact": {size: MaxBody}, "/over": {size: MaxBody, truncated: true}, "/20MB": {size: MaxBody, truncated: true},
		"/bomb": {size: MaxBody, truncated: true}, "/nothing": {truncated: true},
	} {
		req := request(t, http.MethodGet, s.URL+path, "")
		req.Header.Set("Accept-Encoding", "br, zstd") // nothing that the caller can change
		res, err := g.Do("org", req, Follow{})
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", path, err)
			}
		case err != nil:
			t.Errorf("%s: %v", path, err)
		case len(res.Body) != c.size || res.Truncated != c.truncated:
			t.Errorf("%s: %d bytes, truncated %v", path, len(res.Body), res.Truncated)
		case res.Header.Get("Content-Encoding") == "gzip":
			t.Errorf("%s: still says gzip", path)
		}
	}
	if res, err := g.Do("org", request(t, http.MethodGet, s.URL+"/20MB", ""), Follow{MaxBody: 10}); err != nil || len(res.Body) != 10 || !res.Truncated {
		t.Errorf("a bound of the caller: %v %v", res, err)
	}
	if res, err := g.Do("org", request(t, http.MethodGet, s.URL+"/double-bomb", ""), Follow{}); err != nil || len(res.Body) >= MaxBody {
		t.Errorf("packed twice, it is unpacked once: %v", err) // and so it is small
	}
	// The client of libraries is bounded as well.
	for _, path := range []string{"/bomb", "/20MB"} {
		res, err := g.Client("org").Do(request(t, http.MethodGet, s.URL+path, ""))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if n > maxStream || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: the client reads %d bytes: %v", path, n, err)
		}
	}
}

func TestSlowAndEndlessAnswersEnd(t *testing.T) {
	t.Parallel()
	s := site(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/headers":
			for i := range 200 {
				w.Header().Set("X-"+strings.Repeat("a", i+1), strings.Repeat("x", 1000))
			}
		case "/hang":
			<-r.Context().Done()
		case "/drip":
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	})
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	if _, err := g.Do("org", request(t, http.MethodGet, s.URL+"/headers", ""), Follow{}); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("200 KB of headers: %v", err)
	}
	for _, path := range []string{"/hang", "/drip"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := g.Do("org", request(t, http.MethodGet, s.URL+path, "").WithContext(ctx), Follow{})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "the server did not answer in time" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestFailuresAreToldWithoutAddresses(t *testing.T) {
	t.Parallel()
	dns := egresstest.NewDNS(t)
	dns.Answer("closed.example.com", []string{"127.0.0.7"})
	dns.Answer("tls.example.com", []string{"127.0.0.1"})
	closed := site(t, "127.0.0.7:0", nil)
	closed.Close()
	banner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = banner.Close() })
	go func() {
		for {
			c, err := banner.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9 secret banner\r\n\r\n")
			_ = c.Close()
		}
	}()
	secure := httptest.NewTLSServer(nil)
	t.Cleanup(secure.Close)
	g := gate(t, Options{Resolver: dns.Resolver(), Allow: []string{"127.0.0.0/8"}})
	for raw, want := range map[string]string{
		"http://nowhere.example.com/":                                      "the name of the server was not found",
		"http://closed.example.com:" + port(closed) + "/?key=SECRET":       "the server refused the connection",
		"http://" + banner.Addr().String() + "/?key=SECRET":                "the connection to the server failed",
		"https://tls.example.com:" + port(secure) + "/?key=SECRET":         "the server's certificate is not valid for its name",
		"https://" + strings.TrimPrefix(banner.Addr().String(), "") + "/x": "the server does not speak TLS as expected",
	} {
		req := request(t, http.MethodGet, raw, "")
		_, err := g.Do("org", req, Follow{})
		if err == nil || err.Error() != want || IsBlocked(err) {
			t.Errorf("%s: %v", raw, err)
		}
		if _, err := g.Client("org").Do(req); Explain(err) == nil || Explain(err).Error() != want {
			t.Errorf("%s: the client says %v", raw, Explain(err))
		}
	}
	if Explain(nil) != nil {
		t.Error("nothing is explained")
	}
}
