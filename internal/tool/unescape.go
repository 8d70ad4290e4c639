package tool

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape writes characters in the place of \u escapes in the strings of valid JSON, and drops those that nobody can
// see. What must be escaped stays so; order, numbers and everything else stay as they are.
func unescape(raw string) string {
	at := strings.IndexByte(raw, '\\')
	if at < 0 {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for ; at >= 0; at = strings.IndexByte(raw, '\\') {
		b.WriteString(raw[:at])
		if raw[at+1] != 'u' {
			b.WriteString(raw[at : at+2])
			raw = raw[at+2:]
			continue
		}
		c, n := escaped(raw[at:])
		switch v := visible(c); {
		case v == '"' || v == '\\':
			b.WriteByte('\\')
			b.WriteRune(v)
		case v == '\n':
			b.WriteString(`\n`)
		case v == '\t':
			b.WriteString(`\t`)
		case v >= 0:
			b.WriteRune(v)
		}
		raw = raw[at+n:]
	}
	b.WriteString(raw)
	return b.String()
}

// escaped reads the \u escape, or the pair of them, that s begins with.
func escaped(s string) (c rune, n int) {
	first := unit(s)
	if !utf16.IsSurrogate(first) {
		return first, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if both := utf16.DecodeRune(first, unit(s[6:])); both != utf8.RuneError {
			return both, 12
		}
	}
	return utf8.RuneError, 6
}

// unit is the number in \uXXXX.
func unit(s string) rune {
	n, _ := strconv.ParseUint(s[2:6], 16, 16) // the JSON is valid
	return rune(n)
}
