package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// touchEvery bounds how often the last use of a key is written.
const touchEvery = time.Minute

const apiKeyColumns = `id, org_id, name, description, prefix, last4, scopes, created_at, expires_at, revoked_at, last_used_at, replaced_by`

func scanAPIKey(s scanner) (k parley.APIKey, err error) {
	var scopes string
	var created int64
	var expires, revoked, used *int64
	err = s.Scan(&k.ID, &k.OrgID, &k.Name, &k.Description, &k.Prefix, &k.Last4, &scopes, &created, &expires, &revoked, &used, &k.ReplacedBy)
	if err != nil {
		return k, err
	}
	k.CreatedAt, k.ExpiresAt = fromMicros(created), timeOrNil(expires)
	k.RevokedAt, k.LastUsedAt = timeOrNil(revoked), timeOrNil(used)
	return k, fromJSON(scopes, &k.Scopes)
}

// FindAPIKeyByHash finds a key, revoked and expired ones too, by the SHA-256 of the whole key. It finds the
// organization.
func (r *Reader) FindAPIKeyByHash(ctx context.Context, hash []byte) (parley.APIKey, error) {
	const q = `SELECT ` + apiKeyColumns + ` FROM api_key WHERE hash = $1`
	return find(ctx, r.q, "API key", scanAPIKey, q, hash)
}

// FindAPIKey finds a key by its id, revoked and expired ones too.
func (r *Reader) FindAPIKey(ctx context.Context, orgID, id string) (parley.APIKey, error) {
	q := `SELECT ` + apiKeyColumns + ` FROM api_key WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "API key", scanAPIKey, q, orgID, id)
}

// holderColumns are what authentication needs of a key and its organization.
const holderColumns = `k.id, k.org_id, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
	COALESCE(o.label, o.name), o.name, o.created_at, o.rate_limit, o.rate_granted`

// FindKeyHolder finds a key like FindAPIKeyByHash, together with its organization. It finds the organization.
func (r *Reader) FindKeyHolder(ctx context.Context, hash []byte) (parley.APIKey, parley.Organization, error) {
	const q = `SELECT ` + holderColumns + ` FROM api_key k JOIN organization o ON o.id = k.org_id WHERE k.hash = $1`
	return r.holder(ctx, "API key", q, hash)
}

// holder runs a query for holderColumns.
func (r *Reader) holder(ctx context.Context, what, q string, args ...any) (k parley.APIKey, o parley.Organization, err error) {
	k, err = find(ctx, r.q, what, func(s scanner) (k parley.APIKey, err error) {
		var scopes string
		var created, orgCreated int64
		var expires, revoked, used *int64
		err = s.Scan(&k.ID, &k.OrgID, &k.Name, &scopes, &created, &expires, &revoked, &used,
			&o.Name, &o.Handle, &orgCreated, &o.RequestsPerMinute, &o.MaxRequestsPerMinute)
		if err != nil {
			return k, err
		}
		k.CreatedAt, k.ExpiresAt = fromMicros(created), timeOrNil(expires)
		k.RevokedAt, k.LastUsedAt = timeOrNil(revoked), timeOrNil(used)
		o.ID, o.CreatedAt = k.OrgID, fromMicros(orgCreated)
		return k, fromJSON(scopes, &k.Scopes)
	}, q, args...)
	return k, o, err
}

// ListAPIKeys lists an organization's keys, oldest first, with the revoked ones, and counts them. A limit of 0
// means all.
func (r *Reader) ListAPIKeys(ctx context.Context, orgID string, limit, offset int) ([]parley.APIKey, int, error) {
	var total int
	if _, err := r.q.row(ctx, []any{&total}, `SELECT COUNT(*) FROM api_key WHERE org_id = $1`, orgID); err != nil {
		return nil, 0, fmt.Errorf("counting API keys: %w", err)
	}
	const q = `SELECT ` + apiKeyColumns + ` FROM api_key WHERE org_id = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3`
	most, skip := page(limit, offset)
	keys, err := list(ctx, r.q, scanAPIKey, q, orgID, most, skip)
	if err != nil {
		return nil, 0, fmt.Errorf("listing API keys: %w", err)
	}
	return keys, total, nil
}

// CountAPIKeys counts the keys of the whole server, revoked ones too. Server-wide.
func (r *Reader) CountAPIKeys(ctx context.Context) (int, error) {
	var n int
	if _, err := r.q.row(ctx, []any{&n}, `SELECT COUNT(*) FROM api_key`); err != nil {
		return 0, fmt.Errorf("counting API keys: %w", err)
	}
	return n, nil
}

// CreateAPIKey stores a key under the SHA-256 of its text. The same key again is a conflict.
func (tx *Tx) CreateAPIKey(ctx context.Context, orgID string, k parley.APIKey, hash []byte) error {
	scopes, err := asJSON(append([]string{}, k.Scopes...))
	if err != nil {
		return err
	}
	const q = `INSERT INTO api_key (id, org_id, name, description, prefix, last4, hash, scopes, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, k.ID, orgID, k.Name, k.Description, k.Prefix, k.Last4, hash, scopes, micros(k.CreatedAt), microsOrNull(k.ExpiresAt))
	if err != nil {
		return fmt.Errorf("creating API key: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "This API key already exists")
	}
	return nil
}

// UpdateAPIKey replaces what may change of a key: its words, its end and what replaced it.
func (tx *Tx) UpdateAPIKey(ctx context.Context, orgID string, k parley.APIKey) error {
	const q = `UPDATE api_key SET name = $3, description = $4, expires_at = $5, replaced_by = $6 WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, k.ID, k.Name, k.Description, microsOrNull(k.ExpiresAt), k.ReplacedBy)
	if err != nil {
		return fmt.Errorf("updating API key: %w", err)
	}
	if n == 0 {
		return notFound("API key")
	}
	return nil
}

// RevokeAPIKey ends a key; revoking it again keeps the first time.
func (tx *Tx) RevokeAPIKey(ctx context.Context, orgID, id string, at time.Time) error {
	const q = `UPDATE api_key SET revoked_at = COALESCE(revoked_at, $3) WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(at))
	if err != nil {
		return fmt.Errorf("revoking API key: %w", err)
	}
	if n == 0 {
		return notFound("API key")
	}
	return nil
}

// TouchAPIKey notes that a key was used, at most once a minute; a use that is not worth noting is no error.
func (tx *Tx) TouchAPIKey(ctx context.Context, orgID, id string, at time.Time) error {
	const q = `UPDATE api_key SET last_used_at = $3
		WHERE org_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)`
	if _, err := tx.q.exec(ctx, q, orgID, id, micros(at), micros(at.Add(-touchEvery))); err != nil {
		return fmt.Errorf("noting use of API key: %w", err)
	}
	return nil
}
