-- +goose Up
-- What an agent can look up. Documents of a deleted agent stay, for it can be restored.
CREATE TABLE document (
  id TEXT COLLATE "C" PRIMARY KEY,
  org_id TEXT COLLATE "C" NOT NULL,
  agent_id TEXT COLLATE "C" NOT NULL,
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
-- tenant's documents never lengthen another's searches.
CREATE TABLE passage (
  org_id TEXT COLLATE "C" NOT NULL,
  document_id TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL,
  heading TEXT NOT NULL,
  text TEXT NOT NULL,
  words TEXT NOT NULL,
  UNIQUE (org_id, document_id, seq),
  FOREIGN KEY (org_id, document_id) REFERENCES document (org_id, id) ON DELETE CASCADE
);

-- The words with their places, without PostgreSQL's own parser: the server has folded and split them.
CREATE FUNCTION parley_vector(words TEXT) RETURNS TSVECTOR
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT COALESCE(string_agg('''' || w || ''':' || least(i, 16383), ' '), '')::tsvector
  FROM unnest(string_to_array(words, ' ')) WITH ORDINALITY AS t (w, i) WHERE w <> '');

-- Without a pending list: no search has to read one.
CREATE INDEX passage_words ON passage USING gin (parley_vector(words)) WITH (fastupdate = off);

-- +goose Down
DROP TABLE passage;
DROP TABLE document;
DROP FUNCTION parley_vector;
