package tool

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text fit for a model and a transcript: valid UTF-8, no control characters but newline and
// tab, no characters that a person cannot see (they smuggle instructions past the reader), at most limit
// bytes including the note that something was cut.
func clean(s string, limit int) string {
	if s = visibleText(s); s == "" {
		return "(no output)"
	}
	return Cut(s, limit)
}

// visibleText is clean without a limit.
func visibleText(s string) string {
	if isClean(s) {
		return s
	}
	return strings.Map(visible, strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n"))
}

// Cut shortens text to at most limit bytes, at a character, and says how long it was. A limit too small for
// the note leaves the note out.
func Cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	note := fmt.Sprintf("… [cut: %d bytes in all]", len(s))
	if len(note) > limit {
		note = ""
	}
	end := max(limit-len(note), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + note
}

// isClean is the common case, without an allocation.
func isClean(s string) bool {
	for _, c := range s {
		if c == utf8.RuneError || visible(c) != c {
			return false
		}
	}
	return true
}

// visible returns the character, its replacement, or -1 to drop it.
func visible(c rune) rune {
	switch {
	case c == '\n' || c == '\t':
		return c
	case c == '\r':
		return '\n'
	case c == '\u2028' || c == '\u2029': // line and paragraph separators
		return '\n'
	case c == '\u200c' || c == '\u200d': // joiners: part of Persian and Indic words and of emoji
		return c
	case unicode.IsControl(c), unicode.Is(unicode.Cf, c), unicode.Is(unicode.Co, c):
		return -1
	case c >= 0xE0100 && c <= 0xE01EF: // variation selectors beyond those of emoji
		return -1
	case c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0 || c == 0x034F: // fillers, grapheme joiner
		return -1
	}
	return c
}
