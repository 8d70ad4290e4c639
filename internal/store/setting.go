package store

import (
	"context"
	"fmt"
)

// FindSetting returns one of the server's own settings, such as the key ring's fingerprint. Server-wide.
func (r *Reader) FindSetting(ctx context.Context, key string) (string, error) {
	const q = `SELECT value FROM setting WHERE key = $1`
	return find(ctx, r.q, "Setting", func(s scanner) (v string, err error) {
		err = s.Scan(&v)
		return v, err
	}, q, key)
}

// SetSetting stores one of the server's own settings. Server-wide.
func (tx *Tx) SetSetting(ctx context.Context, key, value string) error {
	const q = `INSERT INTO setting (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`
	if _, err := tx.q.exec(ctx, q, key, value); err != nil {
		return fmt.Errorf("setting %s: %w", key, err)
	}
	return nil
}
