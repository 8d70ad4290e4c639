-- +goose Up
-- Micros of the newest resumes, newest last, separated by commas: the loop cap looks at the last minute.
ALTER TABLE call ADD COLUMN recent_resumes TEXT NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN empty_streams BIGINT NOT NULL DEFAULT 0;
-- How often the carrier was asked about a call that nobody attached to.
ALTER TABLE call ADD COLUMN rescues BIGINT NOT NULL DEFAULT 0;
-- The carrier's final word about a call whose session runs elsewhere: its owner ends it.
ALTER TABLE call ADD COLUMN over_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN over_at BIGINT;
CREATE INDEX call_over ON call (over_at, id) WHERE over_at IS NOT NULL;
CREATE INDEX call_live ON call (owner, id) WHERE state = 'live';

-- One row for each process that may own calls. beat rises while the process lives.
CREATE TABLE process (
  id TEXT PRIMARY KEY,
  beat BIGINT NOT NULL,
  draining BOOLEAN NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE process;
DROP INDEX call_live;
DROP INDEX call_over;
ALTER TABLE call DROP COLUMN over_at;
ALTER TABLE call DROP COLUMN over_reason;
ALTER TABLE call DROP COLUMN rescues;
ALTER TABLE call DROP COLUMN empty_streams;
ALTER TABLE call DROP COLUMN recent_resumes;
