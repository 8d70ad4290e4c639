package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
)

// Organization is an organization on the wire. Secrets are write-only: of each, the last four characters show
// which one it is.
type Organization struct {
	ID        string     `json:"id" format:"uuid"`
	Name      string     `json:"name" minLength:"1" maxLength:"255" example:"Example Ltd"`
	Limits    Limits     `json:"limits"`
	OpenAI    *OpenAI    `json:"openai,omitempty" doc:"The organization's own account at the model provider. Only for keys with organization:manage."`
	Twilio    *Twilio    `json:"twilio,omitempty" doc:"The organization's own account at the carrier. Only for keys with organization:manage."`
	WebSearch *WebSearch `json:"webSearch,omitempty" doc:"Where agents search the web. Only for keys with organization:manage."`
	CreatedAt time.Time  `json:"createdAt"`
}

// UpdatedOrganization is the answer to a PATCH.
type UpdatedOrganization struct {
	Organization
	Updated bool `json:"updated" enum:"true"`
}

// Limits are an organization's limits in force.
type Limits struct {
	RequestsPerMinute    int `json:"requestsPerMinute" doc:"The rate limit in force. That many requests may come at once." example:"600"`
	MaxRequestsPerMinute int `json:"maxRequestsPerMinute" doc:"The most that the organization can choose; the operator of the server grants it." example:"600"`
}

// OpenAI shows the organization's account at the model provider.
type OpenAI struct {
	APIKeyLast4 *string `json:"apiKeyLast4" doc:"Null: the server's own key is used."`
}

// Twilio shows the organization's account at the carrier.
type Twilio struct {
	AccountSID     *string `json:"accountSid" doc:"Null: the server's own account is used."`
	AuthTokenLast4 *string `json:"authTokenLast4" doc:"Null: the server's own token is used."`
}

// WebSearch shows where agents search the web.
type WebSearch struct {
	Provider    *string `json:"provider" doc:"Whose protocol the search service speaks: searxng, brave or tavily. Null: agents cannot search the web." example:"brave"`
	URL         *string `json:"url" doc:"Where searches go. Null: nowhere." example:"https://api.search.brave.com/res/v1/web/search"`
	APIKeyLast4 *string `json:"apiKeyLast4" doc:"Null: there is none."`
}

func (a *API) organizationOperations() {
	const path = "/api/v1/organization"
	read(a, operation{method: http.MethodGet, path: path, id: "getOrganization", tag: "Organization", scope: scopeAny,
		summary: "Get the organization of the key"}, a.getOrganization)
	nullable := func(doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(512), Nullable: true, Pattern: `^[\x21-\x7E]+$`, Description: doc}
	}
	object := func(doc string, members map[string]*huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Description: doc, Properties: members}
	}
	sid := nullable("Of a Twilio account: AC and 32 hexadecimal digits. Null removes it.")
	sid.Pattern = `^AC[0-9a-fA-F]{32}$`
	body := object("", map[string]*huma.Schema{
		"name": {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxOrganizationName), Pattern: notBlank, Description: "For people."},
		"limits": object("Limits that the organization sets itself.", map[string]*huma.Schema{
			"requestsPerMinute": {Type: huma.TypeInteger, Minimum: ptr(1.0), Maximum: ptr(float64(parley.MaxRequestsPerMinute)), Nullable: true, Description: "At most limits.maxRequestsPerMinute; null resets it to that."},
		}),
		"openai": object("Write-only; kept sealed.", map[string]*huma.Schema{"apiKey": nullable("Used in place of the server's key. Null removes it.")}),
		"twilio": object("Write-only; kept sealed. An account SID needs its auth token.", map[string]*huma.Schema{
			"accountSid": sid, "authToken": nullable("Verifies Twilio's requests and signs ours. Null removes it."),
		}),
	})
	address := &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(parley.MaxWebAddress), Nullable: true, Pattern: parley.WebAddressPattern,
		Description: "Where searches go; needed for searxng. Null resets it to the provider's own. Another address needs the key again."}
	search := object("Where the tool web_search looks. Another provider begins anew; null removes it.", map[string]*huma.Schema{
		"provider": {Type: huma.TypeString, Enum: []any{"searxng", "brave", "tavily", nil}, Nullable: true, Description: "Whose protocol the service speaks. Null removes everything."},
		"url":      address, "apiKey": nullable("Write-only; kept sealed. Needed for brave and tavily."),
	})
	search.Nullable = true
	body.Properties["webSearch"] = search
	write(a, operation{method: http.MethodPatch, path: path, id: "updateOrganization", tag: "Organization", scope: parley.ScopeOrganizationManage,
		summary: "Update the organization", description: "Absent members keep their value. Secrets are never shown again; answers show their last four characters.",
		body: body, example: map[string]any{"name": "Acme Support", "openai": map[string]any{"apiKey": "sk-proj-0123456789"}}, forgets: true}, a.updateOrganization)
}

func (a *API) getOrganization(ctx context.Context, orgID string, _ *struct{}) (reply[Organization], error) {
	org, err := a.opt.Store.FindOrganization(ctx, orgID)
	if err != nil {
		return refuse[Organization](err)
	}
	c, err := a.credentials(ctx, &a.opt.Store.Reader, orgID)
	view := a.organizationView(org, c)
	if !auth.Principal(ctx).Can(parley.ScopeOrganizationManage) {
		view.OpenAI, view.Twilio, view.WebSearch = nil, nil, nil
	}
	return reply[Organization]{data: view}, err
}

func (a *API) updateOrganization(_ context.Context, orgID string, in *jsonBody) (effect[UpdatedOrganization], error) {
	body, err := in.fields()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[UpdatedOrganization], error) {
		fields := body.Again() // this may run twice
		before, err := tx.FindOrganization(ctx, orgID)
		if err != nil {
			return refuse[UpdatedOrganization](err)
		}
		had, err := a.credentials(ctx, &tx.Reader, orgID)
		if err != nil {
			return refuse[UpdatedOrganization](err)
		}
		org, has, err := before.Apply(had, fields, a.opt.RateLimit)
		if err != nil {
			return refuse[UpdatedOrganization](err)
		}
		if err := tx.UpdateOrganization(ctx, orgID, org); err != nil {
			return refuse[UpdatedOrganization](err)
		}
		if has != had {
			if err := tx.SetCredentials(ctx, orgID, a.seal(orgID, has)); err != nil {
				return refuse[UpdatedOrganization](err)
			}
		}
		old, view := a.organizationView(before, had), a.organizationView(org, has)
		return reply[UpdatedOrganization]{data: UpdatedOrganization{Organization: view, Updated: true}, message: "Organization updated successfully",
			note: &note{action: "update", resource: parley.AuditResource{Type: "organization", ID: orgID, Name: org.Name}, before: secretsChanged(old, had, has, false), after: secretsChanged(view, had, has, true)}}, nil
	}, nil
}

// auditedOrganization also tells of a secret that was replaced by one with the same end.
type auditedOrganization struct {
	Organization
	Replaced map[string]bool `json:"replaced"`
}

func secretsChanged(o Organization, had, has parley.Credentials, after bool) auditedOrganization {
	replaced := map[string]bool{}
	for name, changed := range map[string]bool{"openai.apiKey": had.OpenAIKey != has.OpenAIKey, "twilio.authToken": had.TwilioAuthToken != has.TwilioAuthToken,
		"webSearch.apiKey": had.WebSearch.APIKey != has.WebSearch.APIKey} {
		if changed {
			replaced[name] = after
		}
	}
	return auditedOrganization{Organization: o, Replaced: replaced}
}

func (a *API) organizationView(o parley.Organization, c parley.Credentials) Organization {
	v := Organization{ID: o.ID, Name: o.Name, CreatedAt: o.CreatedAt,
		Limits: Limits{RequestsPerMinute: o.RateLimit(a.opt.RateLimit), MaxRequestsPerMinute: o.GrantedLimit(a.opt.RateLimit)},
		OpenAI: &OpenAI{APIKeyLast4: last4(c.OpenAIKey)}, Twilio: &Twilio{AuthTokenLast4: last4(c.TwilioAuthToken)}}
	if c.TwilioAccountSID != "" {
		v.Twilio.AccountSID = &c.TwilioAccountSID
	}
	v.WebSearch = &WebSearch{Provider: textOrNull(string(c.WebSearch.Provider)), URL: textOrNull(c.WebSearch.Address()), APIKeyLast4: last4(c.WebSearch.APIKey)}
	return v
}

// last4 shows which secret it is. Of a secret that is too short for that, it shows nothing but that there is one.
func last4(secret string) *string {
	switch {
	case secret == "":
		return nil
	case len(secret) < 12:
		return ptr("••••")
	}
	return ptr(secret[len(secret)-4:])
}

// credentials reads an organization's own accounts.
func (a *API) credentials(ctx context.Context, r *store.Reader, orgID string) (c parley.Credentials, err error) {
	sealed, err := r.FindCredentials(ctx, orgID)
	if err != nil {
		return c, err
	}
	c.TwilioAccountSID, c.WebSearch = sealed.TwilioAccountSID, sealed.WebSearch
	for column, s := range map[string]struct {
		sealed []byte
		into   *string
	}{store.ColumnOpenAIKey: {sealed.OpenAIKey, &c.OpenAIKey}, store.ColumnTwilioToken: {sealed.TwilioAuthToken, &c.TwilioAuthToken},
		store.ColumnSearchKey: {sealed.WebSearchKey, &c.WebSearch.APIKey}} {
		if len(s.sealed) == 0 {
			continue
		}
		plain, err := a.opt.Ring.Open(store.CredentialAAD(orgID, column), s.sealed)
		if err != nil {
			return c, fmt.Errorf("opening a credential: %w", err)
		}
		*s.into = string(plain)
	}
	return c, nil
}

func (a *API) seal(orgID string, c parley.Credentials) store.SealedCredentials {
	sealed := store.SealedCredentials{TwilioAccountSID: c.TwilioAccountSID, WebSearch: c.WebSearch}
	sealed.WebSearch.APIKey = ""
	if c.WebSearch.APIKey != "" {
		sealed.WebSearchKey = a.opt.Ring.Seal(store.CredentialAAD(orgID, store.ColumnSearchKey), []byte(c.WebSearch.APIKey))
	}
	if c.OpenAIKey != "" {
		sealed.OpenAIKey = a.opt.Ring.Seal(store.CredentialAAD(orgID, store.ColumnOpenAIKey), []byte(c.OpenAIKey))
	}
	if c.TwilioAuthToken != "" {
		sealed.TwilioAuthToken = a.opt.Ring.Seal(store.CredentialAAD(orgID, store.ColumnTwilioToken), []byte(c.TwilioAuthToken))
	}
	return sealed
}
