-- +goose Up
-- Credentials that an organization stores under a name, for its tools to refer to. The value is sealed.
CREATE TABLE secret (
  org_id TEXT NOT NULL REFERENCES organization (id),
  name TEXT COLLATE "C" NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (org_id, name)
);

-- +goose Down
DROP TABLE secret;
