-- +goose Up
-- The key with which a site's owner signs who a visitor is, sealed; NULL = none was made.
ALTER TABLE agent ADD COLUMN identity_secret BYTEA;
-- Tokens of visitors that were made until then are dead.
ALTER TABLE agent ADD COLUMN visitors_revoked_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX agent_identity ON agent (org_id, id) WHERE identity_secret IS NOT NULL;

-- What is known of a visitor: a row is made when somebody says something. subject is the site's own id, which only a
-- signature proves; NULL = nothing is proven.
CREATE TABLE visitor (
  id TEXT COLLATE "C" PRIMARY KEY,
  org_id TEXT COLLATE "C" NOT NULL,
  agent_id TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C",
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  attributes TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (org_id, id),
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE UNIQUE INDEX visitor_by_subject ON visitor (org_id, agent_id, subject) WHERE subject IS NOT NULL;
CREATE INDEX visitor_by_update ON visitor (updated_at, id);

-- One row for each browser that has a chat open: hash is of the one token in force. conversation_id is reserved from
-- the beginning; its row is made with the first message. page is '', embed or try; domains is the list that was in
-- force when an embedded page was admitted.
CREATE TABLE visitor_session (
  id TEXT COLLATE "C" PRIMARY KEY,
  hash BYTEA NOT NULL UNIQUE,
  org_id TEXT COLLATE "C" NOT NULL,
  agent_id TEXT COLLATE "C" NOT NULL,
  visitor_id TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  origin TEXT NOT NULL,
  page TEXT NOT NULL,
  domains TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  issued_at BIGINT NOT NULL,
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE INDEX visitor_session_by_expiry ON visitor_session (expires_at, id);
CREATE INDEX visitor_session_by_conversation ON visitor_session (org_id, conversation_id);

-- Messages of a UTC day (days since 1970): of an agent's visitors together (who = ''), of a visitor, of an address.
CREATE TABLE message_count (
  org_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
  agent_id TEXT COLLATE "C" NOT NULL,
  day BIGINT NOT NULL,
  who TEXT COLLATE "C" NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (org_id, agent_id, day, who)
);
CREATE INDEX message_count_by_day ON message_count (day);

CREATE TABLE feedback (
  org_id TEXT COLLATE "C" NOT NULL,
  conversation_id TEXT COLLATE "C" NOT NULL,
  message_id TEXT COLLATE "C" NOT NULL,
  rating TEXT NOT NULL,
  comment TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (org_id, conversation_id, message_id),
  FOREIGN KEY (org_id, conversation_id) REFERENCES conversation (org_id, id) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE feedback;
DROP TABLE message_count;
DROP TABLE visitor_session;
DROP TABLE visitor;
DROP INDEX agent_identity;
ALTER TABLE agent DROP COLUMN visitors_revoked_at;
ALTER TABLE agent DROP COLUMN identity_secret;
