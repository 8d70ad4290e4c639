-- +goose Up
-- A tool call that the page with the chat runs. claim says which page does: it made it up; '' = none yet. state is
-- open, answered or closed; result is JSON, or the page's words when it failed, and is emptied when it was taken.
CREATE TABLE page_call (
  id TEXT COLLATE "C" PRIMARY KEY,
  org_id TEXT COLLATE "C" NOT NULL,
  run_id TEXT COLLATE "C" NOT NULL REFERENCES chat_run (id) ON DELETE CASCADE,
  claim TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  failed BOOLEAN NOT NULL DEFAULT FALSE,
  result TEXT NOT NULL DEFAULT ''
);
CREATE INDEX page_call_by_run ON page_call (run_id, id);

-- The token before the one in force still gets another one until the newer one is used, at the latest until replaced_until.
ALTER TABLE visitor_session ADD COLUMN replaced_hash BYTEA;
ALTER TABLE visitor_session ADD COLUMN replaced_until BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX visitor_session_replaced ON visitor_session (replaced_hash) WHERE replaced_hash IS NOT NULL;

-- Feedback that is not in the conversation's log yet, because another process was answering.
ALTER TABLE feedback ADD COLUMN logged BOOLEAN NOT NULL DEFAULT TRUE;
CREATE INDEX feedback_to_log ON feedback (at, message_id) WHERE NOT logged;

-- +goose Down
DROP INDEX feedback_to_log;
ALTER TABLE feedback DROP COLUMN logged;
DROP INDEX visitor_session_replaced;
ALTER TABLE visitor_session DROP COLUMN replaced_until;
ALTER TABLE visitor_session DROP COLUMN replaced_hash;
DROP TABLE page_call;
