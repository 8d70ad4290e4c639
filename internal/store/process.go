package store

import (
	"context"
	"fmt"
)

// Process is a server process that may own calls. Beat rises while it lives: whoever watches it needs no common
// clock, only to see whether the number still changes.
type Process struct {
	ID       string
	Beat     int64
	Draining bool // it wants no calls
}

// Shared reports whether several server processes can share this database. Those of SQLite have it for themselves.
func (s *Store) Shared() bool { return s.dialect.name == postgresDialect.name }

// ListProcesses lists the processes, at most 1,000. Server-wide.
func (r *Reader) ListProcesses(ctx context.Context) ([]Process, error) {
	const q = `SELECT id, beat, draining FROM process WHERE id > $1 ORDER BY id LIMIT 1000`
	all, err := list(ctx, r.q, func(s scanner) (p Process, err error) {
		return p, s.Scan(&p.ID, &p.Beat, &p.Draining)
	}, q, "")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	return all, nil
}

// BeatProcess raises a process's beat by one, and makes its row when it has none. Server-wide.
func (tx *Tx) BeatProcess(ctx context.Context, id string, draining bool) error {
	const q = `INSERT INTO process (id, beat, draining) VALUES ($1, 1, $2)
		ON CONFLICT (id) DO UPDATE SET beat = process.beat + 1, draining = excluded.draining`
	if _, err := tx.q.exec(ctx, q, id, draining); err != nil {
		return fmt.Errorf("beating: %w", err)
	}
	return nil
}

// DeleteProcess removes a process whose beat is still the given one; false when it has beaten since. A beat of 0
// removes it in any case. Server-wide.
func (tx *Tx) DeleteProcess(ctx context.Context, id string, beat int64) (bool, error) {
	const q = `DELETE FROM process WHERE id = $1 AND (beat = $2 OR $2 = 0)`
	n, err := tx.q.exec(ctx, q, id, beat)
	if err != nil {
		return false, fmt.Errorf("deleting process: %w", err)
	}
	return n > 0, nil
}
