package parley_test

import (
	"strings"
	"testing"

	"parley"
)

// TestFrameAncestors: entries as source expressions. Nothing that is stored, even by hand, can add to the header.
func TestFrameAncestors(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"example.com":        " https://example.com",
		"EXAMPLE.com":        " https://example.com",
		"www.example.com":    " https://www.example.com",
		"example.com:8443":   " https://example.com:8443",
		"*.example.com":      " https://*.example.com",
		"*.example.com:444":  " https://*.example.com:444",
		"a_b.example.com":    " https://a_b.example.com",
		"intranet":           " https://intranet",
		"localhost":          " http://localhost:* https://localhost:*",
		"localhost:3000":     " http://localhost:3000 https://localhost:3000",
		"LOCALHOST:3000":     " http://localhost:3000 https://localhost:3000",
		"127.0.0.1:5173":     " http://127.0.0.1:5173 https://127.0.0.1:5173",
		"192.0.2.7":          " https://192.0.2.7",
		"*.localhost":        " https://*.localhost",
		"xn--mnchen-3ya.de":  " https://xn--mnchen-3ya.de",
		"*.xn--bcher-kva.ch": " https://*.xn--bcher-kva.ch",

		"[::1]:3000": "", "[2001:db8::1]": "", // CSP has no words for them
		"münchen.de": "", "bücher.ch": "", // refused when they are set: they are written xn--…
		"*": "", "": "", "*.": "", "a.*.com": "", "https://example.com": "", "example.com/x": "", "user@example.com": "",
		"example.com; script-src *": "", "example.com *": "", "example.com\r\nSet-Cookie: a=b": "", "example.com,": "", "'none'": "",
		"example.com:*": "", "example.com:0": "", "example.com:99999": "", "example.com.": "", "data:": "", "\x00": "", "*:*": "",
	} {
		if got := parley.FrameAncestors([]string{entry}); got != "'self'"+want {
			t.Errorf("%q: %s", entry, got)
		}
	}
	if got := parley.FrameAncestors(nil); got != "*" {
		t.Errorf("without entries: %s", got)
	}
	if got := parley.FrameAncestors([]string{"a.com", "[::1]", "*.b.com"}); got != "'self' https://a.com https://*.b.com" {
		t.Errorf("several: %s", got)
	}
	for c := range 256 {
		got := parley.FrameAncestors([]string{"example.com" + string([]byte{byte(c)}) + "x.com"})
		if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789:/.-_*' ") != "" || strings.Contains(got, "* ") {
			t.Errorf("the byte %#x gets into the header: %q", c, got)
		}
	}
}
