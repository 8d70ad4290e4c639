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
	OrgID          string
	ConversationID string
	Owner          string // id of the process that runs it
	Attempt        int    // from 1; more when it was begun again because its process had died
	Status         RunStatus
	LeaseUntil     time.Time
	StartedAt      time.Time // "now" for judging other leases; the clock's when zero
	EndedAt        *time.Time
	StopAt         *time.Time // when somebody wished it to stop
	AfterSeq       int64      // the end of the conversation's log before it
	MessageSeq     int64      // of the event with the message that it answers
	Replaces       string     // the run whose answer it replaces; "" = none

	// ClientMessageID is the visitor's own id of the message, unique in ClientScope; "" = none.
	ClientScope, ClientMessageID string

	RunEnd
}

// RunEnd is what a reader who comes after the end of a run is told beside its chunks.
type RunEnd struct {
	MessageID            string // of the answer
	ErrorType, ErrorText string // for the visitor; "" unless it failed
	Lost                 bool   // its process died: readers may have seen more than was stored
}

const runColumns = `id, org_id, conversation_id, owner, attempt, status, lease_until, started_at, ended_at, stop_at, after_seq, message_seq,
	replaces, client_scope, COALESCE(client_message_id, ''), message_id, error_type, error_text, lost`

func scanRun(s scanner) (r Run, err error) {
	var lease, started int64
	var ended, stop *int64
	err = s.Scan(&r.ID, &r.OrgID, &r.ConversationID, &r.Owner, &r.Attempt, &r.Status, &lease, &started, &ended, &stop, &r.AfterSeq, &r.MessageSeq,
		&r.Replaces, &r.ClientScope, &r.ClientMessageID, &r.MessageID, &r.ErrorType, &r.ErrorText, &r.Lost)
	r.LeaseUntil, r.StartedAt, r.EndedAt, r.StopAt = fromMicros(lease), fromMicros(started), timeOrNil(ended), timeOrNil(stop)
	return r, err
}

// FindRun finds a chat run.
func (r *Reader) FindRun(ctx context.Context, orgID, id string) (Run, error) {
	q := `SELECT ` + runColumns + ` FROM chat_run WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Run", scanRun, q, orgID, id)
}

// FindClientRun finds the run that a client's message began.
func (r *Reader) FindClientRun(ctx context.Context, orgID, scope, clientMessageID string) (Run, error) {
	const q = `SELECT ` + runColumns + ` FROM chat_run WHERE org_id = $1 AND client_scope = $2 AND client_message_id = $3`
	return find(ctx, r.q, "Run", scanRun, q, orgID, scope, clientMessageID)
}

// FindNewestRun finds the run of a conversation that began last.
func (r *Reader) FindNewestRun(ctx context.Context, orgID, conversationID string) (Run, error) {
	const q = `SELECT ` + runColumns + ` FROM chat_run WHERE org_id = $1 AND conversation_id = $2 ORDER BY after_seq DESC, id DESC LIMIT 1`
	return find(ctx, r.q, "Run", scanRun, q, orgID, conversationID)
}

// CreateRun stores a run. While another run of the conversation is running, even one whose lease ended, it is a conflict.
// A client's message id that is taken is a conflict, too.
func (tx *Tx) CreateRun(ctx context.Context, orgID string, run Run) error {
	if _, _, err := tx.FindPosition(ctx, orgID, run.ConversationID); err != nil {
		return err
	}
	if run.StartedAt.IsZero() {
		run.StartedAt = tx.now()
	}
	const q = `INSERT INTO chat_run (id, org_id, conversation_id, owner, status, lease_until, started_at, after_seq, message_seq, replaces,
			client_scope, client_message_id, chunked)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, TRUE) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, run.ID, orgID, run.ConversationID, run.Owner, string(run.Status), micros(run.LeaseUntil), micros(run.StartedAt),
		run.AfterSeq, run.MessageSeq, run.Replaces, run.ClientScope, orNull(run.ClientMessageID))
	if err != nil {
		return fmt.Errorf("creating run: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "The agent is still answering in this conversation")
	}
	return nil
}

// RenewRun extends the lease of a running run for its owner and attempt; not_found when it is no longer theirs, or over.
func (tx *Tx) RenewRun(ctx context.Context, orgID string, run Run, until time.Time) error {
	const q = `UPDATE chat_run SET lease_until = $5 WHERE org_id = $1 AND id = $2 AND owner = $3 AND attempt = $4 AND status = 'running'`
	n, err := tx.q.exec(ctx, q, orgID, run.ID, run.Owner, run.Attempt, micros(until))
	if err != nil {
		return fmt.Errorf("renewing run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}

// StopRun notes the wish that a run stops, for the process that owns it; not_found when it is no longer running.
func (tx *Tx) StopRun(ctx context.Context, orgID, id string) error {
	const q = `UPDATE chat_run SET stop_at = $3 WHERE org_id = $1 AND id = $2 AND status = 'running'`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(tx.now()))
	if err != nil {
		return fmt.Errorf("stopping run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}

// FinishRun ends a running run; not_found when it is no longer running.
func (tx *Tx) FinishRun(ctx context.Context, orgID, id string, status RunStatus, at time.Time, end RunEnd) error {
	const q = `UPDATE chat_run SET status = $3, ended_at = $4, message_id = $5, error_type = $6, error_text = $7, lost = $8
		WHERE org_id = $1 AND id = $2 AND status = 'running'`
	n, err := tx.q.exec(ctx, q, orgID, id, string(status), micros(at), end.MessageID, end.ErrorType, end.ErrorText, end.Lost)
	if err != nil {
		return fmt.Errorf("finishing run: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}
