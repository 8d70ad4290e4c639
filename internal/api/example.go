package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// exampleID and exampleTime stand in examples where the document says only uuid or date-time.
const (
	exampleID   = "01a20b45-322f-70e9-b634-a79b893ecc22"
	exampleTime = "2026-01-31T09:00:00Z"
)

// addExamples gives every answer an example, made of the examples, defaults and words in its schema, and puts the
// members of requests into the order of their schema. Examples of requests are written by hand.
func (a *API) addExamples() {
	doc := a.api.OpenAPI()
	x := exampler{schemas: doc.Components.Schemas.Map()}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete, item.Put} {
			if op == nil {
				continue
			}
			if op.RequestBody != nil {
				for _, m := range op.RequestBody.Content {
					m.Example = x.arrange(m.Schema, m.Example)
				}
			}
			for _, r := range op.Responses {
				if m := r.Content["application/json"]; m != nil && m.Example == nil {
					m.Example = x.of(m.Schema)
				}
			}
		}
	}
	for code, kind := range refusalKinds {
		if r := doc.Components.Responses[kind.name]; r != nil {
			m := r.Content["application/json"]
			m.Example = x.arrange(m.Schema, refusalExample(code))
		}
	}
}

// exampler makes example values of schemas.
type exampler struct {
	schemas map[string]*huma.Schema
	depth   int
}

// maxExampleDepth ends examples of schemas that contain themselves.
const maxExampleDepth = 12

func (x exampler) resolve(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = x.schemas[strings.TrimPrefix(s.Ref, schemaRef)]
	}
	return s
}

// of is an example of a schema: the one that it names, or one with every member that is required
// or has an example.
func (x exampler) of(s *huma.Schema) any {
	s = x.resolve(s)
	x.depth++
	switch {
	case s == nil || x.depth > maxExampleDepth:
		return nil
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0:
		return x.of(s.OneOf[0])
	case len(s.AnyOf) > 0:
		return x.of(s.AnyOf[0])
	case s.Nullable:
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		out := object{}
		for _, name := range s.Required {
			out = append(out, member{name, x.of(s.Properties[name])})
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if !slices.Contains(s.Required, name) && len(s.Properties[name].Examples) > 0 {
				out = append(out, member{name, s.Properties[name].Examples[0]})
			}
		}
		return out
	case huma.TypeArray:
		return []any{x.of(s.Items)}
	case huma.TypeString:
		return exampleText(s)
	case huma.TypeBoolean:
		return false
	case huma.TypeInteger, huma.TypeNumber:
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 0
	}
	return nil
}

func exampleText(s *huma.Schema) string {
	switch s.Format {
	case "uuid":
		return exampleID
	case "date-time":
		return exampleTime
	}
	if s.MinLength != nil && *s.MinLength > 0 {
		return strings.Repeat("…", *s.MinLength)
	}
	return ""
}

// arrange puts the members of a value into the order of its schema.
func (x exampler) arrange(s *huma.Schema, v any) any {
	s = x.resolve(s)
	if s == nil {
		return v
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for _, choice := range append(slices.Clone(s.OneOf), s.AnyOf...) {
		if c := x.resolve(choice); c != nil && fits(c, m) {
			return x.arrange(c, v)
		}
	}
	names := slices.Clone(s.Required)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	out := object{}
	for _, name := range names {
		if value, ok := m[name]; ok {
			out = append(out, member{name, x.arrange(s.Properties[name], value)})
		}
	}
	return out
}

// fits reports whether a schema knows every member of a value and allows its type.
func fits(s *huma.Schema, m map[string]any) bool {
	for name, v := range m {
		p := s.Properties[name]
		if p == nil || name == "type" && !slices.Contains(p.Enum, v) {
			return false
		}
	}
	return true
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		for j, part := range []any{m.name, m.value} {
			raw, err := json.Marshal(part)
			if err != nil {
				return nil, err
			}
			if j > 0 {
				out.WriteByte(':')
			}
			out.Write(raw)
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
