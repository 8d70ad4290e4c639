// Package reference renders an OpenAPI 3.1 document as one page for people: static HTML with its style inside,
// which loads nothing and runs no script.
//
// It knows OpenAPI and nothing of this API: what a page says comes from the document alone.
package reference

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var style string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"prose": prose, "slug": slug}).Parse(pageSource))

// Policy is the Content-Security-Policy under which a page works: its own style by hash, its icon, nothing else.
var Policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// Page renders a document. The origin, without a final slash, stands in the examples for the shell. A document
// with a reference that leads nowhere is an error.
func Page(openapiJSON []byte, origin string) ([]byte, error) {
	var doc document
	if err := json.Unmarshal(openapiJSON, &doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	v, err := newView(&doc, origin)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("rendering the reference: %w", err)
	}
	return out.Bytes(), nil
}
