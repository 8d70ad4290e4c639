package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"parley"
	"parley/internal/origin"
	"parley/internal/store"
)

// Pagination says where a page stands in its list.
type Pagination struct {
	Limit   int  `json:"limit" doc:"As asked for." example:"50"`
	Offset  int  `json:"offset" doc:"As asked for."`
	Total   int  `json:"total" doc:"How many match in all; exact." example:"1"`
	HasMore bool `json:"hasMore" doc:"There is another page after this one."`
}

// CursorPagination is a Pagination that can also be followed by cursor.
type CursorPagination struct {
	Pagination
	NextCursor *string `json:"nextCursor" doc:"Send it as cursor, with the same filters and order, for the page after this one: as fast at any depth, and nothing is shown twice or left out when agents come and go meanwhile. Null on the last page."`
}

func page(limit, offset, shown, total int) Pagination {
	return Pagination{Limit: limit, Offset: offset, Total: total, HasMore: offset+shown < total}
}

// AgentPath names an agent.
type AgentPath struct {
	AgentID string `path:"agentId" doc:"The agent's id."`
}

type agentUpdate struct {
	AgentPath
	Precondition
	jsonBody
}

type agentDelete struct {
	AgentPath
	Precondition
}

type agentQuery struct {
	Type           string `query:"type" enum:"voice,chat" doc:"Only agents of this type."`
	Status         string `query:"status" enum:"active,inactive,training,deployed" doc:"Only agents of this status."`
	Search         string `query:"search" maxLength:"255" doc:"Part of the name; case does not matter."`
	IncludeDeleted bool   `query:"includeDeleted" doc:"Also list deleted agents."`
	Sort           string `query:"sort" enum:"createdAt,updatedAt,name" default:"createdAt" doc:"What to sort by; equal ones by id."`
	Order          string `query:"order" enum:"asc,desc" default:"desc" doc:"Ascending or descending."`
	Limit          int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to list at most."`
	Offset         int    `query:"offset" minimum:"0" default:"0" doc:"How many to skip."`
	Cursor         string `query:"cursor" minLength:"1" maxLength:"2048" doc:"The nextCursor of the page before; in place of offset."`
}

// filter returns what the query asks for.
func (q agentQuery) filter() (parley.AgentFilter, error) {
	f := parley.AgentFilter{
		Type: parley.AgentType(q.Type), Status: parley.AgentStatus(q.Status), Search: q.Search, IncludeDeleted: q.IncludeDeleted,
		Sort: q.Sort, Ascending: q.Order == "asc", Limit: q.Limit, Offset: q.Offset,
	}
	if q.Cursor == "" {
		return f, nil
	}
	if q.Offset != 0 {
		return f, parley.Invalid([]parley.FieldError{{Field: "offset", Message: "does not go with cursor. Send one of the two."}})
	}
	after, err := f.ParseCursor(q.Cursor)
	f.After = after
	return f, err
}

// AgentList is a page of agents.
type AgentList struct {
	Agents     []Agent          `json:"agents" nullable:"false" doc:"The page."`
	Pagination CursorPagination `json:"pagination"`
}

// Deleted confirms a deletion.
type Deleted struct {
	ID      string `json:"id" format:"uuid"`
	Deleted bool   `json:"deleted" enum:"true" doc:"Always true."`
}

func (a *API) agentOperations() {
	const path, one = "/api/v1/agents", "/api/v1/agents/{agentId}"
	example := map[string]any{"name": "Customer Support Agent", "type": "voice", "instructions": "You are a helpful customer support agent.",
		"config": map[string]any{"voice": "sage", "speed": 1.0, "interruptionThreshold": 0.5}, "toolIds": []string{"current_time"}}
	read(a, operation{method: http.MethodGet, path: path, id: "listAgents", tag: "Agents", scope: parley.ScopeAgentsRead,
		summary: "List agents", heavy: true}, a.listAgents)
	write(a, operation{method: http.MethodPost, path: path, id: "createAgent", etag: true, tag: "Agents", scope: parley.ScopeAgentsWrite, status: http.StatusCreated,
		summary: "Create an agent", body: a.agentBody(true), example: example, refusals: []int{409}}, a.createAgent)
	read(a, operation{method: http.MethodGet, path: one, id: "getAgent", etag: true, tag: "Agents", scope: parley.ScopeAgentsRead,
		summary: "Get an agent", refusals: []int{404}}, a.getAgent)
	write(a, operation{method: http.MethodPatch, path: one, id: "updateAgent", etag: true, conditional: true, tag: "Agents", scope: parley.ScopeAgentsWrite,
		summary: "Update an agent", description: "Absent members keep their value.", body: a.agentBody(false),
		example: map[string]any{"status": "inactive", "config": map[string]any{"speed": 1.2, "greeting": nil}}, refusals: []int{404, 409}}, a.updateAgent)
	write(a, operation{method: http.MethodDelete, path: one, id: "deleteAgent", conditional: true, tag: "Agents", scope: parley.ScopeAgentsWrite,
		summary: "Delete an agent", description: "It leaves lists and releases its numbers; its conversations stay readable.", refusals: []int{404}}, a.deleteAgent)
	write(a, operation{method: http.MethodPost, path: one + "/restore", id: "restoreAgent", etag: true, tag: "Agents", scope: parley.ScopeAgentsWrite,
		summary: "Restore a deleted agent", description: "It comes back as inactive, without phone numbers.", refusals: []int{404, 409}}, a.restoreAgent)
}

func (a *API) listAgents(ctx context.Context, orgID string, in *agentQuery) (reply[AgentList], error) {
	filter, err := in.filter()
	if err != nil {
		return refuse[AgentList](err)
	}
	found, err := a.opt.Store.ListAgents(ctx, orgID, filter)
	if err != nil {
		return refuse[AgentList](err)
	}
	var ids []string
	for _, g := range found.Agents {
		ids = append(ids, g.ToolIDs...)
	}
	slices.Sort(ids)
	known, err := a.opt.Store.FindTools(ctx, orgID, slices.Compact(ids))
	if err != nil {
		return refuse[AgentList](err)
	}
	list := AgentList{Agents: make([]Agent, len(found.Agents)), Pagination: CursorPagination{
		Pagination: Pagination{Limit: in.Limit, Offset: found.Offset, Total: found.Total, HasMore: found.Next != ""},
	}}
	if found.Next != "" {
		list.Pagination.NextCursor = &found.Next
	}
	for i, g := range found.Agents {
		list.Agents[i] = a.agentView(g, known)
	}
	return data(list)
}

func (a *API) createAgent(ctx context.Context, orgID string, in *jsonBody) (effect[Agent], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	agent, warnings, err := parley.NewAgent(orgID, fields, a.instant())
	if err != nil {
		return nil, a.hinted(ctx, &a.opt.Store.Reader, orgID, fields, err)
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Agent], error) {
		agent := agent // this may run twice
		known, err := tx.FindTools(ctx, orgID, agent.ToolIDs)
		if err != nil {
			return refuse[Agent](err)
		}
		ignored := agent.KeepTools(known)
		if err := tx.CreateAgent(ctx, orgID, agent); err != nil {
			return refuse[Agent](err)
		}
		blind, err := searchless(ctx, tx, agent)
		if err != nil {
			return refuse[Agent](err)
		}
		view := a.agentView(agent, known)
		return reply[Agent]{data: view, warnings: slices.Concat(warnings, ignored, blind, a.unpriced(agent), unmatched(agent), doubts(agent.PhoneNumbers...)), etag: agentTag(agent),
			note: agentNote("create", agent, nil, view), after: settles[Agent](a, orgID, agent.PhoneNumbers)}, nil
	}, nil
}

// unpriced warns when nobody can tell what the agent's calls cost although they may cost only so much.
func (a *API) unpriced(agent parley.Agent) []string {
	if agent.Voice == nil || agent.Voice.MaxCost == nil || a.opt.Priced == nil || a.opt.Priced(agent.Model) {
		return nil
	}
	return []string{"config.maxCost counts only the carrier and transcription, because this server knows no price of the model " + agent.Model + ". Add it to the price file (PARLEY_PRICES)."}
}

// searchless warns when the agent is given a web search that its organization has not set up.
func searchless(ctx context.Context, tx *store.Tx, agent parley.Agent) ([]string, error) {
	if !slices.Contains(agent.ToolIDs, parley.ToolWebSearch) {
		return nil, nil
	}
	c, err := tx.FindCredentials(ctx, agent.OrgID)
	if err != nil || c.WebSearch.Provider != "" {
		return nil, err
	}
	return []string{"web_search is not set up, so the model is not offered it. Set webSearch in PATCH /api/v1/organization."}, nil
}

// unmatched warns of names that no browser would ever send.
func unmatched(agent parley.Agent) (warnings []string) {
	if agent.Chat == nil {
		return nil
	}
	for i, entry := range agent.Chat.AllowedDomains {
		if !origin.Known(entry) {
			warnings = append(warnings, "config.allowedDomains["+strconv.Itoa(i)+"]: "+strconv.Quote(entry)+" is not a name that a website can have. It allows nothing.")
		}
	}
	return warnings
}

func (a *API) getAgent(ctx context.Context, orgID string, in *AgentPath) (reply[Agent], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return refuse[Agent](err)
	}
	agent, err := a.opt.Store.FindAgent(ctx, orgID, in.AgentID)
	if err != nil {
		return refuse[Agent](err)
	}
	known, err := a.opt.Store.FindTools(ctx, orgID, agent.ToolIDs)
	return reply[Agent]{data: a.agentView(agent, known), etag: agentTag(agent)}, err
}

func (a *API) updateAgent(_ context.Context, orgID string, in *agentUpdate) (effect[UpdatedAgent], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedAgent], error) {
		before, err := tx.FindAgent(ctx, orgID, in.AgentID)
		if err != nil {
			return refuse[UpdatedAgent](err)
		}
		if err := in.match(agentTag(before)); err != nil {
			return refuse[UpdatedAgent](err)
		}
		fields := body.Again() // this may run twice
		agent, warnings, err := before.Apply(fields, a.instant())
		if err != nil {
			return refuse[UpdatedAgent](a.hinted(ctx, &tx.Reader, orgID, body, err))
		}
		known, err := tx.FindTools(ctx, orgID, slices.Concat(before.ToolIDs, agent.ToolIDs))
		if err != nil {
			return refuse[UpdatedAgent](err)
		}
		if fields.Has("toolIds") {
			warnings = append(warnings, agent.KeepTools(known)...)
			blind, err := searchless(ctx, tx, agent)
			if err != nil {
				return refuse[UpdatedAgent](err)
			}
			warnings = append(warnings, blind...)
		}
		if fields.Has("config") || fields.Has("model") {
			warnings = append(append(warnings, a.unpriced(agent)...), unmatched(agent)...)
		}
		if err := tx.UpdateAgent(ctx, orgID, agent); err != nil {
			return refuse[UpdatedAgent](err)
		}
		view := a.agentView(agent, known)
		r := reply[UpdatedAgent]{data: UpdatedAgent{Agent: view, Updated: true}, message: "Agent updated successfully", warnings: warnings,
			etag: agentTag(agent), note: agentNote("update", agent, a.agentView(before, known), view)}
		if fields.Has("phoneNumbers") {
			r.warnings = append(r.warnings, doubts(added(before.PhoneNumbers, agent.PhoneNumbers)...)...)
			r.after = settles[UpdatedAgent](a, orgID, slices.Concat(agent.PhoneNumbers, added(agent.PhoneNumbers, before.PhoneNumbers)))
		}
		return r, nil
	}, nil
}

func (a *API) deleteAgent(_ context.Context, orgID string, in *agentDelete) (effect[Deleted], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Deleted], error) {
		before, err := tx.FindAgent(ctx, orgID, in.AgentID)
		if err != nil {
			return refuse[Deleted](err)
		}
		if err := in.match(agentTag(before)); err != nil {
			return refuse[Deleted](err)
		}
		known, err := tx.FindTools(ctx, orgID, before.ToolIDs)
		if err != nil {
			return refuse[Deleted](err)
		}
		err = tx.DeleteAgent(ctx, orgID, in.AgentID, a.instant())
		return reply[Deleted]{data: Deleted{ID: in.AgentID, Deleted: true}, message: "Agent deleted successfully",
			note: agentNote("delete", before, a.agentView(before, known), nil), after: settles[Deleted](a, orgID, before.PhoneNumbers)}, err
	}, nil
}

func (a *API) restoreAgent(_ context.Context, orgID string, in *AgentPath) (effect[Agent], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Agent], error) {
		before, err := tx.FindDeletedAgent(ctx, orgID, in.AgentID)
		if err != nil && !parley.IsNotFound(err) { // RestoreAgent tells what is not deleted from what never was
			return refuse[Agent](err)
		}
		agent, err := tx.RestoreAgent(ctx, orgID, in.AgentID, a.instant())
		if err != nil {
			return refuse[Agent](err)
		}
		known, err := tx.FindTools(ctx, orgID, agent.ToolIDs)
		if err != nil {
			return refuse[Agent](err)
		}
		view := a.agentView(agent, known)
		return reply[Agent]{data: view, message: "Agent restored successfully", etag: agentTag(agent), note: agentNote("restore", agent, a.agentView(before, known), view)}, nil
	}, nil
}

// agentTag is the ETag of an agent: it changes with every change of the agent itself.
func agentTag(g parley.Agent) string {
	return `"` + strconv.FormatInt(g.Revision, 10) + `"`
}

func agentNote(action string, g parley.Agent, before, after any) *note {
	return &note{action: action, resource: parley.AuditResource{Type: "agent", ID: g.ID, Name: g.Name}, before: before, after: after}
}
