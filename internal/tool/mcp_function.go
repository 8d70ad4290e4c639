package tool

import (
	"encoding/json"
	"strings"

	"parley"
	"parley/internal/mcp"
)

// functionsOf makes what is kept of a server's functions: cleaned, because descriptions and schemas are untrusted and
// go into prompts, and bounded. Those that the tool allows come first when there are too many.
func functionsOf(t parley.Tool, listed []mcp.Function) (kept []parley.MCPFunction, more bool) {
	size, seen := 0, map[string]bool{}
	for _, allowed := range []bool{true, false} {
		for _, f := range listed {
			if seen[f.Name] || t.MCP.Allows(f.Name) != allowed {
				continue
			}
			seen[f.Name] = true
			one := functionOf(f)
			size += len(one.Name) + len(one.Description) + len(one.Parameters)
			if len(kept) == parley.MaxMCPFunctions || size > parley.MaxMCPBytes {
				return kept, true
			}
			kept = append(kept, one)
		}
	}
	return kept, false
}

func functionOf(f mcp.Function) parley.MCPFunction {
	one := parley.MCPFunction{Name: clean(f.Name, parley.MaxMCPName), Description: description(f), ReadOnly: f.ReadOnly}
	if one.Name != f.Name || f.Name == "" {
		one.Problem = "Its name is too long or has invisible characters."
		return one
	}
	if one.Parameters, one.Problem = parametersOf(f.Schema); one.Problem != "" {
		one.Parameters = nil
	}
	return one
}

// description is what models are told of a function, without invisible characters.
func description(f mcp.Function) string {
	text := f.Description
	if strings.TrimSpace(text) == "" {
		text = f.Title
	}
	if strings.TrimSpace(text) == "" {
		text = f.Name
	}
	return cutRunes(tidy(text), parley.MaxMCPDescription)
}

// cutRunes shortens a text to at most n characters.
func cutRunes(s string, n int) string {
	count := 0
	for i := range s {
		if count == n {
			return s[:i]
		}
		count++
	}
	return s
}

// topLevel are words that model providers refuse at the top of parameters. The server checks them anyway.
var topLevel = []string{"$schema", "$id", "id", "oneOf", "anyOf", "allOf", "not", "enum", "const"}

// parametersOf normalizes the schema of a function's arguments, or says why it cannot be used.
func parametersOf(schema json.RawMessage) (json.RawMessage, string) {
	var m map[string]any
	if len(schema) > 4*parley.MaxToolParameters || depth(schema) > maxArgumentDepth || json.Unmarshal(schema, &m) != nil || m == nil {
		return nil, "Its parameters are too large, nested too deep or no object."
	}
	for _, word := range topLevel {
		delete(m, word)
	}
	if kind, ok := m["type"]; ok && kind != "object" {
		return nil, "Its parameters are not of type object."
	}
	m["type"] = "object"
	if m["properties"] == nil {
		m["properties"] = map[string]any{}
	}
	cleanWords(m)
	out := marshal(m)
	switch {
	case len(out) > parley.MaxToolParameters:
		return nil, "Its parameters are too large."
	case !isClean(string(out)):
		return nil, "Its parameters have invisible characters."
	}
	if p := CheckSchema(out); p != "" {
		return nil, clean("Its parameters: "+p, 300)
	}
	return out, ""
}

// cleanWords removes invisible characters from what a schema says in words, and what only programs read.
func cleanWords(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			cleanWords(item)
		}
	case map[string]any:
		for name, item := range v {
			text, isText := item.(string)
			switch {
			case isText && (name == "description" || name == "title"):
				v[name] = cutRunes(tidy(text), parley.MaxMCPDescription)
			case isText && name == "$comment":
				delete(v, name)
			default:
				cleanWords(item)
			}
		}
	}
}
