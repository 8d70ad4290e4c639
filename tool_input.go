package parley

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// SchemaCheck says what is wrong with a JSON Schema, or "". It is given to the domain, which has no library
// for it: internal/tool.CheckSchema.
type SchemaCheck func(schema json.RawMessage) string

// NewTool makes a tool from a create request. Warnings and errors are as for NewAgent.
func NewTool(orgID string, in *Input, now time.Time, check SchemaCheck) (Tool, []string, error) {
	t := Tool{ID: NewID(), OrgID: orgID, Parameters: json.RawMessage(defaultToolSchema), CreatedAt: now}
	for _, name := range []string{"name", "description", "kind"} {
		in.Required(name)
	}
	t.Kind = in.toolKind()
	if t.Kind == ToolHTTP {
		in.Required("http")
		t.HTTP = &HTTPTool{Headers: map[string]string{}, Query: map[string]string{}, TimeoutSeconds: DefaultToolTimeout}
	}
	if t.Kind == ToolMCP {
		in.Required("mcp")
		t.MCP = &MCPTool{Headers: map[string]string{}}
	}
	return t.take(in, now, check)
}

// toolKind reads the kind of a new tool and refuses those that cannot be made.
func (in *Input) toolKind() (kind ToolKind) {
	in.Enum("kind", (*string)(&kind), string(ToolHTTP), string(ToolMCP), string(ToolBuiltin), string(ToolClient))
	if kind == ToolBuiltin {
		in.Fail("kind", "belongs to the tools that come with the server. Use http, mcp or client.")
	}
	return kind
}

// Apply returns the tool as a PATCH request asks: absent members keep their value, null resets one to its
// default, members of http and mcp merge. headers and query are sent as full sets, in which Mask keeps a hidden value.
// The receiver is not changed.
func (t Tool) Apply(in *Input, now time.Time, check SchemaCheck) (Tool, []string, error) {
	if in.Has("kind") {
		var kind string
		in.Enum("kind", &kind, string(ToolHTTP), string(ToolMCP), string(ToolBuiltin), string(ToolClient))
		if kind != "" && kind != string(t.Kind) {
			in.Fail("kind", "is fixed at creation. Create another tool instead.")
		}
	}
	if t.HTTP != nil {
		h := *t.HTTP
		t.HTTP = &h
	}
	return t.take(in, now, check)
}

// take reads all members but `kind` into the tool, whose HTTP is its own copy.
func (t Tool) take(in *Input, now time.Time, check SchemaCheck) (Tool, []string, error) {
	t.UpdatedAt = now
	in.Text("name", &t.Name, 1, MaxToolName)
	in.Text("description", &t.Description, 1, MaxToolDescription)
	set(in, "category", &t.Category, "", func(dst *string) { in.Text("category", dst, 0, MaxToolCategory) })
	t.takeFunctionName(in)
	if t.Kind != ToolMCP {
		t.takeParameters(in, check)
	}
	usual := t.usualAccess() // of the method before this request
	t.takeClient(in)
	t.takeMCP(in)
	t.takeHTTP(in)
	switch {
	case in.Null("access"), !in.Has("access") && (t.Access == "" || t.Access == usual):
		in.Skip("access")
		t.Access = t.usualAccess()
	default:
		in.Enum("access", &t.Access, AccessRead, AccessWrite)
	}
	set(in, "confirm", &t.Confirm, false, func(dst *bool) { in.Bool("confirm", dst) })
	set(in, "maxCallsPerConversation", &t.MaxCalls, nil, func(dst **int) {
		n := 0
		if in.Int("maxCallsPerConversation", &n, 1, MaxToolCalls); n > 0 {
			*dst = &n
		}
	})
	if err := in.Done(); err != nil {
		return Tool{}, nil, err
	}
	return t, t.warnings(), nil
}

// usualAccess is the default by kind and method. What a page or an MCP server does is unknown: it counts as a change.
func (t *Tool) usualAccess() string {
	if t.Kind == ToolClient || t.Kind == ToolMCP || t.HTTP != nil && t.HTTP.Method != "GET" {
		return AccessWrite
	}
	return AccessRead
}

func (t *Tool) takeFunctionName(in *Input) {
	if in.Null("functionName") || t.FunctionName == "" && !in.Has("functionName") {
		in.Skip("functionName")
		t.FunctionName = FunctionName(t.Name)
		return
	}
	if !in.Has("functionName") {
		return
	}
	var name string
	before := len(*in.problems)
	in.Text("functionName", &name, 0, maxShortText)
	if len(*in.problems) == before && !IsFunctionName(name) {
		in.Fail("functionName", "must match "+functionNamePattern+": a letter, then up to 63 letters, digits, _ and -.")
		return
	}
	t.FunctionName = name
}

func (t *Tool) takeParameters(in *Input, check SchemaCheck) {
	raw, ok := in.take("parameters")
	if !ok {
		return
	}
	if isNull(raw) {
		t.Parameters = json.RawMessage(defaultToolSchema)
		return
	}
	var compact bytes.Buffer
	var schema struct {
		Type any `json:"type"`
	}
	if json.Compact(&compact, raw) != nil || raw[0] != '{' || json.Unmarshal(raw, &schema) != nil {
		in.Fail("parameters", "must be a JSON Schema: an object such as "+defaultToolSchema+".")
		return
	}
	if compact.Len() > MaxToolParameters {
		in.Fail("parameters", "must have at most "+strconv.Itoa(MaxToolParameters)+" bytes of JSON, it has "+strconv.Itoa(compact.Len())+".")
		return
	}
	if schema.Type != "object" {
		in.Fail("parameters.type", `must be "object": a model sends the arguments as one object.`)
		return
	}
	if p := check(compact.Bytes()); p != "" {
		in.Fail("parameters", p)
		return
	}
	t.Parameters = compact.Bytes()
}

// argumentNames are the properties that the parameters list. known is nil when they list none, or when the
// schema may allow others by means that only a validator understands.
func (t *Tool) argumentNames() (known []string) {
	var schema map[string]json.RawMessage
	var properties map[string]json.RawMessage
	if json.Unmarshal(t.Parameters, &schema) != nil || json.Unmarshal(schema["properties"], &properties) != nil {
		return nil
	}
	for _, word := range []string{"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas"} {
		if _, ok := schema[word]; ok {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(properties))
}

func (t *Tool) warnings() (w []string) {
	if t.MCP != nil {
		if u, ok := parseToolURL(t.MCP.URL); ok && u.Scheme == "http" {
			w = append(w, "mcp.url: http sends everything unencrypted. Use https outside your own network.")
		}
	}
	if t.HTTP == nil {
		return nil
	}
	if u, ok := parseToolURL(t.HTTP.URL); ok && u.Scheme == "http" {
		w = append(w, "http.url: http sends everything unencrypted. Use https outside your own network.")
	}
	if len(t.HTTP.arguments()) > 0 && len(t.argumentNames()) == 0 {
		w = append(w, "parameters: a template uses an argument, but no properties are listed, so a model may not send it.")
	}
	return w
}
