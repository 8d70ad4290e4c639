package origin_test

import (
	"strings"
	"testing"

	"parley/internal/origin"
)

// TestFrameAncestors: entries as source expressions. Nothing that is stored, even by hand, can add to the header.
func TestFrameAncestors(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"example.com":        " https://example.com",
		"EXAMPLE.com":        " https://example.com",
		"www.example.com":    " https://www.example.com",
		"example.com:8443":   " https://example.com:8443",
		"example.com:443":    " https://example.com:443",
		"*.example.com":      " https://*.example.com",
		"*.example.com:444":  " https://*.example.com:444",
		"a_b.example.com":    " https://a_b.example.com",
		"intranet":           " https://intranet",
		"localhost":          " http://localhost:* https://localhost:*",
		"localhost:3000":     " http://localhost:3000 https://localhost:3000",
		"LOCALHOST:3000":     " http://localhost:3000 https://localhost:3000",
		"127.0.0.1:5173":     " http://127.0.0.1:5173 https://127.0.0.1:5173",
		"127.0.0.1":          " http://127.0.0.1 https://127.0.0.1",
		"192.0.2.7":          " https://192.0.2.7",
		"*.localhost":        " https://*.localhost",
		"xn--mnchen-3ya.de":  " https://xn--mnchen-3ya.de",
		"*.xn--bcher-kva.ch": " https://*.xn--bcher-kva.ch",
		"münchen.de":         " https://xn--mnchen-3ya.de",
		"*.BÜCHER.ch:444":    " https://*.xn--bcher-kva.ch:444",
		"пример.рф":          " https://xn--e1afmkfd.xn--p1ai",

		"[::1]:3000": "", "[2001:db8::1]": "", // CSP has no words for them
		"*": "", "": "", "*.": "", "*.*.com": "", "a.*.com": "", "https://example.com": "", "example.com/x": "", "user@example.com": "",
		"example.com; script-src *": "", "example.com *": "", "example.com\r\nSet-Cookie: a=b": "", "example.com,": "", "'none'": "",
		"example.com:*": "", "example.com:0": "", "example.com:99999": "", "example.com:": "", "example.com.": "", "data:": "", "\x00": "", "*:*": "",
		"a\u00a0b.com": "", "ex\u3002ample.com;": "", "e；x.com": "", "a\u2028b.com": "", "1.2.3": "", "ａ b.com": "",
	} {
		if got := origin.FrameAncestors([]string{entry}); got != "'self'"+want {
			t.Errorf("%q: %s, want %s", entry, got, want)
		}
	}
	if got := origin.FrameAncestors(nil); got != "*" {
		t.Errorf("without entries: %s", got)
	}
	if got := origin.FrameAncestors([]string{"a.com", "[::1]", "*.b.com"}); got != "'self' https://a.com https://*.b.com" {
		t.Errorf("several: %s", got)
	}
}

// FuzzFrameAncestors: whatever an entry is, it adds source expressions and nothing else to the header.
func FuzzFrameAncestors(f *testing.F) {
	for _, seed := range []string{"example.com", "*.ex.com:1", "a;b", "ａ.com", "x 'none'", "a,b", "[::1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		got := origin.FrameAncestors([]string{entry})
		for i, s := range strings.Split(got, " ") {
			rest, https := strings.CutPrefix(s, "https://")
			if !https {
				rest = strings.TrimPrefix(s, "http://")
			}
			switch {
			case i == 0 && s == "'self'":
			case i == 0, rest == s, strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789:.-_*") != "", strings.Contains(strings.TrimPrefix(rest, "*."), "*") && !strings.HasPrefix(rest, "localhost:"):
				t.Errorf("%q: %q", entry, got)
			}
		}
	})
}
