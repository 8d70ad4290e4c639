package store

import (
	"context"
	"fmt"
	"strings"

	"parley"
)

// searchColumns are what agent_search repeats of an agent.
const searchColumns = `name_folded, type, status, created_at, updated_at, deleted_at`

// agentChanged brings what is derived from an agent up to date: its row of agent_search and its counters.
func (tx *Tx) agentChanged(ctx context.Context, orgID, id string, before, after agentState) error {
	const q = `UPDATE agent_search SET (` + searchColumns + `) = (SELECT ` + searchColumns + ` FROM agent WHERE org_id = $1 AND id = $2)
		WHERE org_id = $1 AND agent_id = $2`
	if _, err := tx.q.exec(ctx, q, orgID, id); err != nil {
		return fmt.Errorf("indexing agent: %w", err)
	}
	return tx.addTally(ctx, orgID, id, tallyChange{before.what(), -1}, tallyChange{after.what(), 1})
}

// agentTally begins the names of the counters of agents: agent/{type}/{status}/{live or deleted}.
const agentTally = "agent/"

func (a agentState) what() string {
	state := "/live"
	if a.deleted {
		state = "/deleted"
	}
	return agentTally + string(a.typ) + "/" + string(a.status) + state
}

func (a agentState) matches(f parley.AgentFilter) bool {
	return (f.Type == "" || f.Type == a.typ) && (f.Status == "" || f.Status == a.status) && (f.IncludeDeleted || !a.deleted)
}

// countAgents reads the counters of an organization's agents.
func (r *Reader) countAgents(ctx context.Context, orgID string) (map[agentState]int, error) {
	counts, err := r.tally(ctx, orgID, agentTally)
	if err != nil {
		return nil, err
	}
	out := make(map[agentState]int, len(counts))
	for what, n := range counts {
		if part := strings.Split(what, "/"); len(part) == 4 && n > 0 {
			out[agentState{parley.AgentType(part[1]), parley.AgentStatus(part[2]), part[3] == "deleted"}] = n
		}
	}
	return out, nil
}
