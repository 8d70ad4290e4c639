package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// FindMCPServers returns, by the id of their tool, what was found at MCP servers. One that was not asked yet, or
// not since its tool was changed, is not there.
func (r *Reader) FindMCPServers(ctx context.Context, orgID string, toolIDs []string) (map[string]parley.MCPServer, error) {
	found := make(map[string]parley.MCPServer, len(toolIDs))
	type server struct {
		toolID string
		parley.MCPServer
	}
	return found, toolsByID(orgID, "tool_id", toolIDs, func(w *where) error {
		servers, err := list(ctx, r.q, func(s scanner) (m server, err error) {
			var checked int64
			var functions string
			if err := s.Scan(&m.toolID, &m.State, &m.Error, &checked, &m.More, &functions); err != nil {
				return m, err
			}
			m.CheckedAt = fromMicros(checked)
			err = json.Unmarshal([]byte(functions), &m.Functions)
			return m, err
		}, `SELECT tool_id, state, error, checked_at, more, functions FROM mcp_server`+w.String(), w.args...)
		if err != nil {
			return fmt.Errorf("what their MCP servers have: %w", err)
		}
		for _, m := range servers {
			found[m.toolID] = m.MCPServer
		}
		return nil
	})
}

// SaveMCPServer keeps what was found at the server of a tool, as the tool was at the time changed (its UpdatedAt).
// Of a tool that was changed or deleted since, nothing is kept.
func (tx *Tx) SaveMCPServer(ctx context.Context, orgID, toolID string, changed time.Time, m parley.MCPServer) error {
	functions, err := json.Marshal(m.Functions)
	if err != nil {
		return fmt.Errorf("saving MCP server: %w", err)
	}
	_, err = tx.q.exec(ctx, `INSERT INTO mcp_server (tool_id, org_id, state, error, checked_at, more, functions)
		SELECT id, org_id, $4, $5, $6, $7, $8 FROM tool WHERE org_id = $1 AND id = $2 AND updated_at = $3
		ON CONFLICT (tool_id) DO UPDATE SET state = excluded.state, error = excluded.error, checked_at = excluded.checked_at,
			more = excluded.more, functions = excluded.functions`,
		orgID, toolID, micros(changed), m.State, m.Error, micros(m.CheckedAt), m.More, string(functions))
	if err != nil {
		return fmt.Errorf("saving MCP server: %w", err)
	}
	return nil
}

// ForgetMCPServer drops what was found at a server, because the tool leads elsewhere now.
func (tx *Tx) ForgetMCPServer(ctx context.Context, orgID, toolID string) error {
	_, err := tx.q.exec(ctx, `DELETE FROM mcp_server WHERE org_id = $1 AND tool_id = $2`, orgID, toolID)
	if err != nil {
		return fmt.Errorf("forgetting MCP server: %w", err)
	}
	return nil
}
