package parley

import "encoding/json"

// Tool is something an agent can do during a conversation. Built-in tools have their slug as id.
type Tool struct {
	ID           string
	Name         string // for people
	FunctionName string // for the model: ^[a-zA-Z][a-zA-Z0-9_-]{0,63}$
	Description  string
	Category     string
	Kind         string          // builtin (http, mcp, client: issue "Tools")
	Parameters   json.RawMessage // JSON Schema, type object
}

var builtinTools = []Tool{{
	ID:           "current_time",
	Name:         "Current time",
	FunctionName: "current_time",
	Description:  "Tells the current date and time, in UTC or in a given IANA time zone.",
	Category:     "information",
	Kind:         "builtin",
	Parameters: json.RawMessage(`{"type":"object","properties":{"timezone":{"type":"string",` +
		`"description":"IANA time zone such as Europe/Helsinki; UTC when absent"}},"additionalProperties":false}`),
}}

// BuiltinTool returns the built-in tool with this slug.
func BuiltinTool(slug string) (Tool, bool) {
	for _, t := range builtinTools {
		if t.ID == slug {
			return t, true
		}
	}
	return Tool{}, false
}

// BuiltinTools returns all built-in tools.
func BuiltinTools() []Tool { return append([]Tool(nil), builtinTools...) }
