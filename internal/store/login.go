package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// maxLogins bounds how many logins of one key live at once: the oldest end first.
const maxLogins = 20

// Login is a person's login in a browser: a cookie, of which only the SHA-256 is kept, in the place of an API key.
type Login struct {
	Hash      []byte
	KeyID     string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// FindLoginHolder finds the key of a login that lives at now, and the organization, by the SHA-256 of its cookie. The
// key may be revoked or expired. It finds the organization.
func (r *Reader) FindLoginHolder(ctx context.Context, hash []byte, now time.Time) (parley.APIKey, parley.Organization, error) {
	const q = `SELECT ` + holderColumns + ` FROM login l JOIN api_key k ON k.id = l.key_id AND k.org_id = l.org_id
		JOIN organization o ON o.id = k.org_id WHERE l.hash = $1 AND l.expires_at > $2`
	return r.holder(ctx, "Login", q, hash, micros(now))
}

// CreateLogin stores a login of one of the organization's keys. It ends the key's logins that expired, and the oldest
// ones beyond a few.
func (tx *Tx) CreateLogin(ctx context.Context, orgID string, l Login) error {
	if _, err := tx.FindAPIKey(ctx, orgID, l.KeyID); err != nil {
		return err
	}
	const create = `INSERT INTO login (hash, org_id, key_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`
	if _, err := tx.q.exec(ctx, create, l.Hash, orgID, l.KeyID, micros(l.CreatedAt), micros(l.ExpiresAt)); err != nil {
		return fmt.Errorf("creating login: %w", err)
	}
	const sweep = `DELETE FROM login WHERE org_id = $1 AND key_id = $2 AND (expires_at <= $3 OR hash NOT IN
		(SELECT hash FROM login WHERE org_id = $1 AND key_id = $2 ORDER BY created_at DESC, hash DESC LIMIT $4))`
	if _, err := tx.q.exec(ctx, sweep, orgID, l.KeyID, micros(l.CreatedAt), maxLogins); err != nil {
		return fmt.Errorf("ending old logins: %w", err)
	}
	return nil
}

// DeleteLogin ends a login; one that is over is no error.
func (tx *Tx) DeleteLogin(ctx context.Context, orgID string, hash []byte) error {
	if _, err := tx.q.exec(ctx, `DELETE FROM login WHERE org_id = $1 AND hash = $2`, orgID, hash); err != nil {
		return fmt.Errorf("ending login: %w", err)
	}
	return nil
}
