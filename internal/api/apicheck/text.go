package apicheck

import (
	"fmt"
	"math"
	"regexp/syntax"
	"strings"
	"time"
	"unicode/utf8"
)

// odd are characters that programs get wrong: white space, quotes, controls, direction marks, combining
// marks, characters beyond 16 bits and the ends of ranges. Not U+0000, which no schema can exclude.
var odd = []rune("\t\n\r \"'\\/<>&%;{}$`#?\u0001\u001b\u007f\u0085\u00a0éß\u0130\u0301\u200b\u200d\u202e\u2028\ufeff\ufffd\uffff漢字ไ😀\U0010ffff")

// text makes a string of a string's schema.
func (g *generator) text(s node, name string) string {
	if old, ok := g.old(name); ok && g.chance(10) {
		return old
	}
	switch text(s["format"]) {
	case "uuid":
		if id, ok := g.id(name); ok && g.chance(80) {
			return id
		}
		return g.uuid()
	case "date-time":
		return g.instant()
	case "date":
		return g.instant()[:10]
	case "uri":
		return "https://" + g.word() + ".example/" + g.word() + pick(g, []string{"", "?a=b", "/c%20d", "#e"})
	case "email":
		return g.word() + "@" + g.word() + ".example"
	}
	if id, ok := g.id(name); ok && g.chance(60) {
		return id
	}
	lo, hi := whole(s["minLength"], 0), whole(s["maxLength"], math.MaxInt32)
	if pattern := text(s["pattern"]); pattern != "" {
		return g.matching(pattern, hi)
	}
	n := lo + g.rnd.IntN(min(hi-lo, 40)+1)
	switch g.rnd.IntN(20) {
	case 0:
		n = lo
	case 1:
		if hi <= 300 || hi <= 200_000 && g.chance(10) {
			n = hi
		}
	}
	return g.words(n)
}

// words is text of n characters: mostly plain, often with odd ones, sometimes of one odd one only.
func (g *generator) words(n int) string {
	var b strings.Builder
	share, only := pick(g, []int{0, 0, 10, 50}), pick(g, odd)
	if g.chance(3) {
		return strings.Repeat(string(only), n)
	}
	for range n {
		if g.chance(share) {
			b.WriteRune(pick(g, odd))
			continue
		}
		b.WriteByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789      .,-"[g.rnd.IntN(71)])
	}
	return b.String()
}

// matching makes a string of at most hi characters that a regular expression matches.
func (g *generator) matching(pattern string, hi int) string {
	re, err := syntax.Parse(ecmaClasses.Replace(pattern), syntax.Perl)
	if err != nil {
		return ""
	}
	for range 20 {
		var b strings.Builder
		g.expand(&b, re.Simplify(), 6)
		s := b.String()
		if !strings.HasPrefix(pattern, "^") && g.chance(70) {
			s = g.words(g.rnd.IntN(20)) + s
		}
		if !strings.HasSuffix(pattern, "$") && g.chance(70) {
			s += g.words(g.rnd.IntN(20))
		}
		if utf8.RuneCountInString(s) <= hi {
			return s
		}
	}
	return ""
}

func (g *generator) expand(b *strings.Builder, re *syntax.Regexp, repeat int) {
	times := func(lo, hi int) {
		for range lo + g.rnd.IntN(hi-lo+1) {
			g.expand(b, re.Sub[0], repeat)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(g.ofClass(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(g.word()[:1])
	case syntax.OpStar:
		times(0, repeat)
	case syntax.OpPlus:
		times(1, repeat)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpRepeat:
		hi := re.Max
		if hi < 0 {
			hi = re.Min + repeat
		}
		times(re.Min, hi)
	case syntax.OpAlternate:
		g.expand(b, pick(g, re.Sub), repeat)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			g.expand(b, sub, repeat)
		}
	}
}

// ofClass picks a character of a class, given as pairs of bounds, and prefers what can be read.
func (g *generator) ofClass(pairs []rune) rune {
	in := func(r rune) bool {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] <= r && r <= pairs[i+1] {
				return true
			}
		}
		return false
	}
	for range 40 {
		if r := rune(33 + g.rnd.IntN(94)); in(r) && g.chance(80) {
			return r
		}
		if r := pick(g, odd); in(r) && g.chance(30) {
			return r
		}
	}
	i := g.rnd.IntN(len(pairs)/2) * 2
	return max(pairs[i], 1)
}

func (g *generator) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", g.rnd.Uint32(), g.rnd.IntN(1<<16), g.rnd.IntN(1<<12), g.rnd.IntN(1<<12), g.rnd.Int64N(1<<48))
}

// instant is any time that RFC 3339 can write, the ends of its calendar included.
func (g *generator) instant() string {
	switch g.rnd.IntN(8) {
	case 0:
		return pick(g, []string{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999999Z",
			"9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z", "2024-02-29T12:00:00+05:30", "2000-01-01T00:00:00-00:00"})
	case 1:
		return time.Unix(g.rnd.Int64N(4e9), g.rnd.Int64N(1e9)).UTC().Format(time.RFC3339Nano)
	}
	return time.Now().Add(time.Duration(g.rnd.Int64N(int64(48*time.Hour))) - 24*time.Hour).UTC().Format(time.RFC3339)
}

func (g *generator) word() string {
	var b strings.Builder
	for range 1 + g.rnd.IntN(10) {
		b.WriteByte(byte('a' + g.rnd.IntN(26)))
	}
	return b.String()
}
