-- +goose Up
-- The functions of an MCP server that its tool may use, a JSON list of their names at the server; NULL = all.
ALTER TABLE tool ADD COLUMN allowed_tools TEXT;

-- What was found at the server of a tool when it was last asked: no row = it was not asked yet. It is apart from the
-- tool because it changes without anybody changing the tool. functions is JSON.
CREATE TABLE mcp_server (
  tool_id TEXT PRIMARY KEY REFERENCES tool (id) ON DELETE CASCADE,
  org_id TEXT NOT NULL,
  state TEXT NOT NULL,
  error TEXT NOT NULL,
  checked_at BIGINT NOT NULL,
  more BOOLEAN NOT NULL,
  functions TEXT NOT NULL
);

-- +goose Down
DROP TABLE mcp_server;
ALTER TABLE tool DROP COLUMN allowed_tools;
