package model

import (
	"encoding/json"
	"strings"
)

// argumentsFor makes the arguments of a call: what the schema gives as an example or default, else what an earlier tool
// answered under the same name, else, for required members, the smallest value that fits.
func argumentsFor(tools []Tool, name string, outputs []string) string {
	for _, t := range tools {
		if t.Name != name {
			continue
		}
		arguments, _ := minimal(t.Parameters).(map[string]any)
		known := members{}
		for _, o := range outputs {
			remember(known, o)
		}
		properties, _ := t.Parameters["properties"].(map[string]any)
		for p, schema := range properties {
			schema, _ := schema.(map[string]any)
			if v, ok := suggested(schema); ok {
				arguments[p] = v
			} else if v, ok := known[p]; ok {
				arguments[p] = v
			}
		}
		if raw, err := json.Marshal(arguments); err == nil && arguments != nil {
			return string(raw)
		}
	}
	return "{}"
}

// remember adds the plain members of the first JSON object in an output, and of the objects in it.
func remember(known members, output string) {
	at := strings.IndexByte(output, '{')
	if at < 0 {
		return
	}
	var found map[string]any
	d := json.NewDecoder(strings.NewReader(output[at:]))
	d.UseNumber()
	if d.Decode(&found) != nil {
		return
	}
	for name, v := range found {
		switch v := v.(type) {
		case map[string]any:
			for inner, v := range v {
				switch v.(type) {
				case string, json.Number, bool:
					known[inner] = v
				}
			}
		case string, json.Number, bool:
			known[name] = v
		}
	}
}

// suggested is what a schema gives as its first example, or its default.
func suggested(schema map[string]any) (any, bool) {
	if examples, ok := schema["examples"].([]any); ok && len(examples) > 0 {
		return examples[0], true
	}
	d, ok := schema["default"]
	return d, ok
}

// minimal makes the smallest value that a JSON Schema with plain types accepts: required members only.
func minimal(schema map[string]any) any {
	if options, ok := schema["enum"].([]any); ok && len(options) > 0 {
		return options[0]
	}
	if c, ok := schema["const"]; ok {
		return c
	}
	if v, ok := suggested(schema); ok {
		return v
	}
	kind, _ := schema["type"].(string)
	if kinds, ok := schema["type"].([]any); ok && len(kinds) > 0 {
		kind, _ = kinds[0].(string)
	}
	switch kind {
	case "string":
		return stringFor(stringAt(schema, "format"), intAt(schema, "minLength"))
	case "integer", "number":
		if n, ok := schema["minimum"].(json.Number); ok {
			return n
		}
		return 1
	case "boolean":
		return true
	case "null":
		return nil
	case "array":
		items := []any{}
		element, _ := schema["items"].(map[string]any)
		for range min(intAt(schema, "minItems"), 8) {
			items = append(items, minimal(element))
		}
		return items
	}
	out := map[string]any{}
	required, _ := schema["required"].([]any)
	for _, r := range required {
		name, _ := r.(string)
		property, _ := member(schema, "properties", name).(map[string]any)
		out[name] = minimal(property)
	}
	return out
}

func stringFor(format string, least int) string {
	switch format {
	case "date":
		return "2026-01-01"
	case "date-time":
		return "2026-01-01T12:00:00Z"
	case "email":
		return "someone@example.com"
	case "uri":
		return "https://example.com/"
	}
	if s := "example"; len(s) >= least {
		return s
	}
	return strings.Repeat("x", min(least, 1000))
}
