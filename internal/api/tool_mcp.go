package api

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/store"
	"parley/internal/tool"
)

// How long a request waits for an MCP server to say what it has: after a change, and when that is all it is for.
const (
	discoveryTime = 5 * time.Second
	refreshTime   = 12 * time.Second
)

// MCPTool is the server of a tool of kind mcp on the wire, with what was found there.
type MCPTool struct {
	URL          string            `json:"url" minLength:"1" maxLength:"2048" doc:"The address of the server (streamable HTTP)." example:"https://shop.example.com/mcp"`
	Headers      map[string]string `json:"headers" doc:"Go with every request. A credential that stands here literally is shown as ••••."`
	AllowedTools []string          `json:"allowedTools" nullable:"true" doc:"Names at the server; null = all." example:"[\"find_order\"]"`
	Functions    []MCPFunction     `json:"functions,omitempty" nullable:"false" doc:"What was found at the server. Absent in lists, and when nothing was found."`
	Status       MCPStatus         `json:"status"`
}

// MCPFunction is one function of an MCP server on the wire.
type MCPFunction struct {
	Name         string `json:"name" doc:"At the server." example:"find_order"`
	FunctionName string `json:"functionName" doc:"For the model. Where another function of an agent has this name, the tool's functionName goes before it." example:"find_order"`
	Description  string `json:"description" doc:"What models are told, in the server's words, cut at 4,096 characters." example:"Finds an order."`
	ReadOnlyHint bool   `json:"readOnlyHint" doc:"The server claims that the function changes nothing. Nothing relies on it." example:"true"`
	Offered      bool   `json:"offered" doc:"Whether models are offered it." example:"true"`
	Problem      string `json:"problem" doc:"Why it cannot be offered; empty = it can." example:""`
}

// MCPStatus is how an MCP server was when it was last asked.
type MCPStatus struct {
	State     string     `json:"state" enum:"ok,failing,unknown" doc:"unknown = it was not asked yet." example:"ok"`
	CheckedAt *time.Time `json:"checkedAt" doc:"When it was asked; null = never."`
	Error     string     `json:"error" doc:"What is wrong, and what to do; empty = nothing." example:""`
	More      bool       `json:"more" doc:"The server has more functions than the 128 that are kept. Name those that you need in allowedTools." example:"false"`
}

// RefreshedTool is what asking a server again has found.
type RefreshedTool struct {
	Functions []MCPFunction `json:"functions" nullable:"false" doc:"All of them."`
	Added     []string      `json:"added" nullable:"false" doc:"Names of functions that are new."`
	Removed   []string      `json:"removed" nullable:"false" doc:"Names of functions that are gone."`
	Changed   []string      `json:"changed" nullable:"false" doc:"Names of functions with another description or other parameters than before."`
	Status    MCPStatus     `json:"status"`
}

// show puts what is known of the server of a tool into its view.
func (v *Tool) show(t parley.Tool, m parley.MCPServer, functions bool) {
	if t.MCP == nil {
		return
	}
	shown := t.MCP.Masked()
	v.MCP = &MCPTool{URL: shown.URL, Headers: shown.Headers, AllowedTools: shown.AllowedTools, Status: statusView(m)}
	if functions {
		v.MCP.Functions = functionViews(t, m)
	}
}

func statusView(m parley.MCPServer) MCPStatus {
	s := MCPStatus{State: parley.MCPUnknown, Error: m.Error, More: m.More}
	if m.State != "" {
		s.State = m.State
	}
	if !m.CheckedAt.IsZero() {
		s.CheckedAt = &m.CheckedAt
	}
	return s
}

func functionViews(t parley.Tool, m parley.MCPServer) []MCPFunction {
	views := make([]MCPFunction, len(m.Functions))
	for i, f := range m.Functions {
		views[i] = MCPFunction{Name: f.Name, FunctionName: tool.MCPName(t, f.Name), Description: f.Description, ReadOnlyHint: f.ReadOnly,
			Offered: tool.IsOffered(t, f), Problem: f.Problem}
	}
	return views
}

// serverOf is what is known of the server of a tool; of other kinds nothing.
func serverOf(ctx context.Context, r *store.Reader, t parley.Tool) (parley.MCPServer, error) {
	if t.MCP == nil {
		return parley.MCPServer{}, nil
	}
	found, err := r.FindMCPServers(ctx, t.OrgID, []string{t.ID})
	return found[t.ID], err
}

// discover asks the server of a tool that was made or changed, which was saved whatever comes of it, and shows that.
func (a *API) discover(ctx context.Context, t parley.Tool, v *Tool) (warnings []string) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	m := a.ask(ctx, t)
	v.show(t, m, true)
	if m.State != parley.MCPOK {
		return []string{"mcp: the tool is saved, but its server could not be asked what it has. " + m.Error}
	}
	return doubtsOf(t, m)
}

func (a *API) ask(ctx context.Context, t parley.Tool) parley.MCPServer {
	if a.opt.Tools == nil {
		return parley.MCPServer{State: parley.MCPUnknown, Error: "This server makes no requests for tools."}
	}
	m, _ := a.opt.Tools.Refresh(ctx, t) // what went wrong stands in m
	return m
}

// doubtsOf warns of names that the server does not have, of functions that cannot be offered, and of too many.
func doubtsOf(t parley.Tool, m parley.MCPServer) (warnings []string) {
	var missing, unusable []string
	for _, name := range t.MCP.AllowedTools {
		if !slices.ContainsFunc(m.Functions, func(f parley.MCPFunction) bool { return f.Name == name }) {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	offered := 0
	for _, f := range m.Functions {
		switch {
		case tool.IsOffered(t, f):
			offered++
		case t.MCP.Allows(f.Name):
			unusable = append(unusable, fmt.Sprintf("%q", f.Name))
		}
	}
	if len(missing) > 0 {
		warnings = append(warnings, "mcp.allowedTools: the server has no "+strings.Join(missing, ", ")+".")
	}
	if len(unusable) > 0 {
		warnings = append(warnings, "mcp: "+strings.Join(unusable, ", ")+" cannot be offered to models; mcp.functions says why.")
	}
	if offered > parley.MaxUsefulTools {
		warnings = append(warnings, fmt.Sprintf("mcp: the server offers %d functions. Models choose better among at most %d; name those that agents need in allowedTools.", offered, parley.MaxUsefulTools))
	}
	return warnings
}

func (a *API) toolRefreshOperation() {
	write(a, operation{method: http.MethodPost, path: "/api/v1/tools/{toolId}/refresh", id: "refreshTool", tag: "Tools", scope: parley.ScopeToolsWrite,
		summary: "Ask an MCP server again", description: "Reads what the server of a tool of kind mcp offers now, and says what is new, gone or changed. " +
			"The same happens by itself every ten minutes while agents use the tool. A server that cannot be asked is no error: `status` says why. " +
			"A tool of another kind has no server: 409.", refusals: []int{404, 409}}, a.refreshTool)
}

func (a *API) refreshTool(_ context.Context, orgID string, in *ToolPath) (effect[RefreshedTool], error) {
	if err := in.found(); err != nil {
		return nil, err
	}
	id := in.ToolID
	return func(ctx context.Context, tx *store.Tx) (reply[RefreshedTool], error) {
		t, err := a.openTool(ctx, tx, orgID, id)
		if err != nil {
			return refuse[RefreshedTool](err)
		}
		if t.MCP == nil {
			return refuse[RefreshedTool](parley.Errorf(parley.CodeConflict, "%s is of kind %s: only tools of kind mcp have a server to ask.", t.Name, t.Kind))
		}
		before, err := serverOf(ctx, &tx.Reader, t)
		if err != nil {
			return refuse[RefreshedTool](err)
		}
		r := reply[RefreshedTool]{data: compared(t, before, before), note: toolNote("refresh", t, nil, map[string]any{"url": t.MCP.URL})}
		r.after = func(ctx context.Context, r *reply[RefreshedTool]) {
			ctx, cancel := context.WithTimeout(ctx, refreshTime)
			defer cancel()
			m := a.ask(ctx, t)
			r.data = compared(t, before, m)
			if m.State == parley.MCPOK {
				r.warnings = doubtsOf(t, m)
			}
		}
		return r, nil
	}, nil
}

// compared tells what is new at a server.
func compared(t parley.Tool, before, now parley.MCPServer) RefreshedTool {
	if now.State == parley.MCPUnknown { // it has not answered
		now.Functions = before.Functions
	}
	was := map[string]parley.MCPFunction{}
	for _, f := range before.Functions {
		was[f.Name] = f
	}
	r := RefreshedTool{Functions: functionViews(t, now), Added: []string{}, Removed: []string{}, Changed: []string{}, Status: statusView(now)}
	for _, f := range now.Functions {
		old, known := was[f.Name]
		switch {
		case !known:
			r.Added = append(r.Added, f.Name)
		case old.Description != f.Description || old.Problem != f.Problem || !bytes.Equal(old.Parameters, f.Parameters):
			r.Changed = append(r.Changed, f.Name)
		}
		delete(was, f.Name)
	}
	r.Removed = append(r.Removed, slices.Sorted(maps.Keys(was))...)
	return r
}

// mcpInput documents the member mcp.
func (a *API) mcpInput(create bool) *huma.Schema {
	full := a.inline(reflect.TypeFor[MCPTool]())
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{},
		Description: "For kind mcp only: a server of the Model Context Protocol, reached by streamable HTTP. Templates {{secret.NAME}} and {{context.…}} fill header values. " +
			"In an update, members merge; headers are the full set, in which •••• keeps a hidden value as long as url names the same host."}
	url := *full.Properties["url"]
	url.Pattern = parley.ToolURLPattern
	url.Description = "http or https, without user name, password, fragment and templates. It is shown to everybody who may read tools."
	s.Properties["url"] = &url
	s.Properties["headers"] = a.httpInput(create).Properties["headers"]
	s.Properties["headers"].Description = "Not those of the connection or the protocol. The full set; null clears it."
	s.Properties["allowedTools"] = &huma.Schema{Type: huma.TypeArray, Nullable: true, MaxItems: ptr(parley.MaxMCPAllowed), Description: "Names of functions at the server that agents may use. Default: null, all of them.",
		Items: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxMCPName), Pattern: `\S`}}
	if create {
		s.Required = []string{"url"}
	}
	return s
}
