package parley

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
)

// maxFunctionName is OpenAI's bound.
const maxFunctionName = 64

// IsFunctionName reports whether s matches ^[a-zA-Z][a-zA-Z0-9_-]{0,63}$, which every model provider accepts.
func IsFunctionName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '_' && c != '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxFunctionName
}

// plainLetters are the commonest Latin letters beyond ASCII, as people write them without.
var plainLetters = strings.NewReplacer(
	"ä", "a", "à", "a", "á", "a", "â", "a", "ã", "a", "å", "a", "æ", "ae", "ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e",
	"ì", "i", "í", "i", "î", "i", "ï", "i", "ñ", "n", "ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o", "œ", "oe",
	"ß", "ss", "ù", "u", "ú", "u", "û", "u", "ü", "u", "ý", "y", "ÿ", "y", "š", "s", "ž", "z", "č", "c", "ł", "l")

// FunctionName derives a function name from a tool's name, the same one each time: "Look up order" becomes
// look_up_order. When letters or digits have no ASCII form, a hash of the name keeps different names apart.
func FunctionName(name string) string {
	var b strings.Builder
	lost, gap := false, false
	for _, c := range plainLetters.Replace(strings.ToLower(name)) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(c)
			gap = false
		default:
			gap = true
			lost = lost || unicode.IsLetter(c) || unicode.IsDigit(c)
		}
	}
	s := b.String()
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = strings.TrimSuffix("tool_"+s, "_")
	}
	if !lost && s != "tool" {
		return strings.TrimRight(s[:min(len(s), maxFunctionName)], "_")
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	const hash = len("_12345678")
	return fmt.Sprintf("%s_%08x", strings.TrimRight(s[:min(len(s), maxFunctionName-hash)], "_"), h.Sum32())
}
