-- +goose Up
-- A person's login in a browser. Only the hash of its cookie is kept, and what it may do is read from its key.
CREATE TABLE login (
  hash BYTEA PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  key_id TEXT NOT NULL REFERENCES api_key (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX login_by_age ON login (org_id, key_id, created_at, hash);

-- +goose Down
DROP TABLE login;
