package api_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"parley/internal/api"
)

// obvious are the properties that need no description wherever they are.
var obvious = []string{"id", "name", "createdAt", "updatedAt", "agentId", "conversationId"}

// TestDocumentIsComplete: every parameter and property is described, every body and answer has an example, and
// every example, default and word of an enum is valid by its own schema.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	raw, err := api.New(api.Options{Version: "1"}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := &completeness{t: t, compiler: jsonschema.NewCompiler()}
	c.compiler.DefaultDraft(jsonschema.Draft2020)
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	c.walk(doc, "#")
	if c.examples < 50 || c.properties < 100 {
		t.Errorf("only %d examples and %d properties were looked at", c.examples, c.properties)
	}
}

type completeness struct {
	t                    *testing.T
	compiler             *jsonschema.Compiler
	examples, properties int
}

// walk looks at every object of the document; at is its JSON pointer.
func (c *completeness) walk(v any, at string) {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			c.walk(e, at+"/"+strconv.Itoa(i))
		}
	case map[string]any:
		c.look(v, at)
		for name, e := range v {
			switch name {
			case "example", "examples", "default", "enum":
			case "properties":
				c.describe(e, at)
				for p, s := range e.(map[string]any) {
					c.walk(s, at+"/properties/"+escape(p))
				}
			default:
				c.walk(e, at+"/"+escape(name))
			}
		}
	}
}

// look checks one object: a media type, a parameter or a schema, by what it has.
func (c *completeness) look(v map[string]any, at string) {
	schema, isHolder := v["schema"]
	parts := strings.Split(at, "/")
	isMedia := len(parts) > 2 && parts[len(parts)-2] == "content"
	if isMedia && v["example"] == nil {
		c.t.Errorf("%s has no example", at)
	}
	if isHolder && !isMedia && member(v, "description") == nil {
		c.t.Errorf("%s is a parameter or header without a description", at)
	}
	if example, ok := v["example"]; ok && schema != nil {
		c.valid(example, at+"/schema", "example of "+at)
	}
	if isHolder || v["type"] == nil {
		return
	}
	if _, ok := v["type"].(string); !ok {
		if _, ok := v["type"].([]any); !ok {
			return // a property that is called type
		}
	}
	for _, key := range []string{"examples", "enum"} {
		list, _ := v[key].([]any)
		for _, e := range list {
			c.valid(e, at, key+" of "+at)
		}
	}
	if d, ok := v["default"]; ok {
		c.valid(d, at, "default of "+at)
	}
}

func (c *completeness) valid(value any, at, what string) {
	c.t.Helper()
	c.examples++
	schema, err := c.compiler.Compile("openapi.json" + at)
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		c.t.Errorf("%s: %v", what, err)
	}
}

// describe checks the properties of a schema.
func (c *completeness) describe(properties any, at string) {
	for name, s := range properties.(map[string]any) {
		c.properties++
		if member(s, "description") == nil && !slices.Contains(obvious, name) && !speaksForItself(s) {
			c.t.Errorf("%s: the property %s has no description: add a doc tag", at, name)
		}
	}
}

// speaksForItself reports whether a property is a named schema, a list of one, or always true.
func speaksForItself(s any) bool {
	words, _ := member(s, "enum").([]any)
	return member(s, "$ref") != nil || member(member(s, "items"), "$ref") != nil || len(words) == 1 && words[0] == true
}
