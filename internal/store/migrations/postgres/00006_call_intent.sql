-- +goose Up
-- What an intent needs beside its name: JSON of parley.Errand, '' when there is none.
ALTER TABLE call ADD COLUMN intent_data TEXT NOT NULL DEFAULT '';
-- How often the stream was attached again because the server had closed it on purpose; resumes counts the losses.
ALTER TABLE call ADD COLUMN returns BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE call DROP COLUMN returns;
ALTER TABLE call DROP COLUMN intent_data;
