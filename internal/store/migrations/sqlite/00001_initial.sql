-- +goose Up
CREATE TABLE organization (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  twilio_account_sid TEXT NOT NULL DEFAULT '',
  twilio_auth_token BLOB,
  openai_key BLOB,
  created_at BIGINT NOT NULL
);

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  last4 TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
CREATE INDEX api_key_by_org ON api_key (org_id, created_at, id);

-- The UNIQUE (org_id, id) pairs let other tables name a row together with its tenant, so that the database
-- itself refuses a reference into another organization.
CREATE TABLE agent (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  model TEXT NOT NULL,
  instructions TEXT NOT NULL,
  config TEXT NOT NULL,
  tool_ids TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT,
  UNIQUE (org_id, id)
);
CREATE INDEX agent_by_created ON agent (org_id, created_at, id);
CREATE INDEX agent_by_updated ON agent (org_id, updated_at, id);
CREATE INDEX agent_by_name ON agent (org_id, name_folded, id);

CREATE TABLE phone_number (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  number TEXT NOT NULL UNIQUE,
  agent_id TEXT,
  created_at BIGINT NOT NULL,
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE INDEX phone_number_by_agent ON phone_number (org_id, agent_id, number);

CREATE TABLE conversation (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  agent_id TEXT NOT NULL,
  agent_name TEXT NOT NULL,
  channel TEXT NOT NULL,
  status TEXT NOT NULL,
  direction TEXT NOT NULL,
  from_address TEXT NOT NULL,
  to_address TEXT NOT NULL,
  search_folded TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT,
  end_reason TEXT NOT NULL,
  simulated BOOLEAN NOT NULL,
  test BOOLEAN NOT NULL,
  metadata TEXT,
  summary TEXT,
  epoch BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  UNIQUE (org_id, id),
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE INDEX conversation_by_start ON conversation (org_id, started_at, id);
CREATE INDEX conversation_by_agent ON conversation (org_id, agent_id, started_at, id);

-- Clustered by (conversation, seq): a log is read and appended in one run of pages.
CREATE TABLE event (
  conversation_id TEXT NOT NULL REFERENCES conversation (id),
  seq BIGINT NOT NULL,
  type TEXT NOT NULL,
  at BIGINT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (conversation_id, seq)
) WITHOUT ROWID;

CREATE TABLE call (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  agent_id TEXT NOT NULL,
  call_sid TEXT NOT NULL UNIQUE,
  account_sid TEXT NOT NULL,
  from_address TEXT NOT NULL,
  to_address TEXT NOT NULL,
  state TEXT NOT NULL,
  owner TEXT NOT NULL,
  stream_sid TEXT NOT NULL,
  stream_token_hash BLOB UNIQUE,
  stream_token_expires_at BIGINT,
  intent TEXT NOT NULL,
  end_reason TEXT NOT NULL,
  resumes BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  simulated BOOLEAN NOT NULL,
  test BOOLEAN NOT NULL,
  FOREIGN KEY (org_id, id) REFERENCES conversation (org_id, id),
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE INDEX call_by_state ON call (state, updated_at, id);

CREATE TABLE chat_run (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  status TEXT NOT NULL,
  lease_until BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  ended_at BIGINT,
  FOREIGN KEY (org_id, conversation_id) REFERENCES conversation (org_id, id)
);
CREATE UNIQUE INDEX chat_run_running ON chat_run (conversation_id) WHERE status = 'running';

CREATE TABLE test_call (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL REFERENCES organization (id),
  call_sid TEXT NOT NULL UNIQUE,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);

-- +goose Down
DROP TABLE test_call;
DROP TABLE chat_run;
DROP TABLE call;
DROP TABLE event;
DROP TABLE conversation;
DROP TABLE phone_number;
DROP TABLE agent;
DROP TABLE api_key;
DROP TABLE setting;
DROP TABLE organization;
