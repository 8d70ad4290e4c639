package store

import (
	"context"
	"fmt"

	"parley"
)

const auditColumns = `id, org_id, at, actor_type, actor_id, actor_name, action, resource_type, resource_id, resource_name,
	changes, request_id, client`

func scanAudit(s scanner) (e parley.AuditEntry, err error) {
	var at int64
	var changes string
	err = s.Scan(&e.ID, &e.OrgID, &at, &e.Actor.Type, &e.Actor.ID, &e.Actor.Name, &e.Action,
		&e.Resource.Type, &e.Resource.ID, &e.Resource.Name, &changes, &e.RequestID, &e.Client)
	if err != nil {
		return e, err
	}
	e.At = fromMicros(at)
	return e, fromJSON(changes, &e.Changes)
}

// AppendAudit stores an entry of the audit log, in the transaction of what it tells of.
func (tx *Tx) AppendAudit(ctx context.Context, orgID string, e parley.AuditEntry) error {
	changes, err := asJSON(append([]parley.AuditChange{}, e.Changes...))
	if err != nil {
		return err
	}
	const q = `INSERT INTO audit_entry (` + auditColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	if err := tx.q.later(ctx, q, e.ID, orgID, micros(e.At), e.Actor.Type, e.Actor.ID, e.Actor.Name, e.Action,
		e.Resource.Type, e.Resource.ID, e.Resource.Name, changes, e.RequestID, e.Client); err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return tx.addTally(ctx, orgID, e.ID, tallyChange{auditTally, 1}, tallyChange{auditTally + e.Resource.Type, 1})
}

// auditTally is the counter of all entries, and with a resource's type behind it of those about that type, so that
// counting costs the same however long the log is.
const auditTally = "audit:"

// countAudit counts the entries that match: by the counters when the filter is at most a type, else along the index
// of the resource, the actor or the time that the filter names.
func (r *Reader) countAudit(ctx context.Context, orgID string, f parley.AuditFilter, w *where) (total int, err error) {
	if f.ResourceID == "" && f.ActorID == "" && f.After.IsZero() && f.Before.IsZero() {
		counts, err := r.tally(ctx, orgID, auditTally+f.ResourceType)
		return counts[auditTally+f.ResourceType], err
	}
	_, err = r.q.row(ctx, []any{&total}, `SELECT COUNT(*) FROM audit_entry`+w.String(), w.args...)
	return total, err
}

// ListAudit lists entries, newest first, ties by id, and counts all that match. A limit of 0 means all.
func (r *Reader) ListAudit(ctx context.Context, orgID string, f parley.AuditFilter) ([]parley.AuditEntry, int, error) {
	w := &where{}
	w.add(`org_id = $?`, orgID)
	if f.ResourceType != "" {
		w.add(`resource_type = $?`, f.ResourceType)
	}
	if f.ResourceID != "" {
		w.add(`resource_id = $?`, f.ResourceID)
	}
	if f.ActorID != "" {
		w.add(`actor_id = $?`, f.ActorID)
	}
	if !f.After.IsZero() {
		w.add(`at >= $?`, micros(f.After))
	}
	if !f.Before.IsZero() {
		w.add(`at < $?`, micros(f.Before))
	}
	total, err := r.countAudit(ctx, orgID, f, w)
	if err != nil {
		return nil, 0, fmt.Errorf("counting audit entries: %w", err)
	}
	limit, offset := page(f.Limit, f.Offset)
	q := `SELECT ` + auditColumns + ` FROM audit_entry` + w.String() + ` ORDER BY at DESC, id DESC` + w.tail(` LIMIT $? OFFSET $?`, limit, offset)
	entries, err := list(ctx, r.q, scanAudit, q, w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing audit entries: %w", err)
	}
	return entries, total, nil
}
