package egress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"parley/internal/egress/egresstest"
)

var statuses = []int{301, 302, 303, 307, 308}

// redirector answers /STATUS?to=URL with such a redirect and anything else with what it was sent.
func redirector(t *testing.T, listen string) *httptest.Server {
	return site(t, listen, func(w http.ResponseWriter, r *http.Request) {
		if status, err := strconv.Atoi(r.URL.Path[1:]); err == nil {
			w.Header()["Location"] = []string{r.URL.Query().Get("to")}
			w.WriteHeader(status)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s|%s", r.Method, r.URL.RequestURI(), body)
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "X-Caller", "Accept", "Content-Type", "User-Agent", "Referer", "Idempotency-Key"} {
			if v := r.Header.Get(name); v != "" {
				_, _ = fmt.Fprintf(w, "|%s=%s", name, v)
			}
		}
	})
}

func via(s *httptest.Server, status int, to string) string {
	return fmt.Sprintf("%s/%d?to=%s", s.URL, status, url.QueryEscape(to))
}

func TestNoRedirectLeadsToABlockedAddress(t *testing.T) {
	t.Parallel()
	dns := egresstest.NewDNS(t)
	s := redirector(t, "127.0.0.1:0")
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}, Resolver: dns.Resolver()})
	inputs := append(dns.Names(), egresstest.Inputs()...)
	for i, in := range inputs { // every address with every status, every other way of writing with one of them
		if in.Public || !strings.Contains(in.URL, "://") || strings.ContainsAny(in.URL, "\r\n\x00") { // relative ones lead to the server itself
			continue
		}
		some := statuses[i%len(statuses):][:1]
		if strings.HasPrefix(in.Name, "name of") || i < 2*len(egresstest.Internal) {
			some = statuses
		}
		for _, status := range some {
			checkRefused(t, g, via(s, status, in.URL))
		}
	}
}

func checkRefused(t *testing.T, g *Gate, raw string) {
	t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		res, err := g.Do("org", request(t, method, raw, ""), Follow{})
		_, refused := errors.AsType[*RedirectError](err)
		if !IsBlocked(err) && !refused {
			t.Errorf("%s %s: %v %v", method, raw, res, err)
		}
	}
}

func TestRedirectsAreFollowedAsBrowsersDo(t *testing.T) {
	t.Parallel()
	s := redirector(t, "127.0.0.1:0")
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	for _, c := range []struct {
		method string
		status int
		want   string
	}{
		{"GET", 301, "GET /end|"}, {"GET", 302, "GET /end|"}, {"GET", 303, "GET /end|"}, {"GET", 307, "GET /end|"}, {"GET", 308, "GET /end|"},
		{"POST", 301, "GET /end|"}, {"POST", 302, "GET /end|"}, {"POST", 303, "GET /end|"}, {"POST", 307, "POST /end|hi"}, {"POST", 308, "POST /end|hi"},
		{"PUT", 301, "PUT /end|hi"}, {"PUT", 302, "PUT /end|hi"}, {"PUT", 303, "GET /end|"}, {"PUT", 307, "PUT /end|hi"},
		{"DELETE", 301, "DELETE /end|"}, {"DELETE", 303, "GET /end|"}, {"DELETE", 308, "DELETE /end|"},
	} {
		body := map[bool]string{true: "hi"}[c.method == "POST" || c.method == "PUT"]
		req := request(t, c.method, via(s, c.status, "/end"), body)
		if body != "" {
			req.Header.Set("Content-Type", "text/plain")
		}
		res, err := g.Do("org", req, Follow{})
		if err != nil || !strings.HasPrefix(string(res.Body), c.want) || res.Redirects != 1 {
			t.Errorf("%s %d: %v %v", c.method, c.status, res, err)
			continue
		}
		if kept := strings.Contains(string(res.Body), "Content-Type="); kept != strings.HasSuffix(c.want, "hi") {
			t.Errorf("%s %d: content type kept: %v", c.method, c.status, kept)
		}
	}
	// Not redirects: 300 and 304, a missing Location, and a caller that wants none.
	for _, raw := range []string{via(s, 300, "/end"), via(s, 304, "/end"), s.URL + "/302"} {
		if res, err := g.Do("org", request(t, "GET", raw, ""), Follow{}); err != nil || res.Status/100 != 3 || res.Redirects != 0 {
			t.Errorf("%s: %v %v", raw, res, err)
		}
	}
	if res, err := g.Do("org", request(t, "GET", via(s, 302, "/end"), ""), Follow{None: true}); err != nil || res.Status != 302 {
		t.Errorf("none: %v %v", res, err)
	}
	// A body that cannot be read again is not sent again.
	req := request(t, "POST", via(s, 307, "/end"), "hi")
	req.GetBody = nil
	if _, err := g.Do("org", req, Follow{}); err == nil || !strings.Contains(err.Error(), "cannot be sent again") {
		t.Errorf("unrepeatable body: %v", err)
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	s := site(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if r.URL.Path == "/3" && r.URL.RawQuery == "end" {
			return
		}
		n, _ := strconv.Atoi(r.URL.Path[1:])
		http.Redirect(w, r, fmt.Sprintf("/%d?%s", n+1, r.URL.RawQuery), http.StatusFound)
	})
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	if res, err := g.Do("org", request(t, "GET", s.URL+"/0?end", ""), Follow{}); err != nil || res.Redirects != 3 {
		t.Errorf("three: %v %v", res, err)
	}
	hits.Store(0)
	_, err := g.Do("org", request(t, "GET", s.URL+"/0", ""), Follow{})
	if _, ok := errors.AsType[*RedirectError](err); !ok || hits.Load() != 4 {
		t.Errorf("endless: %v after %d requests", err, hits.Load())
	}
}

func TestSecretsStayAtTheHostTheyWereGivenTo(t *testing.T) {
	t.Parallel()
	here, there := redirector(t, "127.0.0.1:0"), redirector(t, "127.0.0.1:0") // another port is another host
	g := gate(t, Options{Allow: []string{"127.0.0.0/8"}})
	do := func(to string, o Follow) (*Response, error) {
		req := request(t, "POST", via(here, 307, to), "body")
		req.Header = http.Header{
			"Authorization": {"Bearer S3CRET"}, "Cookie": {"a=S3CRET"}, "X-Api-Key": {"S3CRET"}, "X-Caller": {"+15550100001"}, "Idempotency-Key": {"k"},
			"Accept": {"text/x-here"}, "User-Agent": {"S3CRET"}, "Content-Type": {"text/plain"},
		}
		return g.Do("org", req, o)
	}
	text := func(r *Response, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		return string(r.Body)
	}
	o := Follow{Secret: []string{"x-api-key", "user-agent"}, Values: []string{"S3CRET", "s p"}}
	if got := text(do("/end", o)); !strings.Contains(got, "Authorization=Bearer S3CRET") || !strings.Contains(got, "X-Api-Key=S3CRET") || !strings.HasPrefix(got, "POST /end|body") {
		t.Errorf("same host: %s", got)
	}
	if got := text(do(there.URL+"/end", o)); got != "POST /end|body|Accept=text/x-here|Content-Type=text/plain|User-Agent=Parley" {
		t.Errorf("other host: %s", got)
	}
	// Back at the first host, they are not sent again: the other host decided where to.
	if got := text(do(via(there, 307, here.URL+"/end"), o)); strings.Contains(got, "S3CRET") || !strings.HasPrefix(got, "POST /end|body") {
		t.Errorf("there and back: %s", got)
	}
	if got := text(do(strings.Replace(here.URL, "127.0.0.1", "127.0.0.2", 1)+"/end", o)); strings.Contains(got, "S3CRET") {
		t.Errorf("another address with the same port: %s", got)
	}
	for _, to := range []string{"/x?key=S3CRET", "/S3CRET", "/x?key=S3%43RET", "/x?q=s+p", "/x?q=s%20p", "/s%20p", "/x?S3CRET"} {
		if got := text(do(there.URL+to, o)); !strings.Contains(got, "would carry a secret") {
			t.Errorf("%s: %s", to, got)
		}
		if got := text(do(to, o)); strings.HasPrefix(got, "error") {
			t.Errorf("%s at the same host: %s", to, got)
		}
	}
	o.SecretBody = true
	if got := text(do(there.URL+"/end", o)); !strings.Contains(got, "body with a secret") {
		t.Errorf("secret body: %s", got)
	}
	if got := text(g.Do("org", request(t, "POST", via(here, 303, there.URL+"/end"), "body"), o)); !strings.HasPrefix(got, "GET /end||") {
		t.Errorf("a body that is dropped: %s", got)
	}
	if got := text(do("/end", o)); !strings.HasPrefix(got, "POST /end|body") {
		t.Errorf("secret body at the same host: %s", got)
	}
}

func TestSecureRequestsStaySecure(t *testing.T) {
	t.Parallel()
	here, err := url.Parse("https://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	req := &http.Request{Method: "GET", URL: here, Header: http.Header{"Authorization": {"x"}}}
	for location, want := range map[string]bool{
		"http://example.com/": false, "HTTP://example.com/": false, "http://other.example.com/": false, "//other.example.com/": true, "/x": true, "https://EXAMPLE.com:443/": true,
		"http://example.com:443/": false, "https://[::1/": false, "https:\\\\x": false,
	} {
		next, err := redirect(req.WithContext(t.Context()), &http.Response{StatusCode: 302, Header: http.Header{"Location": {location}}}, Follow{})
		if (err == nil) != want {
			t.Errorf("%s: %v", location, err)
		}
		if want && location == "https://EXAMPLE.com:443/" && next.Header.Get("Authorization") == "" {
			t.Error("the same host in other writing counts as another")
		}
	}
}
