package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// RunStatus is the state of a chat run.
type RunStatus string

// The run statuses; all but running are final.
const (
	RunRunning   RunStatus = "running"
	RunCompleted RunStatus = "completed"
	RunStopped   RunStatus = "stopped"
	RunFailed    RunStatus = "failed"
)

// Run is one chat turn in progress or done. While it runs, its lease keeps other runs of the conversation
// away.
type Run struct {
	ID             string
	ConversationID string
	Owner          string // id of the process that runs it
	Status         RunStatus
	LeaseUntil     time.Time
	StartedAt      time.Time // "now" for judging other leases; the clock's when zero
	EndedAt        *time.Time
}

// FindRun finds a chat run.
func (r *Reader) FindRun(ctx context.Context, orgID, id string) (Run, error) {
	q := `SELECT id, conversation_id, owner, status, lease_until, started_at, ended_at FROM chat_run
		WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Run", func(s scanner) (run Run, err error) {
		var lease, started int64
		var ended *int64
		err = s.Scan(&run.ID, &run.ConversationID, &run.Owner, &run.Status, &lease, &started, &ended)
		run.LeaseUntil, run.StartedAt, run.EndedAt = fromMicros(lease), fromMicros(started), timeOrNil(ended)
		return run, err
	}, q, orgID, id)
}

// CreateRun stores a run. While an unexpired run of the conversation is running it is a conflict; an
// expired one is marked failed and replaced.
func (tx *Tx) CreateRun(ctx context.Context, orgID string, run Run) error {
	if _, _, err := tx.FindPosition(ctx, orgID, run.ConversationID); err != nil {
		return err
	}
	if run.StartedAt.IsZero() {
		run.StartedAt = tx.now()
	}
	const expire = `UPDATE chat_run SET status = $3, ended_at = $4
		WHERE org_id = $1 AND conversation_id = $2 AND status = 'running' AND lease_until <= $4`
	if _, err := tx.q.exec(ctx, expire, orgID, run.ConversationID, string(RunFailed), micros(run.StartedAt)); err != nil {
		return fmt.Errorf("expiring run: %w", err)
	}
	const q = `INSERT INTO chat_run (id, org_id, conversation_id, owner, status, lease_until, started_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, run.ID, orgID, run.ConversationID, run.Owner, string(run.Status), micros(run.LeaseUntil), micros(run.StartedAt))
	if err != nil {
		return fmt.Errorf("creating run: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "The agent is still answering in this conversation")
	}
	return nil
}

// RenewRun extends the lease of a running run; not_found when it is no longer running.
func (tx *Tx) RenewRun(ctx context.Context, orgID, id string, until time.Time) error {
	const q = `UPDATE chat_run SET lease_until = $3 WHERE org_id = $1 AND id = $2 AND status = 'running'`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(until))
	if err != nil {
		return fmt.Errorf("renewing run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}

// FinishRun ends a running run; not_found when it is no longer running.
func (tx *Tx) FinishRun(ctx context.Context, orgID, id string, status RunStatus, at time.Time) error {
	const q = `UPDATE chat_run SET status = $3, ended_at = $4 WHERE org_id = $1 AND id = $2 AND status = 'running'`
	n, err := tx.q.exec(ctx, q, orgID, id, string(status), micros(at))
	if err != nil {
		return fmt.Errorf("finishing run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}
