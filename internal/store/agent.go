package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley"
)

// agentColumns are read in one statement with the numbers, in ascending order.
const agentColumns = `id, org_id, name, type, status, model, instructions, config, tool_ids, created_at, updated_at, deleted_at, revision,
	(SELECT string_agg(p.number, ',' ORDER BY p.number) FROM phone_number p WHERE p.org_id = agent.org_id AND p.agent_id = agent.id)`

func scanAgent(s scanner) (a parley.Agent, err error) {
	var config, tools string
	var created, updated int64
	var deleted *int64
	var numbers *string
	err = s.Scan(&a.ID, &a.OrgID, &a.Name, &a.Type, &a.Status, &a.Model, &a.Instructions, &config, &tools,
		&created, &updated, &deleted, &a.Revision, &numbers)
	if err != nil {
		return a, err
	}
	a.CreatedAt, a.UpdatedAt, a.DeletedAt = fromMicros(created), fromMicros(updated), timeOrNil(deleted)
	if err := fromJSON(tools, &a.ToolIDs); err != nil {
		return a, err
	}
	a.PhoneNumbers = []string{}
	if numbers != nil {
		a.PhoneNumbers = strings.Split(*numbers, ",")
	}
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
	if r.q.inTx {
		if _, err := r.lockAgent(ctx, orgID, id); err != nil {
			return parley.Agent{}, err
		}
	}
	const q = `SELECT ` + agentColumns + ` FROM agent WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	return find(ctx, r.q, "Agent", scanAgent, q, orgID, id)
}

// agentState is what an agent is counted by.
type agentState struct {
	typ     parley.AgentType
	status  parley.AgentStatus
	deleted bool
}

// lockAgent holds an agent, also a deleted one, until the transaction ends. A locking statement may have
// waited, and then it sees the agent as it is now but other tables as they were before: read them after it.
func (r *Reader) lockAgent(ctx context.Context, orgID, id string) (agentState, error) {
	q := `SELECT type, status, deleted_at IS NOT NULL FROM agent WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Agent", func(s scanner) (a agentState, err error) {
		err = s.Scan(&a.typ, &a.status, &a.deleted)
		return a, err
	}, q, orgID, id)
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
	const index = `INSERT INTO agent_search (agent_id, org_id, ` + searchColumns + `)
		SELECT id, org_id, ` + searchColumns + ` FROM agent WHERE org_id = $1 AND id = $2`
	if err := tx.q.later(ctx, index, orgID, a.ID); err != nil {
		return fmt.Errorf("indexing agent: %w", err)
	}
	if len(a.PhoneNumbers) > 0 {
		if err := tx.assignNumbers(ctx, orgID, a.ID, a.PhoneNumbers); err != nil {
			return err
		}
	}
	return tx.addTally(ctx, orgID, a.ID, tallyChange{agentState{a.Type, a.Status, false}.what(), 1})
}

// UpdateAgent replaces a whole agent that is not deleted, its set of phone numbers included, and raises its
// revision by one. The caller read it in the same transaction. Type, id and creation time stay.
func (tx *Tx) UpdateAgent(ctx context.Context, orgID string, a parley.Agent) error {
	values, err := agentValues(a)
	if err != nil {
		return err
	}
	before, err := tx.lockAgent(ctx, orgID, a.ID)
	if err != nil {
		return err
	}
	const q = `UPDATE agent SET name = $3, name_folded = $4, status = $5, model = $6, instructions = $7, config = $8,
		tool_ids = $9, updated_at = $10, revision = revision + 1 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, append([]any{orgID, a.ID}, values...)...)
	if err != nil {
		return fmt.Errorf("updating agent: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	if err := tx.assignNumbers(ctx, orgID, a.ID, a.PhoneNumbers); err != nil {
		return err
	}
	return tx.agentChanged(ctx, orgID, a.ID, before, agentState{before.typ, a.Status, false})
}

// DeleteAgent marks an agent deleted and releases its numbers. Its conversations stay.
func (tx *Tx) DeleteAgent(ctx context.Context, orgID, id string, at time.Time) error {
	before, err := tx.lockAgent(ctx, orgID, id)
	if err != nil {
		return err
	}
	const q = `UPDATE agent SET deleted_at = $3, updated_at = $3, visitors_revoked_at = $3, revision = revision + 1 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, orgID, id, micros(at))
	if err != nil {
		return fmt.Errorf("deleting agent: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	if err := tx.assignNumbers(ctx, orgID, id, nil); err != nil {
		return err
	}
	return tx.agentChanged(ctx, orgID, id, before, agentState{before.typ, before.status, true})
}
