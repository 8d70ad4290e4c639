package store

import (
	"context"
	"fmt"
	"slices"

	"parley"
)

// toolEvents is the condition of the index event_of_tool, word for word.
const toolEvents = `type IN ('tool.started', 'tool.completed', 'tool.confirmation')`

// ListToolEvents returns the newest events about tools of a conversation with a sequence number below before, at most
// limit of them, in order.
func (r *Reader) ListToolEvents(ctx context.Context, orgID, conversationID string, before int64, limit int) ([]parley.Event, error) {
	const q = `SELECT seq, type, at, data FROM event WHERE conversation_id = $2 AND seq < $3 AND ` + toolEvents + `
		AND EXISTS (SELECT 1 FROM conversation WHERE org_id = $1 AND id = $2) ORDER BY seq DESC LIMIT $4`
	events, err := list(ctx, r.q, scanEvent, q, orgID, conversationID, before, limit)
	if err != nil {
		return nil, fmt.Errorf("listing tool events: %w", err)
	}
	slices.Reverse(events)
	return events, nil
}

// AgentHasTool reports whether an agent still lists a tool.
func (r *Reader) AgentHasTool(ctx context.Context, orgID, agentID, toolID string) (bool, error) {
	const q = `SELECT tool_ids FROM agent WHERE org_id = $1 AND id = $2`
	var raw string
	found, err := r.q.row(ctx, []any{&raw}, q, orgID, agentID)
	if err != nil || !found {
		return false, err
	}
	var ids []string
	if err := fromJSON(raw, &ids); err != nil {
		return false, err
	}
	return slices.Contains(ids, toolID), nil
}
