package parley

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of a tool of kind mcp and of what is kept of its server.
const (
	MaxMCPAllowed     = 128 // entries of allowedTools
	MaxMCPName        = 128 // characters of a function's name at its server
	MaxMCPFunctions   = 128 // that are kept of one server
	MaxMCPDescription = 4_096
	MaxMCPBytes       = 512 << 10 // of descriptions and schemas kept of one server
)

// MCPTool is the server of a tool of kind mcp, reached by streamable HTTP. Header values may hold templates of
// secrets and context, and credentials like those of an HTTPTool.
type MCPTool struct {
	URL          string
	Headers      map[string]string // may hold credentials: show Masked, store sealed
	AllowedTools []string          // names at the server; nil = all
}

// What is known of an MCP server.
const (
	MCPUnknown = "unknown" // it was not asked yet
	MCPOK      = "ok"
	MCPFailing = "failing"
)

// MCPFunction is one function of an MCP server, as it is offered to models.
type MCPFunction struct {
	Name        string          `json:"name"` // at the server
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // JSON Schema; nil with a problem
	ReadOnly    bool            `json:"readOnly,omitempty"`   // the server's claim, which nothing relies on
	Problem     string          `json:"problem,omitempty"`    // why models are not offered it; "" = they are
}

// MCPServer is what was found at the server of a tool when it was last asked. When it fails, the functions of the
// time before stay.
type MCPServer struct {
	Functions []MCPFunction
	More      bool // it has others, beyond the limits
	State     string
	Error     string // for operators; "" with MCPOK
	CheckedAt time.Time
}

// Allows reports whether a function of the server may be used.
func (m *MCPTool) Allows(name string) bool {
	return m.AllowedTools == nil || slices.Contains(m.AllowedTools, name)
}

// Masked returns a copy that may be shown: credentials in headers are replaced by Mask.
func (m MCPTool) Masked() MCPTool {
	m.Headers = masked(m.Headers)
	return m
}

// Credentials are the values of headers that are never shown, whole and without the scheme before them.
func (m MCPTool) Credentials() []string { return HTTPTool{Headers: m.Headers}.Credentials() }

// Same reports whether two tools reach the same server with the same headers and the same choice of functions, so
// that what was found at one holds for the other.
func (m *MCPTool) Same(o *MCPTool) bool {
	return m.URL == o.URL && maps.Equal(m.Headers, o.Headers) && slices.Equal(m.AllowedTools, o.AllowedTools) &&
		(m.AllowedTools == nil) == (o.AllowedTools == nil)
}

// takeMCP merges the member mcp and checks the whole of what comes out.
func (t *Tool) takeMCP(in *Input) {
	if t.Kind != ToolMCP {
		if in.Has("mcp") && t.Kind != "" && t.Kind != ToolClient { // which says so itself
			in.Fail("mcp", "belongs to tools of kind mcp. Leave it out.")
		}
		in.Skip("mcp")
		return
	}
	for _, other := range []string{"http", "parameters"} {
		if in.Has(other) {
			in.Fail(other, "does not belong to a tool of kind mcp, whose functions the server describes. Leave it out.")
			in.Skip(other)
		}
	}
	old := MCPTool{}
	if t.MCP != nil {
		old = *t.MCP
	}
	m := old
	t.MCP = &m
	if o := in.Object("mcp"); o != nil {
		if old.URL == "" { // a new tool
			o.Required("url")
		}
		m.take(o)
		o.Unknown()
		m.keepCredentials(o, old)
	}
	m.check(func(name, problem string) { in.Fail("mcp."+name, problem) })
}

func (m *MCPTool) take(in *Input) {
	in.Text("url", &m.URL, 1, MaxToolURL)
	set(in, "headers", &m.Headers, map[string]string{}, func(dst *map[string]string) { in.TextMap("headers", dst, MaxToolHeaders) })
	set(in, "allowedTools", &m.AllowedTools, nil, func(dst *[]string) {
		in.List("allowedTools", dst, MaxMCPAllowed, func(name string) string { return lengthProblem(name, 1, MaxMCPName) })
	})
}

// keepCredentials resolves masks, as those of an HTTPTool.
func (m *MCPTool) keepCredentials(in *Input, old MCPTool) {
	now := HTTPTool{URL: m.URL, Headers: m.Headers}
	now.keepCredentials(in, HTTPTool{URL: old.URL, Headers: old.Headers})
}

func (m *MCPTool) check(fail func(name, problem string)) {
	if m.URL != "" {
		p := toolURLProblem(m.URL)
		if p == "" && strings.Contains(m.URL, "{{") {
			p = "must not have a template. Templates of secrets and context go into headers."
		}
		if p != "" {
			fail("url", p)
		}
	}
	checkHeaders(m.Headers, fail)
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		parts, _ := parseTemplate(m.Headers[name])
		if slices.ContainsFunc(parts, func(p templatePart) bool { return p.source == "args" }) {
			fail("headers."+name, "must not use {{args.…}}: the headers are the same for every function. Use {{secret.NAME}} or {{context.name}}.")
		}
		if reservedMCPHeader(name) {
			fail("headers."+name, "is set by the server. Remove it.")
		}
	}
}

// reservedMCPHeader reports whether a header belongs to the protocol.
func reservedMCPHeader(name string) bool {
	low := strings.ToLower(name)
	return strings.HasPrefix(low, "mcp-") || slices.Contains([]string{"accept", "content-type", "last-event-id", "accept-encoding", "content-encoding"}, low)
}
