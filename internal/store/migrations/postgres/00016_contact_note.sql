-- +goose Up
-- What agents remember of a person, by the key that the model chose. contact_id is the server's own word for who it is.
CREATE TABLE contact_note (
  org_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
  contact_id TEXT COLLATE "C" NOT NULL,
  note_key TEXT COLLATE "C" NOT NULL,
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, contact_id, note_key)
);

-- Where web_search asks: '' = nowhere. The key is sealed.
ALTER TABLE organization ADD COLUMN web_search_provider TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN web_search_url TEXT NOT NULL DEFAULT '';
ALTER TABLE organization ADD COLUMN web_search_key BYTEA;

-- +goose Down
ALTER TABLE organization DROP COLUMN web_search_key;
ALTER TABLE organization DROP COLUMN web_search_url;
ALTER TABLE organization DROP COLUMN web_search_provider;
DROP TABLE contact_note;
