-- +goose Up
-- Unused: on SQLite there is one process, which limits in memory. It keeps the schemas equal.
CREATE TABLE rate_limit (
  key TEXT PRIMARY KEY,
  tat BIGINT NOT NULL,
  at BIGINT NOT NULL,
  granted BIGINT NOT NULL
);

-- +goose Down
DROP TABLE rate_limit;
