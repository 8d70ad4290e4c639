package store

import (
	"context"
	"encoding/json"
	"fmt"

	"parley"
)

// SealedTool is an organization's tool as it is stored: the headers and the query of HTTP and MCP are empty, and
// what they hold is sealed by internal/secret, nil when there is nothing. See internal/tool for both directions.
type SealedTool struct {
	parley.Tool
	Headers, Query []byte
}

// ToolAAD is what a sealed column of a tool is bound to: copied to another organization, tool or column, it
// does not open.
func ToolAAD(orgID, column, id string) string { return orgID + "|tool|" + column + "|" + id }

const toolColumns = `id, org_id, name, function_name, category, kind, created_at, updated_at, access, confirm, max_calls, method, url,
	description, timeout_seconds, result_path, headers, query, body, parameters, allowed_tools`

func scanTool(s scanner) (t SealedTool, err error) {
	var created, updated int64
	var parameters string
	var body, allowed *string
	h := parley.HTTPTool{}
	err = s.Scan(&t.ID, &t.OrgID, &t.Name, &t.FunctionName, &t.Category, &t.Kind, &created, &updated, &t.Access, &t.Confirm, &t.MaxCalls,
		&h.Method, &h.URL, &t.Description, &h.TimeoutSeconds, &h.ResultPath, &t.Headers, &t.Query, &body, &parameters, &allowed)
	if body != nil {
		h.Body = json.RawMessage(*body)
	}
	t.CreatedAt, t.UpdatedAt, t.Parameters = fromMicros(created), fromMicros(updated), json.RawMessage(parameters)
	switch t.Kind {
	case parley.ToolClient:
		t.Client = &parley.ClientTool{TimeoutSeconds: h.TimeoutSeconds}
	case parley.ToolMCP:
		t.MCP = &parley.MCPTool{URL: h.URL}
		if allowed != nil && err == nil {
			err = json.Unmarshal([]byte(*allowed), &t.MCP.AllowedTools)
		}
	default:
		t.HTTP = &h
	}
	return t, err
}

// FindTool finds a tool of the organization or a built-in one by its slug.
func (r *Reader) FindTool(ctx context.Context, orgID, id string) (SealedTool, error) {
	if t, ok := parley.BuiltinTool(id); ok {
		return SealedTool{Tool: t}, nil
	}
	q := `SELECT ` + toolColumns + ` FROM tool WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Tool", scanTool, q, orgID, id)
}

// FindTools returns, by id, those of the tools that exist, with what an agent shows of them: no parameters, no
// body and nothing sealed. Built-in tools are found by their slugs.
func (r *Reader) FindTools(ctx context.Context, orgID string, ids []string) (map[string]parley.Tool, error) {
	found := make(map[string]parley.Tool, len(ids))
	own := make([]string, 0, len(ids))
	for _, id := range ids {
		if t, ok := parley.BuiltinTool(id); ok {
			found[id] = t
		} else if parley.IsID(id) {
			own = append(own, id)
		}
	}
	const columns = `SELECT id, org_id, name, function_name, category, kind, method, url, description FROM tool`
	return found, toolsByID(orgID, "id", own, func(w *where) error {
		tools, err := list(ctx, r.q, func(s scanner) (t parley.Tool, err error) {
			var h parley.HTTPTool
			err = s.Scan(&t.ID, &t.OrgID, &t.Name, &t.FunctionName, &t.Category, &t.Kind, &h.Method, &h.URL, &t.Description)
			switch t.Kind {
			case parley.ToolHTTP:
				t.HTTP = &h
			case parley.ToolMCP:
				t.MCP = &parley.MCPTool{URL: h.URL}
			}
			return t, err
		}, columns+w.String(), w.args...)
		for _, t := range tools {
			found[t.ID] = t
		}
		return err
	})
}

// toolsPerQuery bounds the length of an IN list.
const toolsPerQuery = 200

// toolsByID runs a query for each part of a list of ids of tools, which stand in a column.
func toolsByID(orgID, column string, ids []string, query func(w *where) error) error {
	for first := 0; first < len(ids); first += toolsPerQuery {
		w := where{}
		w.add(`org_id = $?`, orgID)
		in := ""
		for _, id := range ids[first:min(first+toolsPerQuery, len(ids))] {
			in += w.tail(`, $?`, id)
		}
		w.add(column + ` IN (` + in[2:] + `)`)
		if err := query(&w); err != nil {
			return fmt.Errorf("finding tools: %w", err)
		}
	}
	return nil
}

// toolValues are the columns that creating and updating have in common, in the order of both statements.
func toolValues(t SealedTool) []any {
	h := parley.HTTPTool{}
	if t.HTTP != nil {
		h = *t.HTTP
	}
	if t.Client != nil {
		h.TimeoutSeconds = t.Client.TimeoutSeconds
	}
	var body, allowed *string
	if h.Body != nil {
		text := string(h.Body)
		body = &text
	}
	if t.MCP != nil {
		h.URL = t.MCP.URL
		if t.MCP.AllowedTools != nil {
			list, _ := json.Marshal(t.MCP.AllowedTools) // strings
			text := string(list)
			allowed = &text
		}
	}
	return []any{t.Name, fold(t.Name), t.FunctionName, t.Category, micros(t.UpdatedAt), t.Access, t.Confirm, t.MaxCalls, h.Method, h.URL,
		t.Description, int64(h.TimeoutSeconds), h.ResultPath, t.Headers, t.Query, body, string(t.Parameters), allowed}
}

// CreateTool stores a new tool. A taken function name is a conflict, and so is one tool more than
// parley.MaxTools.
func (tx *Tx) CreateTool(ctx context.Context, orgID string, t SealedTool) error {
	if err := tx.lockTools(ctx, orgID); err != nil {
		return err
	}
	var n int
	if _, err := tx.q.row(ctx, []any{&n}, `SELECT COUNT(*) FROM tool WHERE org_id = $1`, orgID); err != nil {
		return fmt.Errorf("counting tools: %w", err)
	}
	if n >= parley.MaxTools {
		return parley.Errorf(parley.CodeConflict, "The organization has %d tools, the most it can have. Delete one that no agent needs.", n)
	}
	if err := tx.claimFunction(ctx, orgID, t.Tool); err != nil {
		return err
	}
	const q = `INSERT INTO tool (id, org_id, kind, created_at, name, name_folded, function_name, category, updated_at, access, confirm, max_calls,
		method, url, description, timeout_seconds, result_path, headers, query, body, parameters, allowed_tools)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) ON CONFLICT DO NOTHING`
	added, err := tx.q.exec(ctx, q, append([]any{t.ID, orgID, string(t.Kind), micros(t.CreatedAt)}, toolValues(t)...)...)
	if err != nil {
		return fmt.Errorf("creating tool: %w", err)
	}
	if added == 0 {
		return parley.Errorf(parley.CodeConflict, "This tool already exists")
	}
	return nil
}

// UpdateTool replaces a whole tool. The caller read it in the same transaction. Kind, id and creation time
// stay. A taken function name is a conflict.
func (tx *Tx) UpdateTool(ctx context.Context, orgID string, t SealedTool) error {
	if err := tx.lockTools(ctx, orgID); err != nil {
		return err
	}
	if err := tx.claimFunction(ctx, orgID, t.Tool); err != nil {
		return err
	}
	const q = `UPDATE tool SET name = $3, name_folded = $4, function_name = $5, category = $6, updated_at = $7, access = $8, confirm = $9,
		max_calls = $10, method = $11, url = $12, description = $13, timeout_seconds = $14, result_path = $15, headers = $16, query = $17,
		body = $18, parameters = $19, allowed_tools = $20 WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, append([]any{orgID, t.ID}, toolValues(t)...)...)
	if err != nil {
		return fmt.Errorf("updating tool: %w", err)
	}
	if n == 0 {
		return notFound("Tool")
	}
	return nil
}

// lockTools makes the transactions that count an organization's tools or claim a function name wait for each
// other, by its row.
func (tx *Tx) lockTools(ctx context.Context, orgID string) error {
	_, err := find(ctx, tx.q, "Organization", func(s scanner) (id string, err error) {
		err = s.Scan(&id)
		return id, err
	}, `SELECT id FROM organization WHERE id = $1`+tx.q.forUpdate(), orgID)
	return err
}

// claimFunction refuses a function name that another tool of the organization has, or one of the server's own.
func (tx *Tx) claimFunction(ctx context.Context, orgID string, t parley.Tool) error {
	if parley.IsReservedFunction(t.FunctionName) {
		return parley.Errorf(parley.CodeConflict, "The function name %s belongs to a built-in tool. Give another functionName.", t.FunctionName)
	}
	var taken string
	found, err := tx.q.row(ctx, []any{&taken}, `SELECT id FROM tool WHERE org_id = $1 AND function_name = $2`, orgID, t.FunctionName)
	if err != nil {
		return fmt.Errorf("looking up function name: %w", err)
	}
	if found && taken != t.ID {
		return parley.Errorf(parley.CodeConflict, "The function name %s is taken by another tool. Give another functionName.", t.FunctionName)
	}
	return nil
}

// DeleteTool removes a tool. Agents keep its id, which is never used again and which no answer shows.
func (tx *Tx) DeleteTool(ctx context.Context, orgID, id string) error {
	n, err := tx.q.exec(ctx, `DELETE FROM tool WHERE org_id = $1 AND id = $2`, orgID, id)
	if err != nil {
		return fmt.Errorf("deleting tool: %w", err)
	}
	if n == 0 {
		return notFound("Tool")
	}
	return nil
}
