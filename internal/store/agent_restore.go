package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// RestoreAgent brings a deleted agent back as inactive; its numbers stay released. An agent that is not
// deleted is a conflict.
func (tx *Tx) RestoreAgent(ctx context.Context, orgID, id string, at time.Time) (parley.Agent, error) {
	before, err := tx.lockAgent(ctx, orgID, id)
	if err != nil {
		return parley.Agent{}, err
	}
	const q = `UPDATE agent SET deleted_at = NULL, status = $4, updated_at = $3, revision = revision + 1
		WHERE org_id = $1 AND id = $2 AND deleted_at IS NOT NULL`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(at), string(parley.AgentInactive))
	if err != nil {
		return parley.Agent{}, fmt.Errorf("restoring agent: %w", err)
	}
	if n == 0 {
		return parley.Agent{}, parley.Errorf(parley.CodeConflict, "This agent is not deleted")
	}
	if err := tx.agentChanged(ctx, orgID, id, before, agentState{before.typ, parley.AgentInactive, false}); err != nil {
		return parley.Agent{}, err
	}
	return tx.FindAgent(ctx, orgID, id)
}

// FindDeletedAgent finds an agent that is deleted.
func (r *Reader) FindDeletedAgent(ctx context.Context, orgID, id string) (parley.Agent, error) {
	if r.q.inTx {
		if _, err := r.lockAgent(ctx, orgID, id); err != nil {
			return parley.Agent{}, err
		}
	}
	const q = `SELECT ` + agentColumns + ` FROM agent WHERE org_id = $1 AND id = $2 AND deleted_at IS NOT NULL`
	return find(ctx, r.q, "Agent", scanAgent, q, orgID, id)
}
