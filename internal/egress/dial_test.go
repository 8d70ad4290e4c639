package egress

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/egress/egresstest"
)

// world has a server that stands for a public one, and one that must not be reached: same port, other address.
type world struct {
	*Gate
	dns    *egresstest.DNS
	port   string
	inside atomic.Int32 // requests that reached what they must not
}

const outsideIP, insideIP = "127.0.0.77", "127.0.0.78"

func newWorld(t *testing.T) *world {
	w := &world{dns: egresstest.NewDNS(t)}
	outside := site(t, outsideIP+":0", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "close") // every request looks the name up again
		_, _ = io.WriteString(rw, "outside")
	})
	w.port = port(outside)
	for _, listen := range []string{insideIP, "[::1]"} {
		site(t, listen+":"+w.port, func(http.ResponseWriter, *http.Request) { w.inside.Add(1) })
	}
	w.Gate = gate(t, Options{Resolver: w.dns.Resolver(), Allow: []string{outsideIP + "/32"}})
	return w
}

func (w *world) get(t *testing.T, host string) error {
	t.Helper()
	res, err := w.Do("org", request(t, "GET", "http://"+net.JoinHostPort(host, w.port)+"/", ""), Follow{})
	if err == nil && string(res.Body) != "outside" {
		t.Errorf("%s answered %q", host, res.Body)
	}
	return err
}

func TestAnAnswerThatChangesLeadsNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dns.Answer("rebind.example.com", []string{outsideIP}, []string{insideIP}, []string{outsideIP}, []string{"::1"}, []string{"::ffff:" + insideIP})
	for i, open := range []bool{true, false, true, false, false} {
		if err := w.get(t, "rebind.example.com"); (err == nil) != open || err != nil && !IsBlocked(err) {
			t.Errorf("look-up %d: %v", i, err)
		}
	}
	if n := w.dns.Lookups("rebind.example.com"); n != 5 {
		t.Errorf("%d look-ups", n)
	}
	if n := w.inside.Load(); n != 0 {
		t.Errorf("%d requests came in", n)
	}
}

func TestOfSeveralAnswersOnlyThePublicAreUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, answers := range map[string][]string{
		"v6 private":     {outsideIP, "::1"},
		"v6 metadata":    {outsideIP, "fd00:ec2::254"},
		"v6 mapped":      {outsideIP, "::ffff:169.254.169.254"},
		"private first":  {insideIP, outsideIP},
		"private second": {outsideIP, insideIP},
		"many":           {insideIP, "10.0.0.1", "169.254.169.254", "::1", "fe80::1", outsideIP},
	} {
		host := fmt.Sprintf("h%d.example.com", len(name))
		w.dns.Answer(host, answers)
		for range 3 {
			if err := w.get(t, host); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	w.dns.Answer("none.example.com", []string{insideIP, "10.0.0.1", "::1"})
	if err := w.get(t, "none.example.com"); !IsBlocked(err) || err.Error() != errNotPublic.Error() {
		t.Errorf("only private: %v", err)
	}
	if n := w.inside.Load(); n != 0 {
		t.Errorf("%d requests came in", n)
	}
}

func TestAnAllowedNameIsMatchedAsItStandsInTheURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Gate = gate(t, Options{Resolver: w.dns.Resolver(), Allow: []string{"Api.Example.com:" + w.port}})
	for _, host := range []string{"api.example.com", "other.example.com", "moved.example.com"} {
		w.dns.Answer(host, []string{outsideIP})
	}
	for host, open := range map[string]bool{"api.example.com": true, "API.EXAMPLE.COM": true, "other.example.com": false, outsideIP: false, "localhost": false} {
		if err := w.get(t, host); (err == nil) != open || err != nil && !IsBlocked(err) {
			t.Errorf("%s: %v", host, err)
		}
	}
	// Whoever answers for the name cannot point it at a metadata service.
	for _, ip := range []string{"169.254.169.254", "fe80::1", "0.0.0.0", "::", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe"} {
		w.dns.Answer("api.example.com", []string{ip})
		if err := w.get(t, "api.example.com"); !IsBlocked(err) {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	proxy := site(t, "127.0.0.1:0", func(http.ResponseWriter, *http.Request) { t.Error("a request went to the proxy") })
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	dns := egresstest.NewDNS(t)
	dns.Answer("a.example.com", []string{"10.0.0.1"})
	g := gate(t, Options{Resolver: dns.Resolver(), Allow: []string{proxy.Listener.Addr().String()}})
	for _, raw := range []string{"http://a.example.com/", "https://a.example.com/"} {
		if _, err := g.Do("org", request(t, "GET", raw, ""), Follow{}); !IsBlocked(err) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestOrganizationsShareNoConnection(t *testing.T) {
	t.Parallel()
	s := site(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = io.WriteString(w, r.RemoteAddr+r.Header.Get("Cookie"))
	})
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	from := func(org string) string {
		res, err := g.Do(org, request(t, "GET", s.URL, ""), Follow{})
		if err != nil {
			t.Fatal(err)
		}
		return string(res.Body)
	}
	a, b := from("a"), from("b")
	if a == b || from("a") != a || from("b") != b {
		t.Errorf("connections: %s, %s, %s, %s", a, b, from("a"), from("b"))
	}
	// HostHeader: an inner virtual host cannot be named past the check.
	req := request(t, "GET", s.URL, "")
	req.Host = "internal.example.com"
	if _, err := g.Do("a", req, Follow{}); !IsBlocked(err) {
		t.Errorf("a Host of its own: %v", err)
	}
}

func TestClientsAreForgottenWithTheirConnections(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var open atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	closed := make(chan struct{}, 1000)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
			closed <- struct{}{}
		}
	}
	s.Start()
	defer s.Close()
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	const more = 10
	for i := range maxClients + more {
		if _, err := g.Do(fmt.Sprint(i), request(t, "GET", s.URL, ""), Follow{}); err != nil {
			t.Fatal(err)
		}
	}
	for range more {
		<-closed
	}
	if n := open.Load(); n != maxClients || g.recent.Len() != maxClients || len(g.byOrg) != maxClients {
		t.Errorf("%d connections, %d clients", n, g.recent.Len())
	}
	first := g.Client("10")
	if g.Client("10") != first || g.Client("0") == nil || g.Client("10") != first {
		t.Error("a client in use was forgotten")
	}
	g.Close()
	for range maxClients {
		<-closed
	}
	if n := open.Load(); n != 0 || g.recent.Len() != 0 {
		t.Errorf("%d connections after the end", n)
	}
}

func TestHTTP2IsSpoken(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			_, _ = w.Write(make([]byte, 20<<20))
		}
		_, _ = io.WriteString(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	g := gate(t, Options{Allow: []string{s.Listener.Addr().String()}})
	c := g.Client("org")
	c.Transport.(*guard).next.TLSClientConfig = s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	res, err := g.Do("org", request(t, "GET", s.URL, ""), Follow{})
	if err != nil || string(res.Body) != "HTTP/2.0" {
		t.Errorf("%v %v", res, err)
	}
	if res, err := g.Do("org", request(t, "GET", s.URL+"/big", ""), Follow{}); err != nil || len(res.Body) != MaxBody || !res.Truncated {
		t.Errorf("20 MB: %v", err)
	}
}

func TestLookingUpEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	g := gate(t, Options{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}})
	if _, err := g.Do("org", request(t, "GET", "http://slow.example.com/", "").WithContext(ctx), Follow{}); err == nil || err.Error() != "the request was stopped" {
		t.Errorf("%v", err)
	}
}
