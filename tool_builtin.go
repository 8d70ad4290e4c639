package parley

import (
	"encoding/json"
	"slices"
)

// builtinTools are the tools that come with the server, by name. Each has its definition here and its function
// in a file of internal/tool, where a test sees that none is missing.
var builtinTools = slices.Concat([]Tool{
	{
		ID:           "calculator",
		Name:         "Calculator",
		FunctionName: "calculator",
		Description: "Calculates exactly with decimal numbers. Operators: + - * / % (remainder) ^ (whole exponent), parentheses, " +
			"and percent, such as 19.90 * 24%. Functions: round(x, digits), abs(x), min(a, b, …), max(a, b, …), sqrt(x), which is " +
			"rounded to 20 digits. An answer that begins with ≈ is rounded.",
		Category: "utility",
		Kind:     ToolBuiltin,
		Access:   AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"expression":{"type":"string",` +
			`"description":"What to calculate, such as (12.5 + 7) * 3. Digits without thousands separators, a point before decimals."}},` +
			`"required":["expression"],"additionalProperties":false}`),
	},
	{
		ID:           "current_time",
		Name:         "Current time",
		FunctionName: "current_time",
		Description:  "Tells the current date and time, in UTC or in a given IANA time zone.",
		Category:     "information",
		Kind:         ToolBuiltin,
		Access:       AccessRead,
		Parameters: json.RawMessage(`{"type":"object","properties":{"timezone":{"type":"string",` +
			`"description":"IANA time zone such as Europe/Helsinki; UTC when absent"}},"additionalProperties":false}`),
	},
}, assistTools, controlTools)

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
func BuiltinTools() []Tool { return slices.Clone(builtinTools) }

// IsReservedFunction reports whether a function name belongs to the server's own tools: an organization's own must not
// be taken for one that ends or transfers a call.
func IsReservedFunction(name string) bool {
	return slices.ContainsFunc(builtinTools, func(t Tool) bool { return t.FunctionName == name })
}
