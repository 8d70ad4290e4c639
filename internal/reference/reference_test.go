package reference_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"parley/internal/api"
	"parley/internal/reference"
)

// realPage is the page of this server's own document, as it is served, with the document.
func realPage(t *testing.T) (page string, doc map[string]any, header http.Header) {
	t.Helper()
	a := api.New(api.Options{Version: "1", PublicURL: "https://parley.example"})
	raw, err := a.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.Mux().ServeHTTP(w, httptest.NewRequest("GET", "/docs", nil))
	if w.Code != 200 {
		t.Fatalf("/docs = %d", w.Code)
	}
	return w.Body.String(), doc, w.Header()
}

// TestPageShowsTheWholeDocument: every operation, parameter, property and word of an enum.
func TestPageShowsTheWholeDocument(t *testing.T) {
	t.Parallel()
	page, doc, _ := realPage(t)
	text := html.UnescapeString(page)
	want := func(what, s string) {
		t.Helper()
		if !strings.Contains(text, s) {
			t.Errorf("the page lacks the %s %s", what, s)
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if id, ok := v["operationId"].(string); ok {
				want("operation", `<article id="`+id+`"`)
				want("link to", `<a href="#`+id+`">`)
			}
			if in, ok := v["in"].(string); ok && in != "" && v["type"] == nil {
				want("parameter", `<code class="name">`+v["name"].(string)+`</code>`)
			}
			if props, ok := v["properties"].(map[string]any); ok {
				for name := range props {
					want("property", `<code class="name">`+name+`</code>`)
				}
			}
			for _, word := range list(v["enum"]) {
				if s, ok := word.(string); ok {
					want("word", "<code>"+s+"</code>")
				}
			}
			for name, x := range v {
				if name != "example" && name != "examples" && name != "default" {
					walk(x)
				}
			}
		}
	}
	walk(doc["paths"])
	walk(doc["components"])
	for path := range doc["paths"].(map[string]any) {
		want("path", "<code>"+path+"</code>")
	}
	want("command", "curl https://parley.example/api/v1/")
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// TestPageIsSound: well-formed, no name twice, every link inside leads somewhere, nothing comes from elsewhere.
func TestPageIsSound(t *testing.T) {
	t.Parallel()
	page, _, header := realPage(t)
	ids := map[string]bool{}
	var links []string
	wellFormed(t, page, func(e xml.StartElement) {
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "id" && ids[a.Value]:
				t.Errorf("the id %s is there twice", a.Value)
			case name == "id":
				ids[a.Value] = true
			case name == "href" || name == "src":
				links = append(links, a.Value)
			case name == "style" || strings.HasPrefix(name, "on"):
				t.Errorf("<%s> has an inline %s", e.Name.Local, name)
			}
		}
		if e.Name.Local == "script" {
			t.Error("the page has a script")
		}
	})
	for _, l := range links {
		fragment, inside := strings.CutPrefix(l, "#")
		if inside && !ids[fragment] {
			t.Errorf("the link %s leads nowhere", l)
		}
		if !inside && (!strings.HasPrefix(l, "/") || strings.HasPrefix(l, "//")) {
			t.Errorf("the page loads or links %s", l)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(style[1]))
	policy := header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("the policy %q does not fit the style", policy)
	}
	if strings.Contains(style[1], "url(") || strings.Contains(style[1], "@import") {
		t.Error("the style loads something")
	}
	if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("ETag") == "" {
		t.Errorf("headers: %v", header)
	}
	t.Logf("%d bytes", len(page))
}

// wellFormed reads the page as XML, which it also is.
func wellFormed(t *testing.T, page string, each func(xml.StartElement)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && each != nil {
			each(e)
		}
	}
}

// TestPageOfAStrangeDocument: text stays text, a schema may contain itself, choices and references show.
func TestPageOfAStrangeDocument(t *testing.T) {
	t.Parallel()
	const evil = `</style></code><script>alert(1)</script>`
	doc := map[string]any{
		"openapi": "3.1.0", "info": map[string]any{"title": evil, "version": evil, "description": evil + "\n\n- `" + evil + "`\n- a ` alone"},
		"tags": []any{map[string]any{"name": evil, "description": evil}},
		"paths": map[string]any{"/a/{x}" + evil: map[string]any{"post": map[string]any{
			"operationId": "strange", "summary": evil, "description": evil, "tags": []any{evil}, "security": []any{},
			"parameters": []any{map[string]any{"$ref": "#/components/parameters/X"}},
			"requestBody": map[string]any{"description": evil, "content": map[string]any{"application/json": map[string]any{
				"example": map[string]any{evil: evil, "quoted": `it's \ " <b>`}, "schema": map[string]any{"$ref": "#/components/schemas/Tree"}}}},
			"responses": map[string]any{"200": map[string]any{"description": evil, "content": map[string]any{"application/json": map[string]any{
				"example": []any{evil, 1, true, nil}, "schema": map[string]any{"anyOf": []any{map[string]any{"const": evil}, map[string]any{"$ref": "#/components/schemas/Tree"}}}}}}},
		}}},
		"components": map[string]any{
			"parameters": map[string]any{"X": map[string]any{"name": "x", "in": "path", "required": true, "schema": map[string]any{"type": "string", "pattern": evil, "default": evil}}},
			"schemas": map[string]any{"Tree": map[string]any{"type": "object", "description": evil, "properties": map[string]any{
				evil: map[string]any{"enum": []any{evil, nil}}, "next": map[string]any{"$ref": "#/components/schemas/Tree"},
				"list": map[string]any{"type": "array", "items": map[string]any{"$ref": "#/components/schemas/Tree"}},
				"any":  map[string]any{}, "map": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "integer"}},
			}}},
		},
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	out, err := reference.Page(raw, "https://x.example")
	if err != nil {
		t.Fatal(err)
	}
	page := string(out)
	wellFormed(t, page, nil)
	if strings.Contains(page, "<script") {
		t.Error("text became a script")
	}
	for _, want := range []string{"As described above.", "list of Tree", "object of integer by name", "a ` alone", "Needs no API key", `it&#39;\&#39;&#39;s`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestPageRefusesBrokenDocuments(t *testing.T) {
	t.Parallel()
	const op = `{"paths":{"/x":{"get":{"operationId":"x","responses":{"200":%}}}}}`
	for name, doc := range map[string]string{
		"no JSON":                   `{`,
		"an operation that is none": `{"paths":{"/x":{"get":7}}}`,
		"a schema that is missing":  strings.Replace(op, "%", `{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/No"}}}}`, 1),
		"an answer that is missing": strings.Replace(op, "%", `{"$ref":"#/components/responses/No"}`, 1),
	} {
		if _, err := reference.Page([]byte(doc), ""); err == nil {
			t.Errorf("a page came of a document with %s", name)
		}
	}
}
