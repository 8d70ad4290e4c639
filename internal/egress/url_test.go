package egress

import (
	"net/http"
	"strings"
	"testing"

	"parley/internal/egress/egresstest"
)

func TestURLsAreRefusedByTheirForm(t *testing.T) {
	t.Parallel()
	g := gate(t, Options{})
	if n := len(egresstest.Inputs()); n < 90 {
		t.Errorf("the table has %d inputs", n)
	}
	for _, in := range egresstest.Inputs() {
		err := g.CheckURL(in.URL)
		if in.Public != (err == nil) {
			t.Errorf("%s: %q gives %v", in.Name, in.URL, err)
		}
		if err != nil && (!IsBlocked(err) || strings.Contains(err.Error(), "127.0.0.1")) {
			t.Errorf("%s: %v is not for tenants", in.Name, err)
		}
	}
}

// The client refuses by itself what was not checked when it was saved.
func TestRequestsAreRefusedByTheirForm(t *testing.T) {
	t.Parallel()
	dns := egresstest.NewDNS(t)
	g := gate(t, Options{Resolver: dns.Resolver()})
	names := dns.Names()
	for _, in := range append(egresstest.Inputs(), names...) {
		if in.Public {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, in.URL, nil)
		if err != nil {
			continue // it cannot even be written as a request
		}
		if _, err := g.Do("org", req, Follow{}); !IsBlocked(err) {
			t.Errorf("%s: Do of %q gives %v", in.Name, in.URL, err)
		}
		if res, err := g.Client("org").Do(req); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: the client requests %q", in.Name, in.URL)
		}
	}
	for i := range egresstest.Internal {
		if name := strings.TrimSuffix(strings.TrimPrefix(names[i].URL, "http://"), "/x"); dns.Lookups(name) == 0 {
			t.Errorf("%s was not looked up", name)
		}
	}
}

func TestAnAllowedPairOpensExactlyItself(t *testing.T) {
	t.Parallel()
	g := gate(t, Options{Allow: []string{"api.local:22", "127.0.0.1:6379", "[::1]:9000", "Localhost:3000"}})
	for raw, open := range map[string]bool{
		"http://api.local:22/":              true,
		"http://API.local:22/":              true,
		"http://api.local:23/":              false,
		"http://api.local.:22/":             false,
		"http://x.api.local:22/":            false,
		"http://user@api.local:22/":         false,
		"http://127.0.0.1:6379/":            true,
		"http://127.0.0.1:6380/":            false,
		"http://127.0.0.2:6379/":            false,
		"http://127.1:6379/":                false,
		"http://2130706433:6379/":           false,
		"http://[::ffff:127.0.0.1]:6379/":   true, // the same address
		"http://[::1]:9000/":                true,
		"http://[0:0:0:0:0:0:0:1]:9000/":    true,
		"http://[::1]:9001/":                false,
		"http://localhost:3000/":            true,
		"http://localhost:3001/":            false,
		"http://127.0.0.1:3000/":            false,
		"ftp://api.local:22/":               false,
		"http://127.0.0.1:6379@example.com": false,
	} {
		if (g.CheckURL(raw) == nil) != open {
			t.Errorf("%s: %v", raw, g.CheckURL(raw))
		}
	}
}

func TestLocalhostMayBeEnteredWhenLoopbackIsAllowed(t *testing.T) {
	t.Parallel()
	for _, allow := range []string{"127.0.0.0/8", "::1/128"} {
		if err := gate(t, Options{Allow: []string{allow}}).CheckURL("http://localhost:8080/"); err != nil {
			t.Errorf("%s: %v", allow, err)
		}
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, in := range egresstest.Inputs() {
		f.Add(in.URL)
	}
	g := gate(f, Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		err := g.CheckURL(raw)
		if err != nil && !IsBlocked(err) {
			t.Errorf("%q: %v", raw, err)
		}
		// What is let through is read the same way by net/http, which makes the request.
		if req, bad := http.NewRequest(http.MethodGet, raw, nil); err == nil && (bad != nil || req.URL.Host == "" || req.URL.User != nil) {
			t.Errorf("%q passes but is no request: %v", raw, bad)
		}
	})
}
