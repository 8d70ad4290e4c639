package origin

import (
	"strings"
	"testing"
)

// each is one list of allowedDomains with the origins that it must admit and refuse.
var rules = []struct {
	name           string
	entries        []string
	admits, refuse []string
}{
	{"a host", []string{"example.com"},
		[]string{"https://example.com", "https://example.com:443", "https://EXAMPLE.com", "HTTPS://example.com"},
		[]string{"http://example.com", "https://example.com:8443", "https://www.example.com", "https://example.com.evil.net", "https://evilexample.com",
			"https://example.com.", "https://example.co", "https://xample.com", "https://example.com@evil.net", "https://evil.net/example.com",
			"https://evil.net#example.com", "https://evil.net?example.com", "https://user@example.com", "https://user:pw@example.com", "null", "",
			"https://example.com/", "https://example.com:", "https://example.com:0", "https://example.com:443x", "https://example.com:0443",
			"https://example.com https://evil.net", "https://example.com,https://evil.net", "ftp://example.com", "file://example.com", "wss://example.com",
			"chrome-extension://example.com", "javascript:example.com", "https:example.com", "https:/example.com", "//example.com", "example.com",
			" https://example.com", "https://example.com ", "https://exa\tmple.com", "https://example%2ecom", "https://example.com\x00", "https://-example.com",
			"https://example..com", "https://.example.com", "https://[example.com]", "https://ex\u0430mple.com", "https://example.com\u3002"}},
	{"a host with a port", []string{"example.com:8443"},
		[]string{"https://example.com:8443"},
		[]string{"https://example.com", "http://example.com:8443", "https://example.com:84430", "https://example.com:8444", "https://a.example.com:8443"}},
	{"the default port, written", []string{"example.com:443"}, []string{"https://example.com"}, []string{"http://example.com:443", "https://example.com:80"}},
	{"a wildcard", []string{"*.example.com"},
		[]string{"https://a.example.com", "https://a.b.c.example.com", "https://A.Example.Com", "https://a_b.example.com", "https://xn--bcher-kva.example.com"},
		[]string{"https://example.com", "https://evilexample.com", "https://a.example.com.evil.net", "https://.example.com", "https://a..example.com",
			"http://a.example.com", "https://a.example.com:8443", "https://*.example.com", "https://a.example.com."}},
	{"a wildcard with a port", []string{"*.example.com:8443"}, []string{"https://a.example.com:8443"}, []string{"https://a.example.com", "https://example.com:8443"}},
	{"both forms", []string{"example.com", "*.example.com"}, []string{"https://example.com", "https://a.example.com"}, []string{"https://example.org"}},
	{"a name beyond ASCII", []string{"bücher.example", "*.例え.テスト", "BÜCHER.example.org"},
		[]string{"https://xn--bcher-kva.example", "https://a.xn--r8jz45g.xn--zckzah", "https://XN--BCHER-KVA.example", "https://xn--bcher-kva.example.org"},
		[]string{"https://bücher.example", "https://b%C3%BCcher.example", "https://bucher.example", "https://xn--r8jz45g.xn--zckzah"}},
	{"a name in punycode", []string{"xn--bcher-kva.example"}, []string{"https://xn--bcher-kva.example"}, []string{"https://xn--bcher-kva1.example"}},
	{"sharp s is its own letter", []string{"straße.example"}, []string{"https://xn--strae-oqa.example"}, []string{"https://strasse.example"}},
	{"a name that is none", []string{"-\u00fc.example", "\u200d.example"}, nil, []string{"https://xn--tda.example", "https://example"}},
	{"localhost", []string{"localhost"},
		[]string{"http://localhost", "http://localhost:3000", "https://localhost:8443", "https://localhost", "http://LOCALHOST:5173"},
		[]string{"http://localhost.evil.net", "http://notlocalhost", "http://127.0.0.1", "http://[::1]", "http://a.localhost", "http://localhost:", "http://localhost."}},
	{"localhost with a port", []string{"localhost:3000"}, []string{"http://localhost:3000", "https://localhost:3000"}, []string{"http://localhost", "http://localhost:3001"}},
	{"addresses", []string{"127.0.0.1:5000", "192.0.2.7", "[::1]:3000", "[2001:DB8:0:0::1]", "[::ffff:c000:207]"},
		[]string{"http://127.0.0.1:5000", "https://192.0.2.7", "http://[::1]:3000", "https://[2001:db8::1]", "https://[2001:db8:0::1]", "https://[::ffff:c000:207]"},
		[]string{"http://127.0.0.1", "http://127.0.0.1:5001", "http://192.0.2.7", "https://192.0.2.70", "https://192.0.2.7.evil.net", "https://3221225991", "https://0xc0000207",
			"https://192.0.2.07", "https://192.0.519", "http://[::1]", "https://[::1]", "https://[2001:db8::2]", "https://2001:db8::1", "https://[2001:db8::1%25eth0]",
			"https://[2001:db8::1", "https://[::ffff:192.0.2.7]"}},
	{"no list", nil,
		[]string{"https://example.com", "http://example.com", "https://example.com:8443", "http://192.0.2.7:8080", "http://[2001:db8::1]", "http://intranet"},
		[]string{"null", "", "https://", "https://user@example.com", "https://example.com/x", "https://example.com.", "file://", "about:blank", "https://1.2.3", "https://a:1:2",
			"https://" + strings.Repeat("a.", 130) + "com", "https://" + strings.Repeat("a", 64) + ".com"}},
	{"entries that the API would refuse", []string{"", "*", "*.", "a.*.com", "https://example.com", "example.com/", "exa*mple.com", "@example.com"},
		nil, []string{"https://example.com", "https://a.com", "https://a.b.com"}},
}

func TestRules(t *testing.T) {
	t.Parallel()
	n := 0
	for _, r := range rules {
		for _, list := range []struct {
			texts []string
			want  bool
		}{{r.admits, true}, {r.refuse, false}} {
			for _, text := range list.texts {
				n++
				o, ok := Parse(text)
				if got := ok && o.Allowed(r.entries); got != list.want {
					t.Errorf("%s: %q is admitted: %v (parsed %+v, %v)", r.name, text, got, o, ok)
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d cases", n)
	}
}

func TestStringIsTheBrowsersForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://Example.com:443": "https://example.com", "http://localhost:80": "http://localhost", "http://localhost:443": "http://localhost:443",
		"https://[2001:0DB8::1]:8443": "https://[2001:db8::1]:8443", "https://a.b": "https://a.b",
	} {
		o, ok := Parse(text)
		if !ok || o.String() != want {
			t.Errorf("%q is %q, %v", text, o, ok)
		}
		if again, ok := Parse(o.String()); !ok || again != o {
			t.Errorf("%q reads as %+v, %v", o, again, ok)
		}
	}
}

// FuzzParse: what is read is written the same way again, and holds nothing that could end a header or a policy.
func FuzzParse(f *testing.F) {
	for _, r := range rules {
		for _, s := range append(r.admits, r.refuse...) {
			f.Add(s, strings.Join(r.entries, " "))
		}
	}
	f.Fuzz(func(t *testing.T, text, entries string) {
		o, ok := Parse(text)
		if !ok {
			return
		}
		list := strings.Fields(entries)
		again, ok := Parse(o.String())
		if !ok || again != o || again.Allowed(list) != o.Allowed(list) {
			t.Errorf("%q is %+v, read again %+v, %v", text, o, again, ok)
		}
		if strings.ContainsAny(o.String(), " \t\r\n;,'\"<>@\\*?#") || strings.Count(o.String(), "/") != 2 {
			t.Errorf("%q is written as %q", text, o)
		}
	})
}

func BenchmarkAllowed(b *testing.B) {
	o, _ := Parse("https://shop.example.com")
	list := []string{"example.org", "*.example.net", "bücher.example", "localhost:3000", "*.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		if !o.Allowed(list) {
			b.Fatal("refused")
		}
	}
}
