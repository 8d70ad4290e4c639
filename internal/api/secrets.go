package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/store"
	"parley/internal/tool"
)

// Secret is what is shown of a stored credential: never its value.
type Secret struct {
	Name      string    `json:"name" pattern:"^[a-zA-Z][a-zA-Z0-9_]{0,63}$" doc:"How tools refer to it: {{secret.NAME}}." example:"SHOP_TOKEN"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt" doc:"When its value was last given."`
}

// UsedSecret is a secret with the tools that refer to it.
type UsedSecret struct {
	Secret
	Tools []SecretUse `json:"tools" nullable:"false" doc:"The tools that refer to it."`
}

// SecretUse is a tool that refers to a secret.
type SecretUse struct {
	ID   string `json:"id" format:"uuid"`
	Name string `json:"name" example:"Look up order" doc:"For people."`
}

// SecretList is all secrets of an organization.
type SecretList struct {
	Secrets []UsedSecret `json:"secrets" nullable:"false" doc:"At most 1,000, by name."`
}

// SecretDeleted confirms that a secret is gone.
type SecretDeleted struct {
	Name    string `json:"name" example:"SHOP_TOKEN" doc:"How it was called."`
	Deleted bool   `json:"deleted" enum:"true" doc:"Always true."`
}

// SecretPath names a secret.
type SecretPath struct {
	SecretName string `path:"secretName" pattern:"^[a-zA-Z][a-zA-Z0-9_]{0,63}$" doc:"A letter, then up to 63 letters, digits and _. Case matters." example:"SHOP_TOKEN"`
}

type secretPut struct {
	SecretPath
	jsonBody
}

func (a *API) secretOperations() {
	const path, one = "/api/v1/secrets", "/api/v1/secrets/{secretName}"
	value := &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxSecret), Pattern: notBlank,
		AllOf:       []*huma.Schema{{Pattern: parley.SecretValuePattern}},
		Description: "The credential. It is kept sealed and never shown again."}
	body := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"value"}, Properties: map[string]*huma.Schema{"value": value}}
	read(a, operation{method: http.MethodGet, path: path, id: "listSecrets", tag: "Secrets", scope: parley.ScopeToolsRead, heavy: true,
		summary: "List secrets", description: "By name, with the tools that refer to each. No answer ever shows a value."}, a.listSecrets)
	write(a, operation{method: http.MethodPut, path: one, id: "putSecret", tag: "Secrets", scope: parley.ScopeToolsWrite,
		summary:     "Store a secret",
		description: "Makes the secret, or replaces its value; tools use the new one from their next call on. More than 1,000 secrets in one organization are a conflict.",
		body:        body, example: map[string]any{"value": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"}, refusals: []int{404, 409}}, a.putSecret)
	write(a, operation{method: http.MethodDelete, path: one, id: "deleteSecret", tag: "Secrets", scope: parley.ScopeToolsWrite, heavy: true,
		summary: "Delete a secret", description: "Tools that still refer to it fail until it is stored again; warnings name them.", refusals: []int{404}}, a.deleteSecret)
}

func (a *API) listSecrets(ctx context.Context, orgID string, _ *struct{}) (reply[SecretList], error) {
	secrets, err := a.opt.Store.ListSecrets(ctx, orgID)
	if err != nil {
		return refuse[SecretList](err)
	}
	list := SecretList{Secrets: make([]UsedSecret, len(secrets))}
	if len(secrets) == 0 {
		return data(list)
	}
	uses, err := a.secretUses(ctx, &a.opt.Store.Reader, orgID)
	for i, s := range secrets {
		list.Secrets[i] = UsedSecret{Secret: secretView(s), Tools: append([]SecretUse{}, uses[s.Name]...)}
	}
	return reply[SecretList]{data: list}, err
}

func (a *API) putSecret(_ context.Context, orgID string, in *secretPut) (effect[Secret], error) {
	name := strings.Clone(in.SecretName)
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	value, err := parley.SecretValue(fields)
	if err != nil {
		return nil, err
	}
	sealed := a.opt.Ring.Seal(store.SecretAAD(orgID, name), []byte(value))
	now := a.instant()
	return func(ctx context.Context, tx *store.Tx) (reply[Secret], error) {
		s, created, err := tx.PutSecret(ctx, orgID, name, sealed, now)
		r := reply[Secret]{data: secretView(s), message: "Secret replaced", note: secretNote("update", name, parley.Mask, parley.Mask+" (new)")}
		if created {
			r.message, r.note = "Secret stored", secretNote("create", name, "", parley.Mask)
		}
		return r, err
	}, nil
}

func (a *API) deleteSecret(ctx context.Context, orgID string, in *SecretPath) (effect[SecretDeleted], error) {
	name := strings.Clone(in.SecretName)
	uses, err := a.secretUses(ctx, &a.opt.Store.Reader, orgID) // for a warning: outside the transaction
	if err != nil {
		return nil, err
	}
	var warnings []string
	if used := uses[name]; len(used) > 0 {
		names := make([]string, len(used))
		for i, u := range used {
			names[i] = u.Name
		}
		warnings = []string{"These tools refer to the secret and fail until it is stored again: " + strings.Join(names, ", ") + "."}
	}
	return func(ctx context.Context, tx *store.Tx) (reply[SecretDeleted], error) {
		return reply[SecretDeleted]{data: SecretDeleted{Name: name, Deleted: true}, message: "Secret deleted", warnings: warnings,
			note: secretNote("delete", name, parley.Mask, "")}, tx.DeleteSecret(ctx, orgID, name)
	}, nil
}

// secretUses tells which tools refer to which secret. It reads all tools of the organization, of which there are
// at most parley.MaxTools: a list of its own would have to be right after every change of a tool.
func (a *API) secretUses(ctx context.Context, r *store.Reader, orgID string) (map[string][]SecretUse, error) {
	sealed, _, err := r.ListTools(ctx, orgID, parley.ToolFilter{Sort: "name", Ascending: true})
	if err != nil {
		return nil, err
	}
	uses := map[string][]SecretUse{}
	for _, s := range sealed {
		t, err := tool.Open(a.opt.Ring, s)
		if err != nil {
			return nil, err
		}
		for _, name := range t.SecretNames() {
			uses[name] = append(uses[name], SecretUse{ID: t.ID, Name: t.Name})
		}
	}
	return uses, nil
}

func secretView(s parley.Secret) Secret {
	return Secret{Name: s.Name, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
}

// secretNote tells of a change without the value: before and after only show that there was one.
func secretNote(action, name, before, after string) *note {
	shown := func(mask string) any {
		if mask == "" {
			return nil
		}
		return map[string]string{"value": mask}
	}
	return &note{action: action, resource: parley.AuditResource{Type: "secret", ID: name, Name: name}, before: shown(before), after: shown(after)}
}
