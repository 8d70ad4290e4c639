package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is the part of OpenAPI 3.1 that a reader needs.
type document struct {
	Info struct {
		Title, Version, Description string
		License                     struct{ Name string }
	}
	Tags       []struct{ Name, Description string }
	Security   []map[string][]string
	Paths      map[string]map[string]json.RawMessage // a path's operations, and members that are none
	Components struct {
		Schemas         map[string]*schema
		Responses       map[string]*response
		Headers         map[string]*parameter
		Parameters      map[string]*parameter
		RequestBodies   map[string]*body
		SecuritySchemes map[string]*securityScheme
	}
}

type securityScheme struct{ Type, Scheme, In, Name, Description string }

type operation struct {
	method, path                      string
	OperationID, Summary, Description string
	Tags                              []string
	Deprecated                        bool
	Parameters                        []*parameter
	RequestBody                       *body
	Responses                         map[string]*response
	Security                          *[]map[string][]string // nil = the document's
}

type parameter struct {
	Ref                  string `json:"$ref"`
	Name, In             string
	Description          string
	Required, Deprecated bool
	Schema               *schema
	Example              json.RawMessage
}

type body struct {
	Ref         string `json:"$ref"`
	Description string
	Required    bool
	Content     map[string]*media
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]*parameter
	Content     map[string]*media
}

type media struct {
	Schema   *schema
	Example  json.RawMessage
	Examples map[string]struct {
		Summary string
		Value   json.RawMessage
	}
}

type schema struct {
	Ref                             string `json:"$ref"`
	Type                            types
	Title, Description, Format      string
	Default, Const                  json.RawMessage
	Enum, Examples                  []json.RawMessage
	Items                           *schema
	AdditionalProperties            *schemaOrBool
	Properties                      map[string]*schema
	Required                        []string
	Minimum, ExclusiveMinimum       json.Number
	Maximum, ExclusiveMaximum       json.Number
	MinLength, MaxLength            json.Number
	MinItems, MaxItems              json.Number
	Pattern                         string
	ReadOnly, WriteOnly, Deprecated bool
	OneOf, AnyOf, AllOf             []*schema
	Discriminator                   struct{ PropertyName string }
}

// types is a schema's type, which JSON Schema writes as one name or a list.
type types []string

func (t *types) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = types{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// schemaOrBool is a schema, or one that takes everything or nothing.
type schemaOrBool struct {
	*schema
	allowed bool
}

func (s *schemaOrBool) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &s.allowed) == nil {
		return nil
	}
	s.allowed = true
	return json.Unmarshal(b, &s.schema)
}

// methods in the order in which people think of them.
var methods = []string{"get", "post", "put", "patch", "delete", "head", "options", "trace"}

// operations lists them by path and method.
func (d *document) operations() ([]operation, error) {
	var out []operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			raw := d.Paths[path][method]
			if raw == nil {
				continue
			}
			op := operation{method: method, path: path}
			if err := json.Unmarshal(raw, &op); err != nil {
				return nil, fmt.Errorf("reading %s %s: %w", method, path, err)
			}
			out = append(out, op)
		}
	}
	return out, nil
}

// find follows a reference into one kind of component and returns it with its name.
func find[T any](kind string, from map[string]*T, ref string) (string, *T, error) {
	name, ok := strings.CutPrefix(ref, "#/components/"+kind+"/")
	if found := from[name]; ok && found != nil {
		return name, found, nil
	}
	return "", nil, fmt.Errorf("the OpenAPI document refers to %q, which is not there", ref)
}
