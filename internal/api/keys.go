package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
)

type keyPath struct {
	KeyID string `path:"keyId" doc:"The key's id."`
}

// NewKey is a key at its creation: the only time that its text is shown.
type NewKey struct {
	parley.APIKey
	Key string `json:"key" doc:"Shown only now. Keep it like a password."`
}

// KeyList is every key of the organization, oldest first.
type KeyList struct {
	Keys []parley.APIKey `json:"apiKeys" nullable:"false"`
}

// Revoked confirms a revocation.
type Revoked struct {
	ID      string `json:"id" format:"uuid"`
	Revoked bool   `json:"revoked" enum:"true"`
}

// scopes are what a key may hold.
var scopes = []string{parley.ScopeAll, parley.ScopeAgentsRead, parley.ScopeAgentsWrite, parley.ScopeConversationsRead,
	parley.ScopeChat, parley.ScopeCalls, parley.ScopeKeysManage}

func (a *API) keyOperations() {
	words := make([]any, len(scopes))
	for i, s := range scopes {
		words[i] = s
	}
	body := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"name"}, Properties: map[string]*huma.Schema{
		"name": {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(100), Pattern: notBlank},
		"scopes": {Type: huma.TypeArray, MinItems: ptr(1), MaxItems: ptr(len(scopes)), Items: &huma.Schema{Type: huma.TypeString, Enum: words},
			Description: "Default: what the asking key holds. A key cannot give more than it has."},
	}}
	const path = "/api/v1/api-keys"
	op := operation{tag: "API keys", scope: parley.ScopeKeysManage}
	with := func(method, path, id, summary string) operation {
		o := op
		o.method, o.path, o.id, o.summary = method, path, id, summary
		return o
	}
	create := with(http.MethodPost, path, "createAPIKey", "Create an API key")
	create.status, create.body, create.example = http.StatusCreated, body, map[string]any{"name": "Website", "scopes": []string{parley.ScopeChat}}
	revoke := with(http.MethodDelete, path+"/{keyId}", "revokeAPIKey", "Revoke an API key")
	revoke.refusals = []int{404}
	route(a, create, a.createKey)
	route(a, with(http.MethodGet, path, "listAPIKeys", "List API keys"), a.listKeys)
	route(a, revoke, a.revokeKey)
}

func (a *API) createKey(ctx context.Context, orgID string, in *jsonBody) (reply[NewKey], error) {
	fields, err := in.fields()
	if err != nil {
		return refuse[NewKey](err)
	}
	who := auth.Principal(ctx)
	var name string
	granted := slices.Clone(who.Scopes)
	fields.Required("name")
	fields.Text("name", &name, 1, 100)
	fields.List("scopes", &granted, len(scopes), func(s string) string {
		if !slices.Contains(scopes, s) {
			return "must be one of " + strings.Join(scopes, ", ") + "."
		}
		return ""
	})
	if fields.Has("scopes") && len(granted) == 0 {
		fields.Fail("scopes", "must name at least one scope, or be absent.")
	}
	if err := fields.Done(); err != nil {
		return refuse[NewKey](err)
	}
	for _, s := range granted {
		if err := auth.Allow(who, s); err != nil {
			return refuse[NewKey](err)
		}
	}
	text := auth.NewKey()
	key := auth.Describe(orgID, name, text, granted, a.instant())
	err = a.write(ctx, func(tx *store.Tx) error { return tx.CreateAPIKey(ctx, orgID, key, auth.HashKey(text)) })
	return reply[NewKey]{data: NewKey{APIKey: key, Key: text}, message: "API key created. It is shown only now."}, err
}

func (a *API) listKeys(ctx context.Context, orgID string, _ *struct{}) (reply[KeyList], error) {
	keys, err := a.opt.Store.ListAPIKeys(ctx, orgID)
	return reply[KeyList]{data: KeyList{Keys: keys}}, err
}

func (a *API) revokeKey(ctx context.Context, orgID string, in *keyPath) (reply[Revoked], error) {
	if err := notFoundID(in.KeyID, "API key"); err != nil {
		return refuse[Revoked](err)
	}
	err := a.write(ctx, func(tx *store.Tx) error { return tx.RevokeAPIKey(ctx, orgID, in.KeyID, a.instant()) })
	return reply[Revoked]{data: Revoked{ID: in.KeyID, Revoked: true}, message: "API key revoked successfully"}, err
}
