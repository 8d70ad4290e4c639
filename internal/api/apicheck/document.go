package apicheck

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// node is one object of the document.
type node = map[string]any

const resource = "http://document/openapi.json" // the document's name for the schema compiler

// document is an OpenAPI document, ready to be asked. Not safe for concurrent use.
type document struct {
	root     node
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
	ops      []*operation
	problem  string // where the schema of errors is: of the first 401
}

// operation is one method of one path.
type operation struct {
	id, method, path string
	params           []param
	body             node   // schema of the JSON body; nil = none
	bodyAt           string // where body is
	example          any    // of the body
	responses        map[string]response
	secured          bool
}

type param struct {
	name, in string
	required bool
	schema   node
	at       string
}

type response struct {
	media   map[string]string // media type → where its schema is, "" = none
	headers map[string]header
}

type header struct {
	required bool
	at       string // of its schema, "" = none
}

// parse reads a document in JSON.
func parse(raw []byte) (*document, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	root, ok := value.(node)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	closeObjects(root, false)
	d := &document{root: root, compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	d.compiler.UseRegexpEngine(Pattern)
	if err := d.compiler.AddResource(resource, root); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	paths := object(root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, at := d.follow(paths[path], "#/paths/"+escape(path))
		for _, method := range []string{"get", "put", "post", "delete", "patch"} {
			if op := object(item[method]); op != nil {
				d.ops = append(d.ops, d.operation(path, method, op, item, at))
			}
		}
	}
	return d, nil
}

func (d *document) operation(path, method string, op, item node, at string) *operation {
	o := &operation{id: text(op["operationId"]), method: strings.ToUpper(method), path: path, responses: map[string]response{}}
	security, own := op["security"]
	if !own {
		security = d.root["security"]
	}
	o.secured = len(list(security)) > 0
	for i, p := range list(item["parameters"]) {
		o.params = append(o.params, d.param(p, fmt.Sprintf("%s/parameters/%d", at, i)))
	}
	at += "/" + method
	for i, p := range list(op["parameters"]) {
		o.params = append(o.params, d.param(p, fmt.Sprintf("%s/parameters/%d", at, i)))
	}
	body, bodyAt := d.follow(op["requestBody"], at+"/requestBody")
	if media := object(object(body["content"])["application/json"]); media != nil {
		o.body, o.bodyAt, o.example = object(media["schema"]), bodyAt+"/content/application~1json/schema", media["example"]
	}
	answers := object(op["responses"])
	for _, code := range slices.Sorted(maps.Keys(answers)) {
		o.responses[code] = d.response(answers[code], at+"/responses/"+code)
	}
	if at := o.responses["401"].media["application/json"]; at != "" && d.problem == "" {
		d.problem = at
	}
	return o
}

func (d *document) param(v any, at string) param {
	p, at := d.follow(v, at)
	required, _ := p["required"].(bool)
	return param{name: text(p["name"]), in: text(p["in"]), required: required, schema: object(p["schema"]), at: at + "/schema"}
}

func (d *document) response(v any, at string) response {
	n, at := d.follow(v, at)
	r := response{media: map[string]string{}, headers: map[string]header{}}
	content := object(n["content"])
	for media := range content {
		r.media[media] = ""
		if object(content[media])["schema"] != nil {
			r.media[media] = at + "/content/" + escape(media) + "/schema"
		}
	}
	headers := object(n["headers"])
	for name := range headers {
		h, at := d.follow(headers[name], at+"/headers/"+escape(name))
		required, _ := h["required"].(bool)
		r.headers[name] = header{required: required}
		if h["schema"] != nil {
			r.headers[name] = header{required: required, at: at + "/schema"}
		}
	}
	return r
}

// follow resolves a reference: the object and where it is.
func (d *document) follow(v any, at string) (node, string) {
	n := object(v)
	for range 16 { // a chain of references that is longer goes in a circle
		ref, ok := n["$ref"].(string)
		if !ok {
			return n, at
		}
		var found any = d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			found = object(found)[unescape(name)]
		}
		n, at = object(found), ref
	}
	return n, at
}

// validate checks a value, as jsonschema.UnmarshalJSON makes it, against the schema at a place.
func (d *document) validate(at string, value any) error {
	s := d.compiled[at]
	if s == nil {
		var err error
		if s, err = d.compiler.Compile(resource + at); err != nil {
			return fmt.Errorf("the schema at %s: %w", at, err)
		}
		d.compiled[at] = s
	}
	return s.Validate(value)
}

// closeObjects makes a schema that lists properties refuse all others, unless it says that it takes more: an
// answer with a member that nobody documented is an undocumented answer. Parts of an allOf stay open and the
// whole is closed.
func closeObjects(v any, part bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			closeObjects(e, part)
		}
	case node:
		_, hasProperties := v["properties"].(node)
		_, isAll := v["allOf"].([]any)
		_, says := v["additionalProperties"]
		_, saysAll := v["unevaluatedProperties"]
		if (hasProperties || isAll) && !says && !saysAll && !part && v["oneOf"] == nil && v["anyOf"] == nil {
			v["unevaluatedProperties"] = false
		}
		for name, e := range v {
			switch name {
			case "example", "examples", "default", "enum", "const":
			case "properties":
				for _, p := range object(e) {
					closeObjects(p, false)
				}
			default:
				closeObjects(e, name == "allOf")
			}
		}
	}
}

// ecmaClasses are what ECMA-262, the dialect of JSON Schema, means by classes that Go reads as ASCII only.
var ecmaClasses = strings.NewReplacer(`\\`, `\\`, `\S`, `[^\s\v\x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}]`, `\s`, `[\s\v\x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}]`)

// Pattern compiles a pattern of the document in the dialect that JSON Schema means, for its validator.
func Pattern(s string) (jsonschema.Regexp, error) { return regexp.Compile(ecmaClasses.Replace(s)) }

func object(v any) node { n, _ := v.(node); return n }

func list(v any) []any { l, _ := v.([]any); return l }

func text(v any) string { s, _ := v.(string); return s }

func escape(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

func unescape(s string) string {
	return strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(s)
}
