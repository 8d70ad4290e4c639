package fastjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// walk writes what a reader finds.
func walk(raw string) string {
	var b strings.Builder
	r := Reader{Raw: []byte(raw)}
	for range 1000 {
		kind, key, value := r.Next()
		switch kind {
		case String:
			fmt.Fprintf(&b, "%s=%q ", key, value)
		case Literal:
			fmt.Fprintf(&b, "%s=%s ", key, value)
		case Open:
			fmt.Fprintf(&b, "%s{ ", key)
		case Close:
			b.WriteString("} ")
		case End:
			return b.String() + "."
		case Bad:
			return b.String() + "!"
		}
	}
	return "endless"
}

func TestNext(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`{}`:                               ".",
		` { } `:                            ".",
		`{"a":"b"}`:                        `a="b" .`,
		"{ \"a\" :\t\"b\" ,\r\n\"c\" : 7}": `a="b" c=7 .`,
		`{"a":-1.5e+3,"b":true,"c":null}`:  `a=-1.5e+3 b=true c=null .`,
		`{"a":{"b":"c"},"d":{},"e":{"f":{"g":0}}}`: `a{ b="c" } d{ } e{ f{ g=0 } } .`,
		`{"a":""}`:        `a="" .`,
		``:                "!",
		`[]`:              "!",
		`{"a":[1]}`:       "!",
		`{"a":"\n"}`:      "!",
		`{"a\u0062":1}`:   "!",
		`{"a":"ü"}`:       "!",
		`{"a":"b"`:        `a="b" !`,
		`{"a":"b"}x`:      `a="b" !`,
		`{"a":"b"}{}`:     `a="b" !`,
		`{"a":"b" "c":1}`: `a="b" !`,
		`{"a":1,}`:        `a=1 !`,
		`{,"a":1}`:        "!",
		`{"a"}`:           "!",
		`{"a":}`:          "!",
		`{"a":1`:          "!",
		`{a:1}`:           "!",
		`{"a":{"b":1}`:    `a{ b=1 } !`,
		`{"a":"` + strings.Repeat("A", 100) + `\\"}`: "!",
	} {
		if got := walk(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

// FuzzNext checks that of valid JSON what is accepted is what encoding/json reads.
func FuzzNext(f *testing.F) {
	f.Add(`{"a":"b","c":{"d":-1.5e3,"e":true}}`)
	f.Add(`{"a":{},"b":null}`)
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			walk(raw)
			return
		}
		got, ok := build(&Reader{Raw: []byte(raw)})
		if !ok {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(raw), &want); err != nil {
			t.Fatalf("%q was accepted: %v", raw, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Fatalf("%q: got %s, want %s", raw, a, b)
		}
	})
}

// build makes the map of one object; the last of equal keys counts.
func build(r *Reader) (map[string]any, bool) {
	m := map[string]any{}
	for {
		kind, key, value := r.Next()
		switch kind {
		case String:
			if len(value) > longString {
				return nil, false // the decoder of base64 judges these
			}
			m[string(key)] = string(value)
		case Literal:
			var v any
			if json.Unmarshal(value, &v) != nil {
				return nil, false
			}
			m[string(key)] = v
		case Open:
			inner, ok := build(r)
			if !ok {
				return nil, false
			}
			m[string(key)] = inner
		case Close, End:
			return m, true
		case Bad:
			return nil, false
		}
	}
}
