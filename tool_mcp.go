package parley

// MCPTool is the server of a tool of kind mcp, reached by streamable HTTP. Header values may hold templates of
// secrets and context, and credentials like those of an HTTPTool.
type MCPTool struct {
	URL          string
	Headers      map[string]string // may hold credentials: show Masked, store sealed
	AllowedTools []string          // names at the server; nil = all
}
