package parley

import (
	"encoding/json"
	"time"
)

// ToolKind says what runs a tool; it is fixed at creation.
type ToolKind string

// The tool kinds. Built-in ones come with the server, the others belong to organizations.
const (
	ToolBuiltin ToolKind = "builtin"
	ToolHTTP    ToolKind = "http"
	ToolMCP     ToolKind = "mcp"    // a server of the Model Context Protocol; one tool offers several functions
	ToolClient  ToolKind = "client" // a handler in the web page that holds the chat
)

// What a tool does to the world.
const (
	AccessRead  = "read"
	AccessWrite = "write"
)

// Limits of a tool's fields: texts in Unicode code points, parameters and body in bytes of JSON.
const (
	MaxToolName         = 100
	MaxToolDescription  = 1_024
	MaxToolCategory     = 100
	MaxToolParameters   = 32 << 10
	MaxToolCalls        = 1_000 // of maxCallsPerConversation
	MaxTools            = 1_000 // of one organization
	MaxUsefulTools      = 10    // of one agent; with more, models choose worse
	MaxToolURL          = 2_048
	MaxToolHeaders      = 40
	MaxToolHeaderName   = 100
	MaxToolHeader       = 4_096
	MaxToolQuery        = 40
	MaxToolQueryName    = 128
	MaxToolQueryValue   = 2_048
	MaxToolBody         = 32 << 10
	MaxToolTimeout      = 60 // seconds
	DefaultToolTimeout  = 10 // seconds
	MaxToolResultPath   = 500
	defaultToolSchema   = `{"type":"object","properties":{}}`
	functionNamePattern = "^[a-zA-Z][a-zA-Z0-9_-]{0,63}$"
)

// Tool is something an agent can do during a conversation. Built-in tools have their slug as id, no
// organization and no times.
type Tool struct {
	ID           string
	OrgID        string
	Name         string // for people
	FunctionName string // for the model: ^[a-zA-Z][a-zA-Z0-9_-]{0,63}$, unique in the organization
	Description  string
	Category     string
	Kind         ToolKind
	Parameters   json.RawMessage // JSON Schema, type object, draft 2020-12; compact
	HTTP         *HTTPTool       // of kind http only
	MCP          *MCPTool        // of kind mcp only
	Client       *ClientTool     // of kind client only
	Remote       string          // of one function of an MCP server: its name there; never stored
	Access       string          // read, write
	Confirm      bool            // runs only after the person agreed
	MaxCalls     *int            // per conversation; nil = no limit of its own
	Control      bool            // built-in: acts on the phone call itself, run by its session; chats are not offered it
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// HTTPTool is the request that a tool of kind http makes. URL (path and query values), header values, query
// values and the body may hold templates, see template.
type HTTPTool struct {
	Method         string
	URL            string
	Headers        map[string]string // may hold credentials: show Masked, store sealed
	Query          map[string]string // added to the URL's own; may hold credentials
	Body           json.RawMessage   // a JSON string is text; an object or array is sent as JSON; nil = the unused arguments
	TimeoutSeconds int
	ResultPath     string // JSON Pointer (RFC 6901) into the answer; "" = all of it
}

// ToolFilter selects tools for a list. Zero values mean "any".
type ToolFilter struct {
	Kind          ToolKind
	Category      string
	Search        string // case-insensitive literal substring of the name
	Sort          string // createdAt (default), updatedAt, name
	Ascending     bool
	Limit, Offset int
}
