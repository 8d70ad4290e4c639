package tool

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for schema, want := range map[string]string{ // part of the problem, "" = accepted
		`{"type":"object","properties":{}}`: "",
		`{"type":"object","properties":{"a":{"type":"string","enum":["x"]},"b":{"$ref":"#/$defs/n"}},"required":["a"],"$defs":{"n":{"type":"integer","minimum":1}}}`: "",
		`{"type":"object","$schema":"https://json-schema.org/draft/2020-12/schema"}`:                                                                                 "",
		`{"type":"object","properties":{"a":{"$ref":"#"}}}`:                                                                                                          "",
		`{"type":"object","properties":{"a":{"pattern":"^[a-z]+$","format":"email"}}}`:                                                                               "",
		`{"type":"object","x-note":"unknown words are allowed"}`:                                                                                                     "",
		`{"type":"object","properties":{"a":{"type":"text"}}}`:                                                                                                       "at /properties/a/type",
		`{"type":"object","properties":[]}`:                                                                                                                          "at /properties",
		`{"type":"object","required":"a"}`:                                                                                                                           "at /required",
		`{"type":"object","properties":{"a":{"minimum":"1"}}}`:                                                                                                       "at /properties/a/minimum",
		`{"type":"object","properties":{"a":{"pattern":"("}}}`:                                                                                                       "valid JSON Schema",
		`{"type":"object","properties":{"a":{"$ref":"#/$defs/none"}}}`:                                                                                               "valid JSON Schema",
		`{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}`:                                                                                      "2020-12",
		`{"type":"object","$schema":5}`:                                                                                                                              "2020-12",
		`{"type":"object","properties":{"a":{"$ref":"file://` + file + `"}}}`:                                                                                        "another document",
		`{"type":"object","properties":{"a":{"$ref":"https://evil.example.com/s.json"}}}`:                                                                            "another document",
		`{"type":"object","properties":{"a":{"$ref":"other.json"}}}`:                                                                                                 "another document",
		`{"type":"object","$id":"https://evil.example.com/","properties":{"a":{"$ref":"b.json"}}}`:                                                                   "another document",
		`{"type":"object","properties":{"a":{"$schema":"https://evil.example.com/s","$id":"https://evil.example.com/x"}}}`:                                           "another document",
		`{"type":"object","properties":{"a":{"$dynamicRef":"https://evil.example.com/s.json#x"}}}`:                                                                   "another document",
		`5`: "valid JSON Schema",
		``:  "valid JSON Schema",
	} {
		if got := CheckSchema(json.RawMessage(schema)); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", schema, got, want)
		}
	}
}

// FuzzCheckSchema: no schema makes the check panic or answer with unfit text.
func FuzzCheckSchema(f *testing.F) {
	for _, s := range []string{`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"$id":"x","$anchor":"a","$defs":{"b":{"$dynamicAnchor":"c"}}}`, `{"pattern":"(a{1000}){9}"}`, `true`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		if len(schema) > parley.MaxToolParameters || depth([]byte(schema)) > maxArgumentDepth {
			return // refused before
		}
		if got := CheckSchema(json.RawMessage(schema)); !utf8.ValidString(got) || len(got) > 400 {
			t.Fatalf("problem %q", got)
		}
	})
}

func TestSealedToolsOpenOnlyWhereTheyBelong(t *testing.T) {
	t.Parallel()
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	plain := parley.Tool{ID: "id", OrgID: "org", Kind: parley.ToolHTTP, HTTP: &parley.HTTPTool{
		Method: "GET", Headers: map[string]string{"Authorization": "Bearer x"}, Query: map[string]string{"k": "v"}}}
	sealed, err := Seal(ring, plain)
	if err != nil || sealed.HTTP.Headers != nil || sealed.HTTP.Query != nil || strings.Contains(string(sealed.Headers), "Bearer") || len(plain.HTTP.Headers) != 1 {
		t.Fatalf("sealed %+v, %v", sealed, err)
	}
	opened, err := Open(ring, sealed)
	if err != nil || opened.HTTP.Headers["Authorization"] != "Bearer x" || opened.HTTP.Query["k"] != "v" {
		t.Errorf("opened %+v, %v", opened.HTTP, err)
	}
	moved, swapped, other := sealed, sealed, sealed
	moved.OrgID, other.ID = "other", "other"
	swapped.Headers, swapped.Query = sealed.Query, sealed.Headers
	for name, s := range map[string]store.SealedTool{"organization": moved, "tool": other, "column": swapped} {
		if _, err := Open(ring, s); err == nil {
			t.Errorf("opens in another %s", name)
		}
	}
	builtin, _ := parley.BuiltinTool("calculator")
	if s, err := Seal(ring, builtin); err != nil || s.Headers != nil {
		t.Errorf("built-in: %+v, %v", s, err)
	}
}
