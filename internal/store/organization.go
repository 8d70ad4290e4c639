package store

import (
	"context"
	"fmt"

	"parley"
)

// SealedCredentials are an organization's provider accounts as they are stored: the secrets sealed by
// internal/secret, nil when there is none.
type SealedCredentials struct {
	TwilioAccountSID string
	TwilioAuthToken  []byte
	OpenAIKey        []byte
	WebSearch        parley.WebSearch // without its key
	WebSearchKey     []byte
}

const organizationColumns = `id, COALESCE(label, name), name, created_at, rate_limit, rate_granted`

func scanOrganization(s scanner) (o parley.Organization, err error) {
	var created int64
	err = s.Scan(&o.ID, &o.Name, &o.Handle, &created, &o.RequestsPerMinute, &o.MaxRequestsPerMinute)
	o.CreatedAt = fromMicros(created)
	return o, err
}

// FindOrganization finds an organization by id or, when no id matches, by the operator's name for it. Server-wide.
func (r *Reader) FindOrganization(ctx context.Context, idOrName string) (parley.Organization, error) {
	const byID = `SELECT ` + organizationColumns + ` FROM organization WHERE id = $1`
	o, err := find(ctx, r.q, "Organization", scanOrganization, byID, idOrName)
	if !parley.IsNotFound(err) {
		return o, err
	}
	const byName = `SELECT ` + organizationColumns + ` FROM organization WHERE name = $1`
	return find(ctx, r.q, "Organization", scanOrganization, byName, idOrName)
}

// ListOrganizations lists all organizations, oldest first. Server-wide.
func (r *Reader) ListOrganizations(ctx context.Context) ([]parley.Organization, error) {
	const q = `SELECT ` + organizationColumns + ` FROM organization ORDER BY created_at, id`
	all, err := list(ctx, r.q, scanOrganization, q)
	if err != nil {
		return nil, fmt.Errorf("listing organizations: %w", err)
	}
	return all, nil
}

// FindCredentials returns an organization's sealed credentials, empty when it has none of its own.
func (r *Reader) FindCredentials(ctx context.Context, orgID string) (SealedCredentials, error) {
	const q = `SELECT twilio_account_sid, twilio_auth_token, openai_key, web_search_provider, web_search_url, web_search_key FROM organization WHERE id = $1`
	return find(ctx, r.q, "Organization", func(s scanner) (c SealedCredentials, err error) {
		err = s.Scan(&c.TwilioAccountSID, &c.TwilioAuthToken, &c.OpenAIKey, &c.WebSearch.Provider, &c.WebSearch.URL, &c.WebSearchKey)
		return c, err
	}, q, orgID)
}

// HasSealed reports whether any row of the server is sealed with the key ring. Server-wide.
func (r *Reader) HasSealed(ctx context.Context) (bool, error) {
	for _, q := range []string{
		`SELECT COUNT(*) FROM organization WHERE twilio_auth_token IS NOT NULL OR openai_key IS NOT NULL OR web_search_key IS NOT NULL`,
		`SELECT COUNT(*) FROM tool WHERE headers IS NOT NULL OR query IS NOT NULL`,
		`SELECT COUNT(*) FROM secret`,
		`SELECT COUNT(*) FROM agent WHERE identity_secret IS NOT NULL AND org_id > ''`, // read from an index of few
	} {
		var n int64
		if _, err := r.q.row(ctx, []any{&n}, q); err != nil {
			return false, fmt.Errorf("counting sealed rows: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// CreateOrganization stores a new organization. A taken name is a conflict. Server-wide.
func (tx *Tx) CreateOrganization(ctx context.Context, o parley.Organization) error {
	const q = `INSERT INTO organization (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, o.ID, o.Name, micros(o.CreatedAt))
	if err != nil {
		return fmt.Errorf("creating organization: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "An organization named %q already exists", o.Name)
	}
	return nil
}

// UpdateOrganization replaces what an organization calls itself, and its limits.
func (tx *Tx) UpdateOrganization(ctx context.Context, orgID string, o parley.Organization) error {
	const q = `UPDATE organization SET label = $2, rate_limit = $3, rate_granted = $4 WHERE id = $1`
	n, err := tx.q.exec(ctx, q, orgID, o.Name, o.RequestsPerMinute, o.MaxRequestsPerMinute)
	if err != nil {
		return fmt.Errorf("updating organization: %w", err)
	}
	if n == 0 {
		return notFound("Organization")
	}
	return nil
}

// SetCredentials replaces an organization's credentials as a whole.
func (tx *Tx) SetCredentials(ctx context.Context, orgID string, c SealedCredentials) error {
	const q = `UPDATE organization SET twilio_account_sid = $2, twilio_auth_token = $3, openai_key = $4, web_search_provider = $5,
		web_search_url = $6, web_search_key = $7 WHERE id = $1`
	n, err := tx.q.exec(ctx, q, orgID, c.TwilioAccountSID, c.TwilioAuthToken, c.OpenAIKey, string(c.WebSearch.Provider), c.WebSearch.URL, c.WebSearchKey)
	if err != nil {
		return fmt.Errorf("setting credentials: %w", err)
	}
	if n == 0 {
		return notFound("Organization")
	}
	return nil
}

// The sealed columns of an organization.
const (
	ColumnOpenAIKey   = "openai_key"
	ColumnTwilioToken = "twilio_auth_token"
	ColumnSearchKey   = "web_search_key"
)

// CredentialAAD is what a sealed credential is bound to: copied to another organization or column, it does not
// open.
func CredentialAAD(orgID, column string) string { return orgID + "|organization|" + column }
