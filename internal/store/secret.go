package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// SecretAAD is what a secret's value is bound to when it is sealed: copied to another organization or name, it
// does not open.
func SecretAAD(orgID, name string) string { return orgID + "|secret|" + name }

// ListSecrets lists the organization's secrets by name, without their values.
func (r *Reader) ListSecrets(ctx context.Context, orgID string) ([]parley.Secret, error) {
	const q = `SELECT name, created_at, updated_at FROM secret WHERE org_id = $1 ORDER BY name`
	all, err := list(ctx, r.q, func(s scanner) (parley.Secret, error) { return scanSecret(orgID, s) }, q, orgID)
	if err != nil {
		return nil, fmt.Errorf("listing secrets: %w", err)
	}
	return all, nil
}

func scanSecret(orgID string, s scanner) (parley.Secret, error) {
	var created, updated int64
	v := parley.Secret{OrgID: orgID}
	err := s.Scan(&v.Name, &created, &updated)
	v.CreatedAt, v.UpdatedAt = fromMicros(created), fromMicros(updated)
	return v, err
}

// FindSecret finds a secret by its name, without its value.
func (r *Reader) FindSecret(ctx context.Context, orgID, name string) (parley.Secret, error) {
	q := `SELECT name, created_at, updated_at FROM secret WHERE org_id = $1 AND name = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Secret", func(s scanner) (parley.Secret, error) { return scanSecret(orgID, s) }, q, orgID, name)
}

// LoadSecrets returns the sealed values of those of the names that are stored.
func (r *Reader) LoadSecrets(ctx context.Context, orgID string, names []string) (map[string][]byte, error) {
	sealed := make(map[string][]byte, len(names))
	for first := 0; first < len(names); first += toolsPerQuery {
		w := where{}
		w.add(`org_id = $?`, orgID)
		in := ""
		for _, name := range names[first:min(first+toolsPerQuery, len(names))] {
			in += w.tail(`, $?`, name)
		}
		w.add(`name IN (` + in[2:] + `)`)
		_, err := list(ctx, r.q, func(s scanner) (name string, err error) {
			var value []byte
			err = s.Scan(&name, &value)
			sealed[name] = value
			return name, err
		}, `SELECT name, sealed FROM secret`+w.String(), w.args...)
		if err != nil {
			return nil, fmt.Errorf("loading secrets: %w", err)
		}
	}
	return sealed, nil
}

// PutSecret stores a secret's sealed value and tells what is known about it then, and whether it is new. One more
// than parley.MaxSecrets is a conflict.
func (tx *Tx) PutSecret(ctx context.Context, orgID, name string, sealed []byte, now time.Time) (v parley.Secret, created bool, err error) {
	if err := tx.lockTools(ctx, orgID); err != nil {
		return v, false, err
	}
	v, err = tx.FindSecret(ctx, orgID, name)
	if err != nil && !parley.IsNotFound(err) {
		return v, false, err
	}
	created = err != nil
	if created {
		v = parley.Secret{OrgID: orgID, Name: name, CreatedAt: now}
		var n int
		if _, err := tx.q.row(ctx, []any{&n}, `SELECT COUNT(*) FROM secret WHERE org_id = $1`, orgID); err != nil {
			return v, false, fmt.Errorf("counting secrets: %w", err)
		}
		if n >= parley.MaxSecrets {
			return v, false, parley.Errorf(parley.CodeConflict, "The organization has %d secrets, the most it can have. Delete one that no tool refers to.", n)
		}
	}
	v.UpdatedAt = now
	const q = `INSERT INTO secret (org_id, name, sealed, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
		ON CONFLICT (org_id, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at`
	if _, err := tx.q.exec(ctx, q, orgID, name, sealed, micros(now)); err != nil {
		return v, false, fmt.Errorf("storing secret: %w", err)
	}
	return v, created, nil
}

// DeleteSecret removes a secret.
func (tx *Tx) DeleteSecret(ctx context.Context, orgID, name string) error {
	n, err := tx.q.exec(ctx, `DELETE FROM secret WHERE org_id = $1 AND name = $2`, orgID, name)
	if err != nil {
		return fmt.Errorf("deleting secret: %w", err)
	}
	if n == 0 {
		return notFound("Secret")
	}
	return nil
}
