-- +goose Up
-- One row for each key whose bucket is not full; a key without a row has a full one. UNLOGGED: losing it in a crash
-- forgives a minute of requests. No index but the key's, so that updates stay within their page.
CREATE UNLOGGED TABLE rate_limit (
  key TEXT COLLATE "C" PRIMARY KEY,
  tat BIGINT NOT NULL,
  at BIGINT NOT NULL,
  granted BIGINT NOT NULL
) WITH (fillfactor = 50);

-- +goose Down
DROP TABLE rate_limit;
