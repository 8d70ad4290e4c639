package tool

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"slices"
	"strings"

	"parley"
)

// minHidden is the length, in bytes, from which a value is masked where it is echoed: anything shorter keeps no secret,
// and would tear holes into every answer.
const minHidden = 3

// masker replaces secrets in what is shown of a call, in the ways in which servers echo them: plain, percent-encoded,
// as base64 at any offset, as hex, escaped for JSON or HTML. It is no wall against a target that hides a secret it was
// given; it keeps an honest echo out of prompts and logs.
type masker struct {
	hidden   []string // as they were given
	forms    []string
	replacer *strings.Replacer // made at the first use
}

// hide adds a value.
func (m *masker) hide(value string) {
	if len(value) < minHidden {
		return
	}
	m.replacer = nil
	m.hidden, m.forms = append(m.hidden, value), append(m.forms, value)
	if len(value) < minHidden+1 {
		return // its encoded forms are too common
	}
	query, inHex := url.QueryEscape(value), hex.EncodeToString([]byte(value))
	escaped := marshal(value)
	m.forms = append(m.forms, query, lowerEscapes(query), url.PathEscape(value), lowerEscapes(url.PathEscape(value)), inHex, strings.ToUpper(inHex),
		html.EscapeString(value), string(escaped[1:len(escaped)-1]), strings.ReplaceAll(value, "/", `\/`))
	for offset := range 3 {
		m.forms = append(m.forms, base64Core(base64.RawStdEncoding, value, offset), base64Core(base64.RawURLEncoding, value, offset))
	}
}

// base64Core is what of a value's base64 form does not depend on its neighbors, when offset bytes (modulo 3) stand
// before it.
func base64Core(enc *base64.Encoding, value string, offset int) string {
	text := enc.EncodeToString(append(make([]byte, offset, offset+len(value)), value...))
	text = text[:(offset+len(value))*8/6]
	return text[(offset*8+5)/6:]
}

// lowerEscapes writes %2F as %2f.
func lowerEscapes(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], strings.ToLower(s[i:i+3]))
		}
	}
	return string(b)
}

// mask replaces every hidden value in s.
func (m *masker) mask(s string) string {
	if len(m.forms) == 0 || s == "" {
		return s
	}
	if m.replacer == nil {
		slices.SortFunc(m.forms, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
		m.forms = slices.DeleteFunc(slices.Compact(m.forms), func(form string) bool { return len(form) < minHidden })
		pairs := make([]string, 0, 2*len(m.forms))
		for _, form := range m.forms {
			pairs = append(pairs, form, parley.Mask)
		}
		m.replacer = strings.NewReplacer(pairs...)
	}
	return m.replacer.Replace(s)
}

// longest is the length of the longest form that mask replaces.
func (m *masker) longest() (n int) {
	for _, form := range m.forms {
		n = max(n, len(form))
	}
	return n
}
