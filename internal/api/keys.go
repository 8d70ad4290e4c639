package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
)

// KeyPath names an API key.
type KeyPath struct {
	KeyID string `path:"keyId" doc:"The key's id."`
}

type keyChange struct {
	KeyPath
	jsonBody
}

type keyQuery struct {
	Limit  int `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many to show."`
	Offset int `query:"offset" minimum:"0" default:"0" doc:"How many to pass over."`
}

// NewKey is a key at its creation: the only time that its text is shown.
type NewKey struct {
	parley.APIKey
	Key string `json:"key" doc:"Shown only now. Keep it like a password." example:"pk_live_…"`
}

// UpdatedKey is the answer to a PATCH.
type UpdatedKey struct {
	parley.APIKey
	Updated bool `json:"updated" enum:"true"`
}

// KeyList is a page of the organization's keys, oldest first.
type KeyList struct {
	Keys       []parley.APIKey `json:"apiKeys" nullable:"false"`
	Pagination Pagination      `json:"pagination"`
}

// Revoked confirms a revocation.
type Revoked struct {
	ID      string `json:"id" format:"uuid"`
	Revoked bool   `json:"revoked" enum:"true"`
}

func (a *API) keyOperations() {
	const path, one = "/api/v1/api-keys", "/api/v1/api-keys/{keyId}"
	op := func(method, path, id, summary string) operation {
		return operation{method: method, path: path, id: id, summary: summary, tag: "API keys", scope: parley.ScopeKeysManage, forgets: method != http.MethodGet}
	}
	create := op(http.MethodPost, path, "createAPIKey", "Create an API key")
	create.description = "The key is in the answer, and nowhere else afterwards."
	create.status, create.secret, create.body = http.StatusCreated, true, keyBody(true)
	create.example = map[string]any{"name": "Website", "description": "The chat on our home page", "scopes": []string{parley.ScopeChat}}
	list := op(http.MethodGet, path, "listAPIKeys", "List API keys")
	get := op(http.MethodGet, one, "getAPIKey", "Get an API key")
	get.refusals = []int{404}
	update := op(http.MethodPatch, one, "updateAPIKey", "Rename or describe an API key")
	update.description = "A key's rights never change: create another one instead."
	update.refusals, update.body, update.example = []int{404}, keyBody(false), map[string]any{"description": "Used by the booking form"}
	rotate := op(http.MethodPost, one+"/rotate", "rotateAPIKey", "Rotate an API key")
	rotate.description = "Makes a new key with the same name and scopes. The old one goes on working for the overlap, so that you can replace it without a gap."
	rotate.status, rotate.secret, rotate.body, rotate.refusals = http.StatusCreated, true, rotateBody(), []int{404, 409}
	rotate.example = map[string]any{"overlapSeconds": 3600}
	revoke := op(http.MethodDelete, one, "revokeAPIKey", "Revoke an API key")
	revoke.description = "It stops working within a second, on every node. Revoking again changes nothing."
	revoke.refusals = []int{404}
	write(a, create, a.createKey)
	read(a, list, a.listKeys)
	read(a, get, a.getKey)
	write(a, update, a.updateKey)
	write(a, rotate, a.rotateKey)
	write(a, revoke, a.revokeKey)
}

func keyBody(create bool) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"name":        {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxKeyName), Pattern: notBlank, Description: "For people, to recognize it."},
		"description": {Type: huma.TypeString, MaxLength: ptr(parley.MaxKeyDescription), Description: "What it is for."},
	}}
	if !create {
		return s
	}
	words := make([]any, len(parley.Scopes))
	for i, scope := range parley.Scopes {
		words[i] = scope
	}
	s.Required = []string{"name"}
	s.Properties["scopes"] = &huma.Schema{Type: huma.TypeArray, MinItems: ptr(1), MaxItems: ptr(len(words)), Items: &huma.Schema{Type: huma.TypeString, Enum: words},
		Description: "Default: what the asking key holds. A key cannot give more than it has."}
	s.Properties["expiresAt"] = expirySchema()
	return s
}

func rotateBody() *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"overlapSeconds": {Type: huma.TypeInteger, Minimum: ptr(0.0), Maximum: ptr(parley.MaxKeyOverlap.Seconds()), Default: int(parley.DefaultKeyOverlap.Seconds()),
			Description: "How long the old key goes on working."},
		"expiresAt": expirySchema(),
	}}
}

func expirySchema() *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true,
		Description: "When the key ends; null = never. Default: no end, or the end of the asking key, which it cannot outlive."}
}

func (a *API) createKey(ctx context.Context, orgID string, in *jsonBody) (effect[NewKey], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	asked, err := parley.NewKeyRequest(fields, auth.Principal(ctx), a.instant())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[NewKey], error) {
		made, err := a.makeKey(ctx, tx, orgID, asked)
		return reply[NewKey]{data: made, message: "API key created. It is shown only now.", note: keyNote("create", made.APIKey, nil, made.APIKey)}, err
	}, nil
}

// makeKey stores a new key.
func (a *API) makeKey(ctx context.Context, tx *store.Tx, orgID string, asked parley.KeyRequest) (NewKey, error) {
	text := auth.NewKey()
	key := auth.Describe(orgID, asked.Name, text, asked.Scopes, a.instant())
	key.Description, key.ExpiresAt = asked.Description, asked.ExpiresAt
	return NewKey{APIKey: key, Key: text}, tx.CreateAPIKey(ctx, orgID, key, auth.HashKey(text))
}

func (a *API) listKeys(ctx context.Context, orgID string, in *keyQuery) (reply[KeyList], error) {
	keys, total, err := a.opt.Store.ListAPIKeys(ctx, orgID, in.Limit, in.Offset)
	return reply[KeyList]{data: KeyList{Keys: keys, Pagination: page(in.Limit, in.Offset, len(keys), total)}}, err
}

func (a *API) getKey(ctx context.Context, orgID string, in *KeyPath) (reply[parley.APIKey], error) {
	if err := notFoundID(in.KeyID, "API key"); err != nil {
		return refuse[parley.APIKey](err)
	}
	key, err := a.opt.Store.FindAPIKey(ctx, orgID, in.KeyID)
	return reply[parley.APIKey]{data: key}, err
}

func (a *API) updateKey(_ context.Context, orgID string, in *keyChange) (effect[UpdatedKey], error) {
	if err := notFoundID(in.KeyID, "API key"); err != nil {
		return nil, err
	}
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedKey], error) {
		fields := body.Again() // this may run twice
		before, err := tx.FindAPIKey(ctx, orgID, in.KeyID)
		if err != nil {
			return refuse[UpdatedKey](err)
		}
		key, err := before.Apply(fields)
		if err != nil {
			return refuse[UpdatedKey](err)
		}
		err = tx.UpdateAPIKey(ctx, orgID, key)
		return reply[UpdatedKey]{data: UpdatedKey{APIKey: key, Updated: true}, message: "API key updated successfully",
			note: keyNote("update", key, before, key)}, err
	}, nil
}

// rotateKey makes the new key and sets the end of the old one, together.
func (a *API) rotateKey(ctx context.Context, orgID string, in *keyChange) (effect[NewKey], error) {
	if err := notFoundID(in.KeyID, "API key"); err != nil {
		return nil, err
	}
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	who := auth.Principal(ctx)
	return func(ctx context.Context, tx *store.Tx) (reply[NewKey], error) {
		fields := body.Again() // this may run twice
		before, err := tx.FindAPIKey(ctx, orgID, in.KeyID)
		if err != nil {
			return refuse[NewKey](err)
		}
		now := a.instant()
		asked, err := before.Rotate(fields, who, now)
		if err != nil {
			return refuse[NewKey](err)
		}
		made, err := a.makeKey(ctx, tx, orgID, asked.KeyRequest)
		if err != nil {
			return refuse[NewKey](err)
		}
		old := before
		old.ReplacedBy = &made.ID
		if end := now.Add(asked.Overlap); old.ExpiresAt == nil || end.Before(*old.ExpiresAt) {
			old.ExpiresAt = &end
		}
		err = tx.UpdateAPIKey(ctx, orgID, old)
		return reply[NewKey]{data: made, message: "API key rotated. The new one is shown only now; the old one works until " + old.ExpiresAt.Format(time.RFC3339) + ".",
			note: keyNote("rotate", before, before, old)}, err
	}, nil
}

func (a *API) revokeKey(_ context.Context, orgID string, in *KeyPath) (effect[Revoked], error) {
	if err := notFoundID(in.KeyID, "API key"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[Revoked], error) {
		before, err := tx.FindAPIKey(ctx, orgID, in.KeyID)
		if err != nil {
			return refuse[Revoked](err)
		}
		now := a.instant()
		err = tx.RevokeAPIKey(ctx, orgID, in.KeyID, now)
		return reply[Revoked]{data: Revoked{ID: in.KeyID, Revoked: true}, message: "API key revoked successfully", note: keyNote("revoke", before, before, before.Revoked(now))}, err
	}, nil
}

func keyNote(action string, k parley.APIKey, before, after any) *note {
	return &note{action: action, resource: parley.AuditResource{Type: "api_key", ID: k.ID, Name: k.Name}, before: before, after: after}
}
