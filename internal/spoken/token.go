package spoken

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// token is a run of letters or of digits, or one sign.
type token struct {
	text  string // as it was written, NFC
	key   string // folded: lower case, no accents
	glued bool   // nothing stands between it and the token before
	apart bool   // a comma or the like stands before it: no phrase goes on across
	joint bool   // a hyphen or an apostrophe between two tokens, which phrases are matched without
}

func (t token) letter() bool { return len([]rune(t.key)) == 1 && unicode.IsLetter([]rune(t.key)[0]) }
func (t token) digits() bool { return t.key != "" && t.key[0] >= '0' && t.key[0] <= '9' }

// fold is what words are compared by.
func fold(s string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(strings.ToLower(s)) {
		switch {
		case c == 'ß':
			b.WriteString("ss")
		case c == 'ø':
			b.WriteByte('o')
		case c == 'æ':
			b.WriteString("ae")
		case !unicode.Is(unicode.Mn, c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

// tokenize splits what was heard. Punctuation that ends a word is dropped, a sign inside a word is kept.
func tokenize(heard string) (tokens []token) {
	runes := []rune(norm.NFC.String(strings.ToValidUTF8(heard, " ")))
	glued, apart := false, false
	for i := 0; i < len(runes); {
		c, start := runes[i], i
		class := classOf(c)
		i++
		for class != other && i < len(runes) && (classOf(runes[i]) == class || unicode.Is(unicode.Mn, runes[i])) {
			i++
		}
		text := string(runes[start:i])
		switch {
		case class != other:
			text = norm.NFKC.String(text)
			tokens = append(tokens, token{text: text, key: fold(text), glued: glued, apart: apart})
			glued, apart = true, false
		case kept(runes, start, glued):
			sign := string(c)
			switch c {
			case '’', '‘', '`':
				sign = "'"
			case '‐', '‑', '–', '—':
				sign = "-"
			}
			inside := glued && i < len(runes) && classOf(runes[i]) != other
			tokens = append(tokens, token{text: sign, key: sign, glued: glued, apart: apart, joint: inside && (sign == "-" || sign == "'")})
			glued, apart = true, false
		default:
			glued, apart = false, apart || c == ',' || c == ';'
		}
	}
	return withoutDashes(tokens)
}

type class int

const (
	other class = iota
	alphabetic
	numeric
)

func classOf(c rune) class {
	switch {
	case unicode.IsLetter(c):
		return alphabetic
	case c >= '0' && c <= '9' || c >= '０' && c <= '９':
		return numeric
	}
	return other
}

// kept reports whether a sign means something: one of those that addresses and codes have, and no punctuation at the
// end of a word.
func kept(runes []rune, i int, glued bool) bool {
	end := i+1 == len(runes) || unicode.IsSpace(runes[i+1])
	switch runes[i] {
	case '@', '_', '+', '#', '&':
		return true
	case '.', '/', '-', '–', '—', '‐', '‑', '\'', '’', '‘', '`':
		return glued && !end || !glued && end && (i == 0 || unicode.IsSpace(runes[i-1])) && runes[i] != '–' && runes[i] != '—'
	}
	return false
}

// withoutDashes drops what stands between the letters of a spelled word: J-O-H-N, J.O.H.N.
func withoutDashes(tokens []token) []token {
	out := make([]token, 0, len(tokens))
	for i := 0; i < len(tokens); {
		n := 1 // letters of the chain that begins here
		for i+2*n < len(tokens) && tokens[i].letter() && tokens[i+2*n].letter() && tokens[i+2*n].glued && tokens[i+2*n-1].glued &&
			(tokens[i+2*n-1].key == "-" || tokens[i+2*n-1].key == ".") {
			n++
		}
		if n < 3 {
			out = append(out, tokens[i])
			i++
			continue
		}
		for j := range n {
			t := tokens[i+2*j]
			t.glued = t.glued && j == 0
			out = append(out, t)
		}
		i += 2*n - 1
	}
	return out
}
