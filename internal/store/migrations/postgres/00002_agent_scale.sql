-- +goose Up
ALTER TABLE agent ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;

-- Exact totals without counting. A counter is spread over shards, which are summed: transactions of one
-- organization would otherwise wait for each other's row. Room in each page keeps its updates in the page.
CREATE TABLE tally (
  org_id TEXT COLLATE "C" NOT NULL REFERENCES organization (id),
  what TEXT COLLATE "C" NOT NULL,
  shard BIGINT NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (org_id, what, shard)
) WITH (fillfactor = 50);
INSERT INTO tally (org_id, what, shard, n)
SELECT org_id, 'agent/' || type || '/' || status || CASE WHEN deleted_at IS NULL THEN '/live' ELSE '/deleted' END AS what, 0, COUNT(*)
FROM agent GROUP BY org_id, what;

-- The sort indexes cover what lists filter and search by: skipping an offset, or agents whose names do not
-- match, never touches the table.
DROP INDEX agent_by_created;
DROP INDEX agent_by_updated;
DROP INDEX agent_by_name;
CREATE INDEX agent_by_created ON agent (org_id, created_at, id) INCLUDE (type, status, deleted_at, name_folded);
CREATE INDEX agent_by_updated ON agent (org_id, updated_at, id) INCLUDE (type, status, deleted_at, name_folded);
CREATE INDEX agent_by_name ON agent (org_id, name_folded, id) INCLUDE (type, status, deleted_at);
CREATE INDEX agent_by_filter ON agent (org_id, type, status, deleted_at);

-- What a search reads of an agent, narrow and apart from the agent, so that a change of the agent does not
-- touch the index of its name (only name_folded is indexed; the rest is updated in place).
CREATE TABLE agent_search (
  agent_id TEXT COLLATE "C" PRIMARY KEY REFERENCES agent (id) ON DELETE CASCADE,
  org_id TEXT COLLATE "C" NOT NULL,
  name_folded TEXT COLLATE "C" NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT
) WITH (fillfactor = 90);

-- The 1- to 3-grams of a text, hashed with the organization, so that one tenant's names never lengthen
-- another's searches.
CREATE FUNCTION parley_grams(org TEXT, folded TEXT) RETURNS BIGINT[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT hashtextextended(substr(folded, i, n), hashtextextended(org, 0))
  FROM generate_series(1, 3) AS n, generate_series(1, length(folded) - n + 1) AS i);

-- The grams that a text containing folded must have: folded cut into threes, or itself when it is shorter.
CREATE FUNCTION parley_match(org TEXT, folded TEXT) RETURNS BIGINT[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(SELECT hashtextextended(substr(folded, greatest(least(i, length(folded) - 2), 1), 3), hashtextextended(org, 0))
  FROM generate_series(1, length(folded), 3) AS i);

INSERT INTO agent_search (agent_id, org_id, name_folded, type, status, created_at, updated_at, deleted_at)
SELECT id, org_id, name_folded, type, status, created_at, updated_at, deleted_at FROM agent;

-- Without a pending list: no search has to read one and no create has to empty it.
CREATE INDEX agent_search_grams ON agent_search USING gin (parley_grams(org_id, name_folded)) WITH (fastupdate = off);

-- +goose Down
DROP TABLE agent_search;
DROP FUNCTION parley_match;
DROP FUNCTION parley_grams;
DROP INDEX agent_by_filter;
DROP INDEX agent_by_created;
DROP INDEX agent_by_updated;
DROP INDEX agent_by_name;
CREATE INDEX agent_by_created ON agent (org_id, created_at, id);
CREATE INDEX agent_by_updated ON agent (org_id, updated_at, id);
CREATE INDEX agent_by_name ON agent (org_id, name_folded, id);
DROP TABLE tally;
ALTER TABLE agent DROP COLUMN revision;
