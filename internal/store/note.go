package store

import (
	"context"
	"fmt"

	"parley"
)

// SaveNote stores what is remembered of a person under a key, or replaces it. A note more than parley.MaxNotes is a
// conflict; a few that are saved at the same instant may pass it.
func (tx *Tx) SaveNote(ctx context.Context, orgID, contactID string, n parley.Note) error {
	const q = `INSERT INTO contact_note (org_id, contact_id, note_key, text, created_at, updated_at)
		SELECT $1, $2, $3, $4, $5, $5 WHERE $6 > (SELECT COUNT(*) FROM contact_note WHERE org_id = $1 AND contact_id = $2 AND note_key <> $3)
		ON CONFLICT (org_id, contact_id, note_key) DO UPDATE SET text = excluded.text, updated_at = excluded.updated_at`
	saved, err := tx.q.exec(ctx, q, orgID, contactID, n.Key, n.Text, micros(n.UpdatedAt), int64(parley.MaxNotes))
	if err != nil {
		return fmt.Errorf("saving note: %w", err)
	}
	if saved == 0 {
		return parley.Errorf(parley.CodeConflict, "There are %d notes of this person, the most there can be. Delete one.", parley.MaxNotes)
	}
	return nil
}

// ListNotes lists what is remembered of a person, by key.
func (r *Reader) ListNotes(ctx context.Context, orgID, contactID string) ([]parley.Note, error) {
	const q = `SELECT note_key, text, created_at, updated_at FROM contact_note WHERE org_id = $1 AND contact_id = $2 ORDER BY note_key`
	notes, err := list(ctx, r.q, func(s scanner) (n parley.Note, err error) {
		var created, updated int64
		err = s.Scan(&n.Key, &n.Text, &created, &updated)
		n.CreatedAt, n.UpdatedAt = fromMicros(created), fromMicros(updated)
		return n, err
	}, q, orgID, contactID)
	if err != nil {
		return nil, fmt.Errorf("listing notes: %w", err)
	}
	return notes, nil
}

// DeleteNotes forgets what is remembered of a person under a key, or everything when the key is empty, and returns how
// many notes that were.
func (tx *Tx) DeleteNotes(ctx context.Context, orgID, contactID, key string) (int, error) {
	const q = `DELETE FROM contact_note WHERE org_id = $1 AND contact_id = $2 AND ($3 = '' OR note_key = $3)`
	n, err := tx.q.exec(ctx, q, orgID, contactID, key)
	if err != nil {
		return 0, fmt.Errorf("deleting notes: %w", err)
	}
	return int(n), nil
}
