package api

import (
	"context"
	"net/http"

	"parley"
)

func (a *API) organizationOperations() {
	route(a, operation{method: http.MethodGet, path: "/api/v1/organization", id: "getOrganization", tag: "Organization", scope: scopeAny,
		summary: "Get the organization of the key"}, a.getOrganization)
}

func (a *API) getOrganization(ctx context.Context, orgID string, _ *struct{}) (reply[parley.Organization], error) {
	org, err := a.opt.Store.FindOrganization(ctx, orgID)
	return reply[parley.Organization]{data: org}, err
}
