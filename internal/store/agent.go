package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

const agentColumns = `id, org_id, name, type, status, model, instructions, config, tool_ids, created_at, updated_at, deleted_at`

func scanAgent(s scanner) (a parley.Agent, err error) {
	var config, tools string
	var created, updated int64
	var deleted *int64
	err = s.Scan(&a.ID, &a.OrgID, &a.Name, &a.Type, &a.Status, &a.Model, &a.Instructions, &config, &tools, &created, &updated, &deleted)
	if err != nil {
		return a, err
	}
	a.CreatedAt, a.UpdatedAt, a.DeletedAt = fromMicros(created), fromMicros(updated), timeOrNil(deleted)
	if err := fromJSON(tools, &a.ToolIDs); err != nil {
		return a, err
	}
	a.PhoneNumbers = []string{}
	if a.Type == parley.AgentVoice {
		c := parley.DefaultVoiceConfig() // a key that is newer than the row has its default
		a.Voice = &c
		return a, fromJSON(config, a.Voice)
	}
	c := parley.DefaultChatConfig()
	a.Chat = &c
	return a, fromJSON(config, a.Chat)
}

// agentValues are the columns that creating and updating have in common, in the order of both statements.
func agentValues(a parley.Agent) ([]any, error) {
	var config any = a.Voice
	if a.Type == parley.AgentChat {
		config = a.Chat
	}
	conf, err := asJSON(config)
	if err != nil {
		return nil, err
	}
	tools, err := asJSON(append([]string{}, a.ToolIDs...))
	if err != nil {
		return nil, err
	}
	return []any{a.Name, fold(a.Name), string(a.Status), a.Model, a.Instructions, conf, tools, micros(a.UpdatedAt)}, nil
}

// FindAgent finds an agent that is not deleted, with its phone numbers in ascending order.
func (r *Reader) FindAgent(ctx context.Context, orgID, id string) (parley.Agent, error) {
	q := `SELECT ` + agentColumns + ` FROM agent WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL` + r.q.forUpdate()
	a, err := find(ctx, r.q, "Agent", scanAgent, q, orgID, id)
	if err != nil {
		return a, err
	}
	agents := []parley.Agent{a}
	err = r.addPhoneNumbers(ctx, orgID, agents)
	return agents[0], err
}

// FindAgentOrganization returns the organization of an agent that is not deleted, for dialed
// "client:agent-{id}" addresses. It finds the organization.
func (r *Reader) FindAgentOrganization(ctx context.Context, agentID string) (string, error) {
	const q = `SELECT org_id FROM agent WHERE id = $1 AND deleted_at IS NULL`
	return find(ctx, r.q, "Agent", func(s scanner) (orgID string, err error) {
		err = s.Scan(&orgID)
		return orgID, err
	}, q, agentID)
}

// ListAgents lists agents in the filter's order, ties by id in the same direction, and counts all that
// match. A limit of 0 means all.
func (r *Reader) ListAgents(ctx context.Context, orgID string, f parley.AgentFilter) ([]parley.Agent, int, error) {
	w := where{}
	w.add(`org_id = $?`, orgID)
	if !f.IncludeDeleted {
		w.add(`deleted_at IS NULL`)
	}
	if f.Type != "" {
		w.add(`type = $?`, string(f.Type))
	}
	if f.Status != "" {
		w.add(`status = $?`, string(f.Status))
	}
	if f.Search != "" {
		w.add(r.q.dialect.position+`(name_folded, $?) > 0`, fold(f.Search))
	}
	var total int
	if _, err := r.q.row(ctx, []any{&total}, `SELECT COUNT(*) FROM agent`+w.String(), w.args...); err != nil {
		return nil, 0, fmt.Errorf("counting agents: %w", err)
	}
	column := map[string]string{"updatedAt": "updated_at", "name": "name_folded"}[f.Sort]
	if column == "" {
		column = "created_at"
	}
	order := " DESC"
	if f.Ascending {
		order = " ASC"
	}
	limit, offset := page(f.Limit, f.Offset)
	q := `SELECT ` + agentColumns + ` FROM agent` + w.String() +
		` ORDER BY ` + column + order + `, id` + order + w.tail(` LIMIT $? OFFSET $?`, limit, offset)
	agents, err := list(ctx, r.q, scanAgent, q, w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing agents: %w", err)
	}
	return agents, total, r.addPhoneNumbers(ctx, orgID, agents)
}

// CreateAgent stores a new agent and assigns its phone numbers. A number of another agent or organization
// is a conflict, and which of the two is not said.
func (tx *Tx) CreateAgent(ctx context.Context, orgID string, a parley.Agent) error {
	values, err := agentValues(a)
	if err != nil {
		return err
	}
	const q = `INSERT INTO agent (id, org_id, type, created_at, name, name_folded, status, model, instructions, config, tool_ids, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, append([]any{a.ID, orgID, string(a.Type), micros(a.CreatedAt)}, values...)...)
	if err != nil {
		return fmt.Errorf("creating agent: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "This agent already exists")
	}
	return tx.assignNumbers(ctx, orgID, a.ID, a.PhoneNumbers)
}

// UpdateAgent replaces a whole agent that is not deleted, its set of phone numbers included. The caller
// read it in the same transaction. Type, id and creation time stay.
func (tx *Tx) UpdateAgent(ctx context.Context, orgID string, a parley.Agent) error {
	values, err := agentValues(a)
	if err != nil {
		return err
	}
	const q = `UPDATE agent SET name = $3, name_folded = $4, status = $5, model = $6, instructions = $7, config = $8,
		tool_ids = $9, updated_at = $10 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, append([]any{orgID, a.ID}, values...)...)
	if err != nil {
		return fmt.Errorf("updating agent: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	return tx.assignNumbers(ctx, orgID, a.ID, a.PhoneNumbers)
}

// DeleteAgent marks an agent deleted and releases its numbers. Its conversations stay.
func (tx *Tx) DeleteAgent(ctx context.Context, orgID, id string, at time.Time) error {
	const q = `UPDATE agent SET deleted_at = $3, updated_at = $3 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(at))
	if err != nil {
		return fmt.Errorf("deleting agent: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	return tx.assignNumbers(ctx, orgID, id, nil)
}
