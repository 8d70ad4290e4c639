-- +goose Up
-- Whose a chat is, and on which site it was begun; '' for chats of the API.
ALTER TABLE conversation ADD COLUMN visitor_id TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN origin TEXT NOT NULL DEFAULT '';
CREATE INDEX conversation_by_visitor ON conversation (org_id, visitor_id, started_at, id) WHERE visitor_id <> '';

-- A client's id of its message is unique within its scope: the visitor, or the conversation where there is none.
ALTER TABLE chat_run ADD COLUMN client_scope TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_run ADD COLUMN client_message_id TEXT;
-- How often the run was begun: more than once when its process died before it had said or done anything.
ALTER TABLE chat_run ADD COLUMN attempt BIGINT NOT NULL DEFAULT 1;
-- Places in the log: the end before the run, and the message that is answered.
ALTER TABLE chat_run ADD COLUMN after_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chat_run ADD COLUMN message_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE chat_run ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_run ADD COLUMN stop_at BIGINT;
-- What a reader who comes after the end is told.
ALTER TABLE chat_run ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_run ADD COLUMN error_type TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_run ADD COLUMN error_text TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_run ADD COLUMN lost BOOLEAN NOT NULL DEFAULT FALSE;
-- Whether its chunks may still be there.
ALTER TABLE chat_run ADD COLUMN chunked BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX chat_run_client_message ON chat_run (org_id, client_scope, client_message_id) WHERE client_message_id IS NOT NULL;
CREATE INDEX chat_run_by_place ON chat_run (conversation_id, after_seq, id);
CREATE INDEX chat_run_by_lease ON chat_run (lease_until, id) WHERE status = 'running';
CREATE INDEX chat_run_by_owner ON chat_run (owner, id) WHERE status = 'running';
CREATE INDEX chat_run_to_stop ON chat_run (owner, id) WHERE status = 'running' AND stop_at IS NOT NULL;
CREATE INDEX chat_run_chunked ON chat_run (ended_at, id) WHERE chunked;

-- What a run said and did, in pieces: some text of the answer, and then an event that is not text, if type is not ''.
CREATE TABLE chat_chunk (
  run_id TEXT NOT NULL REFERENCES chat_run (id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  text TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE chat_chunk;
DROP INDEX chat_run_chunked;
DROP INDEX chat_run_to_stop;
DROP INDEX chat_run_by_owner;
DROP INDEX chat_run_by_lease;
DROP INDEX chat_run_by_place;
DROP INDEX chat_run_client_message;
ALTER TABLE chat_run DROP COLUMN chunked;
ALTER TABLE chat_run DROP COLUMN lost;
ALTER TABLE chat_run DROP COLUMN error_text;
ALTER TABLE chat_run DROP COLUMN error_type;
ALTER TABLE chat_run DROP COLUMN message_id;
ALTER TABLE chat_run DROP COLUMN stop_at;
ALTER TABLE chat_run DROP COLUMN replaces;
ALTER TABLE chat_run DROP COLUMN message_seq;
ALTER TABLE chat_run DROP COLUMN after_seq;
ALTER TABLE chat_run DROP COLUMN attempt;
ALTER TABLE chat_run DROP COLUMN client_message_id;
ALTER TABLE chat_run DROP COLUMN client_scope;
DROP INDEX conversation_by_visitor;
ALTER TABLE conversation DROP COLUMN origin;
ALTER TABLE conversation DROP COLUMN visitor_id;
