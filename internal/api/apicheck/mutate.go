package apicheck

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// spoiled changes one thing in a body that its schema allows. Whether the result is still allowed is for the
// schema to say.
func (g *generator) spoiled(body any) any {
	root, ok := body.(node)
	if !ok || g.chance(5) {
		return g.strange()
	}
	root = clone(root).(node)
	switch g.rnd.IntN(6) {
	case 0:
		for name := range root { // any one
			delete(root, name)
			break
		}
		return root
	case 1:
		g.somewhere(root, func(holder node, name string) {
			holder[pick(g, []string{g.word(), strings.ToUpper(name), name + " ", "", "__proto__", "$ref", "id", "orgId"})] = g.strange()
		})
		return root
	}
	g.somewhere(root, func(holder node, name string) { holder[name] = g.worse(holder[name]) })
	return root
}

// somewhere calls change with one member of the object or of one below it.
func (g *generator) somewhere(n node, change func(holder node, name string)) {
	names := slices.Sorted(maps.Keys(n))
	if len(names) == 0 {
		change(n, g.word())
		return
	}
	name := pick(g, names)
	if inner, ok := n[name].(node); ok && g.chance(75) {
		g.somewhere(inner, change)
		return
	}
	change(n, name)
}

// worse is a value near v.
func (g *generator) worse(v any) any {
	if g.chance(35) {
		return g.strange()
	}
	switch v := v.(type) {
	case string:
		return pick(g, []any{"", " ", "\u00a0\u2003", strings.ToUpper(v) + "x", v + "\u0000", v + "\n", " " + v, strings.Repeat(v+"é", 1+g.rnd.IntN(200)),
			strings.Repeat("x", 100_001), "null", []any{v}, "+", "#12", "*", "a..b", "+358", "00000000-0000-0000-0000-000000000000"})
	case json.Number:
		return pick(g, []any{json.Number("-1"), json.Number("1e400"), json.Number("-1e400"), json.Number("99999999999999999999"), json.Number("1.5"),
			json.Number("0"), json.Number("-0"), json.Number("1E+2"), json.Number("0.1e-400"), string(v)})
	case []any:
		switch g.rnd.IntN(4) {
		case 0:
			return append(slices.Clone(v), g.strange())
		case 1:
			return append(slices.Clone(v), v...)
		case 2:
			return slices.Repeat([]any{"x"}, 300)
		}
		return []any{v}
	}
	return g.strange()
}

// strange is a value that few members expect.
func (g *generator) strange() any {
	return pick(g, []any{nil, true, false, "", "x", json.Number("0"), json.Number("-1.5"), json.Number("1e309"), []any{}, []any{nil}, node{}, node{"a": node{"b": nil}},
		json.Number("9223372036854775808"), []any{[]any{[]any{}}}, "\u0000", node{"": json.Number("1")}, deep(40)})
}

func deep(n int) any {
	var v any = json.Number("1")
	for range n {
		v = []any{v}
	}
	return v
}

func clone(v any) any {
	switch v := v.(type) {
	case node:
		out := make(node, len(v))
		for name, e := range v {
			out[name] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// spoiledBytes are bodies that are no single JSON object in UTF-8, or an ambiguous one, made of a good one.
// All must be refused.
func (g *generator) spoiledBytes(good []byte) (name string, body []byte) {
	inner := bytes.TrimSuffix(bytes.TrimPrefix(good, []byte("{")), []byte("}"))
	object := func(first string) []byte {
		if len(inner) == 0 {
			return []byte("{" + first + "}")
		}
		return slices.Concat([]byte("{"+first+","), inner, []byte("}"))
	}
	switch g.rnd.IntN(24) {
	case 0:
		return "empty", []byte{}
	case 1:
		return "white space", []byte(" \n\t")
	case 2:
		return "array", slices.Concat([]byte("["), good, []byte("]"))
	case 3:
		return "scalar", []byte(pick(g, []string{"null", "true", `"x"`, "1", "NaN", "undefined"}))
	case 4:
		return "cut off", good[:len(good)-1-g.rnd.IntN(len(good)-1)]
	case 5:
		return "trailing data", slices.Concat(good, []byte(pick(g, []string{"{}", "x", "\x00", ",", "}", " null", "\n" + string(good)})))
	case 6:
		return "byte order mark", slices.Concat([]byte("\xef\xbb\xbf"), good)
	case 7:
		return "duplicate member", object(`"name":"a","name":"b"`)
	case 8:
		return "duplicate member, escaped", object(`"name":"a","n\u0061me":"b"`)
	case 9:
		return "invalid UTF-8", object("\"name\":\"\xff\xfe\"")
	case 10:
		return "overlong UTF-8", object("\"name\":\"\xc0\x80\"")
	case 11:
		return "surrogate in UTF-8", object("\"name\":\"\xed\xa0\x80\"")
	case 12:
		return "lone surrogate", object(pick(g, []string{`"name":"\ud800"`, `"name":"a\udc00b"`, `"name":"\uD83D\u0041"`, `"\ud83d":1`}))
	case 13:
		return "UTF-16", utf16le(good)
	case 14:
		return "deep nesting", object(`"name":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))
	case 15:
		return "open nesting", []byte(strings.Repeat(`{"a":`, 5_000))
	case 16:
		return "single quotes", []byte(`{'name':'a'}`)
	case 17:
		return "trailing comma", slices.Concat(bytes.TrimSuffix(good, []byte("}")), []byte(",}"))
	case 18:
		return "comment", slices.Concat([]byte("/* */"), good)
	case 19:
		return "control character", object("\"name\":\"a\x01b\"")
	case 20:
		return "bad escape", object(`"name":"\x41"`)
	case 21:
		return "bad number", object(`"name":` + pick(g, []string{"01", "+1", ".5", "1.", "0x10", "1e", "--1", "Infinity", "1_000"}))
	case 22:
		return "U+0000", object(`"name":"a\u0000"`)
	}
	return "long number", object(`"name":` + strings.Repeat("9", 1+g.rnd.IntN(5_000)))
}

func utf16le(b []byte) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(string(b))) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// spoiledQuery is the raw value of a query parameter that its schema forbids, "" when there is none.
func (g *generator) spoiledQuery(s node) string {
	if g.chance(15) {
		return pick(g, []string{"%00", "%ff", "a%c0%80b", "%ed%a0%80"})
	}
	if g.chance(5) {
		return pick(g, []string{"%zz", "%", "a;b=c"})
	}
	switch g.typeOf(s) {
	case "integer":
		lo, hi := bounds(s, -1<<63, 1<<63-1) // int64, as it says
		if s["maximum"] == nil {
			hi = 1 << 63
		}
		return pick(g, []string{"", "x", "%2B5", "5.0", "5.5", "5e0", "0x5", "1_0", "%205", "5%20", "%D9%A5", "true", "99999999999999999999", "-99999999999999999999",
			"9223372036854775808", strconv.FormatFloat(lo-1, 'f', 0, 64), strconv.FormatFloat(hi+1, 'f', 0, 64), "null", "[5]", "--5", "05"})
	case "boolean":
		return pick(g, []string{"", "1", "0", "t", "TRUE", "True", "yes", "null", "truetrue", "%20true"})
	}
	if len(list(s["enum"])) > 0 {
		return pick(g, []string{"", "x", strings.ToUpper(text(list(s["enum"])[0])), "null", text(list(s["enum"])[0]) + "%20"})
	}
	switch text(s["format"]) {
	case "date-time":
		return pick(g, []string{"", "yesterday", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T25:00:00Z", "99999-01-01T00:00:00Z", "1767225600",
			"2026-01-31T09:00:00", "2026-01-31%2009:00:00Z", "2026-01-31T09:00:00,5Z", "2026-01-31T09:00:00+02:00", "2026-01-31T09:00:00%2B99:00", "Sat,%2031%20Jan%202026%2009:00:00%20GMT"})
	case "uuid":
		return pick(g, []string{"", "x", "..", "00000000-0000-0000-0000-00000000000", "%7B00000000-0000-4000-8000-000000000000%7D"})
	}
	if whole(s["minLength"], 0) > 0 && g.chance(30) {
		return ""
	}
	if hi := whole(s["maxLength"], 0); hi > 0 && hi < 3_000 {
		return strings.Repeat("%C3%A9", hi+1)
	}
	return "%ff"
}

// junkID are path segments, percent-encoded, that are no id of anything.
func (g *generator) junkID() string {
	return pick(g, []string{"x", "%2F", "%2e%2e", "%2E", "..%2f..", "a%2Fb", "%00", "%0A", "%ff", "%F0%9F%98%80", "%20", "null", "undefined", "0", "-1", "*", "%25", "%3F", "%23a", ";a=b", "a;b",
		"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000G", strings.Repeat("a", 5_000), "'%20OR%201=1--", "{agentId}", "~", "@", ":", "%E2%80%AE",
		"FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF", "%7B00000000-0000-4000-8000-000000000000%7D"})
}
