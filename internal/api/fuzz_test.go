package api

import (
	"bytes"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"parley"
	"parley/internal/api/apicheck"
	"parley/internal/respond"
)

// FuzzQuery: whatever a query is, it is refused with CodeInvalid or is exactly what its schemas say.
func FuzzQuery(f *testing.F) {
	lo, hi := 1.0, 100.0
	known := map[string]*huma.Schema{
		"limit": {Type: huma.TypeInteger, Minimum: &lo, Maximum: &hi}, "after": {Type: huma.TypeInteger}, "search": {Type: huma.TypeString, MaxLength: ptr(5)},
		"flag": {Type: huma.TypeBoolean}, "at": {Type: huma.TypeString, Format: "date-time"}, "id": {Type: huma.TypeString, Format: "uuid"},
		"sort": {Type: huma.TypeString, Enum: []any{"a", "b"}},
	}
	for _, s := range []string{"limit=5&search=%C3%A9", "limit=+5", "limit=5;x=1", "flag=true", "at=2026-01-31T09:00:00Z", "at=0000-01-01T00:00:00%2B23:59", "%00=1", "x", "sort=a&sort=b",
		"id=550E8400-e29b-41d4-a716-446655440000", "after=-9223372036854775808", "search=%ff", "=&=", "limit=%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		err := checkQuery(raw, known)
		if err != nil {
			if parley.ErrorCode(err) != parley.CodeInvalid || !utf8.ValidString(err.Error()) {
				t.Fatalf("checkQuery(%q): %q", raw, err)
			}
			return
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q was accepted", raw)
		}
		for name, all := range values {
			v := all[0]
			limit, notInt := strconv.ParseInt(v, 10, 64)
			_, notTime := time.Parse(time.RFC3339, v)
			if len(all) != 1 || known[name] == nil || !utf8.ValidString(v) || strings.ContainsRune(v, 0) ||
				name == "limit" && (notInt != nil || limit < 1 || limit > 100) || name == "after" && (notInt != nil || strconv.FormatInt(limit, 10) != v) ||
				name == "at" && notTime != nil || name == "sort" && v != "a" && v != "b" || name == "flag" && v != "true" && v != "false" {
				t.Fatalf("%q was accepted with %s=%q", raw, name, all)
			}
		}
	})
}

// FuzzAgentAgainstDocument: the validator of the root package and the schema of the document accept the same
// bodies, as long as they are JSON objects at all.
func FuzzAgentAgainstDocument(f *testing.F) {
	raw, err := New(Options{Version: "1"}).JSON()
	if err != nil {
		f.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		f.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseRegexpEngine(apicheck.Pattern)
	if err := compiler.AddResource("http://document", doc); err != nil {
		f.Fatal(err)
	}
	schema := compiler.MustCompile("http://document#/paths/~1api~1v1~1agents/post/requestBody/content/application~1json/schema")
	for _, s := range []string{
		`{"name":"A","type":"voice","config":{"speed":1.2,"timeout":null,"language":"pt-BR","fallbackNumber":"+123"},"toolIds":["current_time"],"phoneNumbers":["+123"]}`,
		`{"name":"A","type":"chat","config":{"allowedDomains":["*.example.com","localhost:1"],"suggestions":["a"],"dailyMessageLimit":3,"primaryColor":"#abc"}}`,
		`{"name":" ","type":"chat","phoneNumbers":[]}`, `{"name":"A","type":"voice","config":{"maxDuration":1e2,"transcription":true,"noiseReduction":"off"},"status":"training"}`, `{}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parley.ParseInput(body)
		if err != nil {
			return
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("ParseInput took what is no JSON: %v", err)
		}
		documented := schema.Validate(value)
		_, _, err = parley.NewAgent("org", in, time.Unix(1, 0))
		if (documented == nil) != (err == nil) {
			t.Fatalf("%s\nthe document says %v\nthe server says %v", body, documented, err)
		}
	})
}

// FuzzIfMatch: what the document's pattern takes is a condition that holds or not (412), and never a bad request;
// the tag itself always holds.
func FuzzIfMatch(f *testing.F) {
	field, _ := reflect.TypeFor[Precondition]().FieldByName("IfMatch")
	pattern := regexp.MustCompile(field.Tag.Get("pattern"))
	for _, s := range []string{`"1f"`, `*`, `W/"1f"`, `"a", "b" ,"c"`, `"`, `"a" "b"`, `W/`, `,`, `"a",`, `*,"a"`} {
		f.Add(s, `"1f"`)
	}
	f.Fuzz(func(t *testing.T, sent, tag string) {
		sent = strings.TrimSpace(sent)
		err := Precondition{IfMatch: sent}.match(tag)
		if status := respond.Status(err); err != nil && status != 400 && status != 412 || pattern.MatchString(sent) && sent != "" && status == 400 {
			t.Fatalf("If-Match: %q of %q: %v", sent, tag, err)
		}
		if len(tag) > 2 && tag[0] == '"' && strings.IndexByte(tag[1:], '"') == len(tag)-2 && (Precondition{IfMatch: tag}).match(tag) != nil {
			t.Fatalf("%q does not match itself", tag)
		}
	})
}

// FuzzIdempotencyKey: a key that is taken fits the table, whatever was sent.
func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{"a", `"a"`, `""`, `"`, " a ", "a b", "é", strings.Repeat("x", maxKey+1), `"a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := idempotencyKey([]string{s})
		if ok && (len(key) < 1 || len(key) > maxKey || !parley.IsPrintable(key) || !keyText.MatchString(strings.TrimSpace(s))) {
			t.Fatalf("%q was taken as %q", s, key)
		}
	})
}
