package api

import (
	"context"
	"net/http"

	"parley"
	"parley/internal/store"
	"parley/internal/tool"
)

// ToolPath names a tool.
type ToolPath struct {
	ToolID string `path:"toolId" doc:"The tool's id, of a built-in one its slug."`
}

// found answers an id that no tool can have like an unknown one.
func (p ToolPath) found() error {
	if _, ok := parley.BuiltinTool(p.ToolID); ok {
		return nil
	}
	return notFoundID(p.ToolID, "Tool")
}

// own is found for operations that change a tool. That a built-in tool is part of the server is a conflict, not
// a question of the key: no other key could change it.
func (p ToolPath) own() error {
	if t, ok := parley.BuiltinTool(p.ToolID); ok {
		return parley.Errorf(parley.CodeConflict, "%s is a built-in tool: it is part of the server and cannot be changed or deleted.", t.Name)
	}
	return p.found()
}

type toolUpdate struct {
	ToolPath
	jsonBody
}

type toolQuery struct {
	Kind     string `query:"kind" enum:"builtin,http,mcp,client" doc:"Only tools of this kind."`
	Category string `query:"category" maxLength:"100" doc:"Exactly this category."`
	Search   string `query:"search" maxLength:"255" doc:"Part of the name; case does not matter."`
	Sort     string `query:"sort" enum:"createdAt,updatedAt,name" default:"createdAt" doc:"What to sort by; equal ones by id. Built-in tools are older than all others."`
	Order    string `query:"order" enum:"asc,desc" default:"desc" doc:"Ascending or descending."`
	Limit    int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset   int    `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
}

// ToolList is a page of tools.
type ToolList struct {
	Tools      []Tool     `json:"tools" nullable:"false"`
	Pagination Pagination `json:"pagination"`
}

func (a *API) toolOperations() {
	const path, one = "/api/v1/tools", "/api/v1/tools/{toolId}"
	example := map[string]any{"name": "Look up order", "kind": "http", "description": "Tells state and delivery date of an order.",
		"parameters": map[string]any{"type": "object", "properties": map[string]any{"orderId": map[string]any{"type": "string"}}, "required": []string{"orderId"}},
		"http": map[string]any{"method": "GET", "url": "https://shop.example.com/orders/{{args.orderId}}",
			"headers": map[string]any{"Authorization": "Bearer {{secret.SHOP_TOKEN}}"}, "resultPath": "/order"}}
	read(a, operation{method: http.MethodGet, path: path, id: "listTools", tag: "Tools", scope: parley.ScopeToolsRead,
		summary: "List tools", description: "The organization's own and the built-in ones.", refusals: []int{400}}, a.listTools)
	write(a, operation{method: http.MethodPost, path: path, id: "createTool", tag: "Tools", scope: parley.ScopeToolsWrite, status: http.StatusCreated,
		summary: "Create a tool", description: "A taken functionName is a conflict, and so is more than 1,000 tools in one organization.",
		body: a.toolInput(true), example: example, refusals: []int{409}}, a.createTool)
	read(a, operation{method: http.MethodGet, path: one, id: "getTool", tag: "Tools", scope: parley.ScopeToolsRead,
		summary: "Get a tool", refusals: []int{404}}, a.getTool)
	write(a, operation{method: http.MethodPatch, path: one, id: "updateTool", tag: "Tools", scope: parley.ScopeToolsWrite,
		summary: "Update a tool", description: "Absent members keep their value, null resets one to its default. A built-in tool cannot be changed: 409.",
		body: a.toolInput(false), example: map[string]any{"http": map[string]any{"timeoutSeconds": 20}, "confirm": true}, refusals: []int{404, 409}}, a.updateTool)
	write(a, operation{method: http.MethodDelete, path: one, id: "deleteTool", tag: "Tools", scope: parley.ScopeToolsWrite,
		summary: "Delete a tool", description: "Agents lose it at once. A built-in tool cannot be deleted: 409.", refusals: []int{404, 409}}, a.deleteTool)
	a.toolTestOperation()
	a.toolRefreshOperation()
}

func (a *API) listTools(ctx context.Context, orgID string, in *toolQuery) (reply[ToolList], error) {
	tools, total, err := a.opt.Store.ListTools(ctx, orgID, parley.ToolFilter{
		Kind: parley.ToolKind(in.Kind), Category: in.Category, Search: in.Search,
		Sort: in.Sort, Ascending: in.Order == "asc", Limit: in.Limit, Offset: in.Offset,
	})
	if err != nil {
		return refuse[ToolList](err)
	}
	list := ToolList{Tools: make([]Tool, len(tools)), Pagination: page(in.Limit, in.Offset, len(tools), total)}
	var ofMCP []string
	for _, t := range tools {
		if t.MCP != nil {
			ofMCP = append(ofMCP, t.ID)
		}
	}
	servers, err := a.opt.Store.FindMCPServers(ctx, orgID, ofMCP)
	if err != nil {
		return refuse[ToolList](err)
	}
	for i, sealed := range tools {
		t, err := tool.Open(a.opt.Ring, sealed)
		if err != nil {
			return refuse[ToolList](err)
		}
		list.Tools[i] = toolView(t)
		list.Tools[i].show(t, servers[t.ID], false)
	}
	return data(list)
}

func (a *API) createTool(_ context.Context, orgID string, in *jsonBody) (effect[Tool], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	t, warnings, err := parley.NewTool(orgID, fields, a.instant(), tool.CheckSchema)
	if err != nil {
		return nil, err
	}
	if w := a.opt.Tools.AddressWarning(t); w != "" {
		warnings = append(warnings, w)
	}
	sealed, err := tool.Seal(a.opt.Ring, t)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Tool], error) {
		err := tx.CreateTool(ctx, orgID, sealed)
		view := toolView(t)
		r := reply[Tool]{data: view, warnings: warnings, note: toolNote("create", t, nil, view)}
		if t.MCP != nil {
			r.after = func(ctx context.Context, r *reply[Tool]) {
				r.warnings = append(r.warnings, a.discover(ctx, t, &r.data)...)
			}
		}
		return r, err
	}, nil
}

func (a *API) getTool(ctx context.Context, orgID string, in *ToolPath) (reply[Tool], error) {
	if err := in.found(); err != nil {
		return refuse[Tool](err)
	}
	sealed, err := a.opt.Store.FindTool(ctx, orgID, in.ToolID)
	if err != nil {
		return refuse[Tool](err)
	}
	t, err := tool.Open(a.opt.Ring, sealed)
	if err != nil {
		return refuse[Tool](err)
	}
	m, err := serverOf(ctx, &a.opt.Store.Reader, t)
	if err != nil {
		return refuse[Tool](err)
	}
	view := toolView(t)
	view.show(t, m, true)
	return data(view)
}

func (a *API) updateTool(_ context.Context, orgID string, in *toolUpdate) (effect[UpdatedTool], error) {
	if err := in.own(); err != nil {
		return nil, err
	}
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedTool], error) {
		before, err := a.openTool(ctx, tx, orgID, in.ToolID)
		if err != nil {
			return refuse[UpdatedTool](err)
		}
		fields := body.Again() // this may run twice
		t, warnings, err := before.Apply(fields, a.instant(), tool.CheckSchema)
		if err != nil {
			return refuse[UpdatedTool](err)
		}
		if w := a.opt.Tools.AddressWarning(t); w != "" {
			warnings = append(warnings, w)
		}
		sealed, err := tool.Seal(a.opt.Ring, t)
		if err != nil {
			return refuse[UpdatedTool](err)
		}
		if err := tx.UpdateTool(ctx, orgID, sealed); err != nil {
			return refuse[UpdatedTool](err)
		}
		r := reply[UpdatedTool]{data: UpdatedTool{Tool: toolView(t), Updated: true}, message: "Tool updated successfully", warnings: warnings,
			note: toolNote("update", t, toolView(before), changedView(before, t))}
		return a.rediscover(ctx, tx, before, t, r)
	}, nil
}

// rediscover shows what is known of the server of a changed tool. One that is reached otherwise now is asked anew.
func (a *API) rediscover(ctx context.Context, tx *store.Tx, before, t parley.Tool, r reply[UpdatedTool]) (reply[UpdatedTool], error) {
	if t.MCP == nil {
		return r, nil
	}
	if t.MCP.Same(before.MCP) {
		m, err := serverOf(ctx, &tx.Reader, t)
		r.data.show(t, m, true)
		return r, err
	}
	if t.MCP.URL != before.MCP.URL {
		if err := tx.ForgetMCPServer(ctx, t.OrgID, t.ID); err != nil {
			return r, err
		}
	}
	r.after = func(ctx context.Context, r *reply[UpdatedTool]) {
		r.warnings = append(r.warnings, a.discover(ctx, t, &r.data.Tool)...)
	}
	return r, nil
}

func (a *API) deleteTool(_ context.Context, orgID string, in *ToolPath) (effect[Deleted], error) {
	if err := in.own(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Deleted], error) {
		before, err := a.openTool(ctx, tx, orgID, in.ToolID)
		if err != nil {
			return refuse[Deleted](err)
		}
		err = tx.DeleteTool(ctx, orgID, in.ToolID)
		return reply[Deleted]{data: Deleted{ID: in.ToolID, Deleted: true}, message: "Tool deleted successfully",
			note: toolNote("delete", before, toolView(before), nil)}, err
	}, nil
}

func (a *API) openTool(ctx context.Context, tx *store.Tx, orgID, id string) (parley.Tool, error) {
	sealed, err := tx.FindTool(ctx, orgID, id)
	if err != nil {
		return parley.Tool{}, err
	}
	return tool.Open(a.opt.Ring, sealed)
}

func toolNote(action string, t parley.Tool, before, after any) *note {
	return &note{action: action, resource: parley.AuditResource{Type: "tool", ID: t.ID, Name: t.Name}, before: before, after: after}
}
