-- +goose Up
-- What an agent can look up. Documents of a deleted agent stay, for it can be restored.
CREATE TABLE document (
  id TEXT PRIMARY KEY,
  org_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  name TEXT NOT NULL,
  format TEXT NOT NULL,
  url TEXT NOT NULL,
  content TEXT NOT NULL,
  characters BIGINT NOT NULL,
  passages BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (org_id, id),
  FOREIGN KEY (org_id, agent_id) REFERENCES agent (org_id, id)
);
CREATE INDEX document_by_agent ON document (org_id, agent_id, created_at, id);

-- A document's text in pieces. words are what they are found by: folded, each with the agent's own prefix, so that one
-- tenant's documents never lengthen another's searches. The key is explicit: VACUUM must not renumber it.
CREATE TABLE passage (
  key INTEGER PRIMARY KEY,
  org_id TEXT NOT NULL,
  document_id TEXT NOT NULL,
  seq BIGINT NOT NULL,
  heading TEXT NOT NULL,
  text TEXT NOT NULL,
  words TEXT NOT NULL,
  UNIQUE (org_id, document_id, seq),
  FOREIGN KEY (org_id, document_id) REFERENCES document (org_id, id) ON DELETE CASCADE
);

-- The words are folded by the server: the tokenizer only splits at spaces.
CREATE VIRTUAL TABLE passage_word USING fts5 (words, content = '', contentless_delete = 1, tokenize = 'ascii');
INSERT INTO passage_word (passage_word, rank) VALUES ('automerge', 8);

-- +goose StatementBegin
CREATE TRIGGER passage_insert AFTER INSERT ON passage BEGIN
  INSERT INTO passage_word (rowid, words) VALUES (new.key, new.words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER passage_delete AFTER DELETE ON passage BEGIN
  DELETE FROM passage_word WHERE rowid = old.key;
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE passage;
DROP TABLE passage_word;
DROP TABLE document;
