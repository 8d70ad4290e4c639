package api

import (
	"context"
	"net/http"
	"time"

	"parley"
)

type auditQuery struct {
	ResourceType string    `query:"resourceType" maxLength:"50" doc:"Only what was done to resources of this type, such as agent, tool, api_key or organization."`
	ResourceID   string    `query:"resourceId" maxLength:"100" doc:"Only what was done to this resource."`
	ActorID      string    `query:"actorId" maxLength:"100" doc:"Only what this API key did."`
	After        time.Time `query:"after" doc:"RFC 3339; this instant included."`
	Before       time.Time `query:"before" doc:"RFC 3339; this instant excluded."`
	Limit        int       `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to show."`
	Offset       int       `query:"offset" minimum:"0" default:"0" doc:"How many to pass over."`
}

// AuditLog is a page of audit entries, newest first.
type AuditLog struct {
	Entries    []parley.AuditEntry `json:"entries" nullable:"false"`
	Pagination Pagination          `json:"pagination"`
}

func (a *API) auditOperations() {
	read(a, operation{method: http.MethodGet, path: "/api/v1/audit-log", id: "listAuditLog", tag: "Audit log", scope: parley.ScopeAuditRead,
		summary: "List who did what", description: "Newest first. Entries are written in the transaction of what they tell of, and never change.", refusals: []int{400}}, a.listAudit)
}

func (a *API) listAudit(ctx context.Context, orgID string, in *auditQuery) (reply[AuditLog], error) {
	entries, total, err := a.opt.Store.ListAudit(ctx, orgID, parley.AuditFilter{ResourceType: in.ResourceType, ResourceID: in.ResourceID,
		ActorID: in.ActorID, After: in.After, Before: in.Before, Limit: in.Limit, Offset: in.Offset})
	return reply[AuditLog]{data: AuditLog{Entries: entries, Pagination: page(in.Limit, in.Offset, len(entries), total)}}, err
}
