-- +goose Up
-- Tools that organizations make; the built-in ones are in the program. headers and query are sealed, because
-- they may hold credentials. Large columns stand last: a list reads the first ones of every row.
CREATE TABLE tool (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  function_name TEXT NOT NULL,
  category TEXT NOT NULL,
  kind TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  access TEXT NOT NULL,
  confirm BOOLEAN NOT NULL,
  max_calls BIGINT,
  method TEXT NOT NULL,
  url TEXT NOT NULL,
  description TEXT NOT NULL,
  timeout_seconds BIGINT NOT NULL,
  result_path TEXT NOT NULL,
  headers BLOB,
  query BLOB,
  body TEXT,
  parameters TEXT NOT NULL,
  UNIQUE (org_id, id)
);
CREATE UNIQUE INDEX tool_by_function ON tool (org_id, function_name);

-- +goose Down
DROP TABLE tool;
