package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"parley/internal/api"
)

// documented returns a check that an answer of an operation has a documented status and a body that matches
// its schema. Answers of no operation (unknown routes, wrong methods) are not its business.
func documented(t testing.TB, a *api.API) func(t testing.TB, method, path string, status int, media string, body []byte) {
	t.Helper()
	raw, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	paths := member(doc, "paths").(map[string]any)
	var one sync.Mutex // the compiler is not for several goroutines
	return func(t testing.TB, method, path string, status int, media string, body []byte) {
		t.Helper()
		one.Lock()
		defer one.Unlock()
		template, op := operationOf(paths, method, path)
		if op == nil || status == http.StatusMethodNotAllowed { // no operation's own answer
			return
		}
		code := strconv.Itoa(status)
		answer, ok := member(op, "responses").(map[string]any)[code]
		if !ok {
			t.Errorf("%s %s answers %s, which is not documented", method, template, code)
			return
		}
		at := "#/paths/" + escape(template) + "/" + strings.ToLower(method) + "/responses/" + code
		if ref, ok := member(answer, "$ref").(string); ok {
			at = ref
			answer = lookUp(doc, ref)
		}
		media, _, _ = strings.Cut(media, ";")
		if member(member(answer, "content"), media) == nil {
			t.Errorf("%s %s answers %s with %s, which is not documented", method, template, code, media)
			return
		}
		if media != "application/json" {
			return
		}
		schema, err := compiler.Compile("openapi.json" + at + "/content/application~1json/schema")
		if err != nil {
			t.Errorf("schema of %s %s %s: %v", method, template, code, err)
			return
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			t.Errorf("%s %s answered %s, which does not match the document: %v\n%s", method, path, code, err, body)
		}
	}
}

func member(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}

func lookUp(doc any, ref string) any {
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		doc = member(doc, name)
	}
	return doc
}

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// operationOf finds the operation whose path template matches.
func operationOf(paths map[string]any, method, path string) (template string, op any) {
	want := strings.Split(path, "/")
	for candidate, item := range paths {
		parts := strings.Split(candidate, "/")
		match := len(parts) == len(want)
		for i := 0; match && i < len(parts); i++ {
			match = strings.HasPrefix(parts[i], "{") || parts[i] == want[i]
		}
		found := member(item, strings.ToLower(method))
		// A path without variables goes before one with, as in OpenAPI.
		if match && found != nil && (op == nil || strings.Count(candidate, "{") < strings.Count(template, "{")) {
			template, op = candidate, found
		}
	}
	return template, op
}

// TestDocumentDescribesEveryOperation: each has a summary, a tag, and a scope in its description.
func TestDocumentDescribesEveryOperation(t *testing.T) {
	t.Parallel()
	raw, err := api.New(api.Options{Version: "1"}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID, Summary, Description string
			Tags                              []string
			Responses                         map[string]any
			RequestBody                       *struct {
				Required bool
				Content  map[string]struct{ Schema map[string]any }
			}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) < 10 {
		t.Fatalf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 ||
				!strings.Contains(op.Description, "scope") && !strings.Contains(op.Description, "Any API key") {
				t.Errorf("%s %s is not fully described: %+v", method, path, op)
			}
			ids[op.OperationID] = true
			if op.Responses["401"] == nil || op.Responses["500"] == nil {
				t.Errorf("%s %s does not document 401 and 500", method, path)
			}
			if b := op.RequestBody; b != nil && (!b.Required || b.Content["application/json"].Schema["type"] != "object") {
				t.Errorf("%s %s documents its body as %+v", method, path, b)
			}
		}
	}
}

// TestDocumentIsServed without a key, in each form, and not again to a client that has it.
func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	a := api.New(api.Options{Version: "1"})
	for path, start := range map[string]string{"/openapi.yaml": "components:", "/openapi.json": "{", "/docs": "<!doctype html>"} {
		get := func(tag string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
			r.Header.Set("If-None-Match", tag)
			w := newRecorder()
			a.Mux().ServeHTTP(w, r)
			return w
		}
		w := get("")
		if w.Code != 200 || !strings.HasPrefix(w.Body.String(), start) || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s = %d %.40s", path, w.Code, w.Body)
		}
		if again := get(w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
			t.Errorf("%s again = %d with %d bytes", path, again.Code, again.Body.Len())
		}
	}
}
