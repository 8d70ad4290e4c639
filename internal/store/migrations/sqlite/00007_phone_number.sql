-- +goose Up
-- What people and the carrier know of a number. search_folded is the number and the label's folded form.
ALTER TABLE phone_number ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE phone_number ADD COLUMN search_folded TEXT NOT NULL DEFAULT '';
ALTER TABLE phone_number ADD COLUMN source TEXT NOT NULL DEFAULT 'manual';
ALTER TABLE phone_number ADD COLUMN carrier_sid TEXT NOT NULL DEFAULT '';
ALTER TABLE phone_number ADD COLUMN setup_state TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE phone_number ADD COLUMN setup_message TEXT NOT NULL DEFAULT '';
ALTER TABLE phone_number ADD COLUMN setup_at BIGINT;
ALTER TABLE phone_number ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE phone_number ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
UPDATE phone_number SET updated_at = created_at, search_folded = number;
CREATE INDEX phone_number_by_created ON phone_number (org_id, created_at, id);

-- +goose Down
DROP INDEX phone_number_by_created;
ALTER TABLE phone_number DROP COLUMN revision;
ALTER TABLE phone_number DROP COLUMN updated_at;
ALTER TABLE phone_number DROP COLUMN setup_at;
ALTER TABLE phone_number DROP COLUMN setup_message;
ALTER TABLE phone_number DROP COLUMN setup_state;
ALTER TABLE phone_number DROP COLUMN carrier_sid;
ALTER TABLE phone_number DROP COLUMN source;
ALTER TABLE phone_number DROP COLUMN search_folded;
ALTER TABLE phone_number DROP COLUMN label;
