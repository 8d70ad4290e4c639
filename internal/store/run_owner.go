package store

import (
	"context"
	"fmt"
	"time"
)

// runsAtOnce bounds how many runs one statement of the keeper touches.
const runsAtOnce = 200

// ListExpiredRuns lists running runs whose lease ended before a time, longest ago first, at most limit. Server-wide.
func (r *Reader) ListExpiredRuns(ctx context.Context, now time.Time, limit int) ([]Run, error) {
	const q = `SELECT ` + runColumns + ` FROM chat_run WHERE status = 'running' AND lease_until <= $1 ORDER BY lease_until, id LIMIT $2`
	runs, err := list(ctx, r.q, scanRun, q, micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("listing expired runs: %w", err)
	}
	return runs, nil
}

// ListStoppedRuns lists the ids of running runs of a process that are wished to stop. Server-wide.
func (r *Reader) ListStoppedRuns(ctx context.Context, owner string) ([]string, error) {
	const q = `SELECT id FROM chat_run WHERE owner = $1 AND status = 'running' AND stop_at IS NOT NULL ORDER BY id LIMIT $2`
	ids, err := list(ctx, r.q, func(s scanner) (id string, err error) { return id, s.Scan(&id) }, q, owner, runsAtOnce)
	if err != nil {
		return nil, fmt.Errorf("listing stopped runs: %w", err)
	}
	return ids, nil
}

// ExpireRuns ends the leases of running runs of a process that is dead, at most 200, and returns how many. An owner of ""
// means every process. Server-wide.
func (tx *Tx) ExpireRuns(ctx context.Context, owner string) (int64, error) {
	q := `UPDATE chat_run SET lease_until = 0 WHERE id IN (SELECT id FROM chat_run
		WHERE owner = $1 AND status = 'running' AND lease_until > 0 LIMIT $2)`
	args := []any{owner, runsAtOnce}
	if owner == "" {
		q = `UPDATE chat_run SET lease_until = 0 WHERE id IN (SELECT id FROM chat_run
			WHERE status = 'running' AND lease_until > 0 LIMIT $1)`
		args = args[1:]
	}
	n, err := tx.q.exec(ctx, q, args...)
	if err != nil {
		return 0, fmt.Errorf("expiring runs: %w", err)
	}
	return n, nil
}

// AdoptRun makes another process the owner of an expired run, as one attempt more; not_found when it is not running or
// its lease holds.
func (tx *Tx) AdoptRun(ctx context.Context, orgID, id, owner string, until time.Time) error {
	const q = `UPDATE chat_run SET owner = $3, lease_until = $4, attempt = attempt + 1
		WHERE org_id = $1 AND id = $2 AND status = 'running' AND lease_until <= $5`
	n, err := tx.q.exec(ctx, q, orgID, id, owner, micros(until), micros(tx.now()))
	if err != nil {
		return fmt.Errorf("adopting run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}
