-- +goose Up
ALTER TABLE api_key ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE api_key ADD COLUMN replaced_by TEXT;

-- What the organization calls itself; NULL = as the operator named it. Only the operator's names are unique, so
-- that nobody learns from a refusal that another organization exists.
ALTER TABLE organization ADD COLUMN label TEXT;
ALTER TABLE organization ADD COLUMN rate_limit BIGINT;
ALTER TABLE organization ADD COLUMN rate_granted BIGINT;

-- One row for each Idempotency-Key that was sent in the last 24 hours. run_id is set where the effect is a chat
-- run: the run itself is then the record of the answer.
CREATE TABLE idempotency (
  org_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
  method TEXT COLLATE "C" NOT NULL,
  route TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  fingerprint BYTEA NOT NULL,
  run_id TEXT,
  sealed BOOLEAN NOT NULL,
  answer BYTEA,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, method, route, key)
);
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- Clustered by time: an audit log is appended and read in one run of pages.
CREATE TABLE audit_entry (
  id TEXT COLLATE "C" NOT NULL,
  org_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
  at BIGINT NOT NULL,
  actor_type TEXT NOT NULL,
  actor_id TEXT COLLATE "C" NOT NULL,
  actor_name TEXT NOT NULL,
  action TEXT NOT NULL,
  resource_type TEXT COLLATE "C" NOT NULL,
  resource_id TEXT COLLATE "C" NOT NULL,
  resource_name TEXT NOT NULL,
  changes TEXT NOT NULL,
  request_id TEXT NOT NULL,
  client TEXT NOT NULL,
  PRIMARY KEY (org_id, at, id)
);
CREATE INDEX audit_by_type ON audit_entry (org_id, resource_type, at, id);
CREATE INDEX audit_by_resource ON audit_entry (org_id, resource_id, at, id);
CREATE INDEX audit_by_actor ON audit_entry (org_id, actor_id, at, id);

-- +goose Down
DROP TABLE audit_entry;
DROP TABLE idempotency;
ALTER TABLE organization DROP COLUMN rate_granted;
ALTER TABLE organization DROP COLUMN rate_limit;
ALTER TABLE organization DROP COLUMN label;
ALTER TABLE api_key DROP COLUMN replaced_by;
ALTER TABLE api_key DROP COLUMN description;
