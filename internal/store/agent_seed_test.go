package store_test

import (
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// seedAgents stores n agents numbered from 1 in bulk, as fast as the databases can, and their derived rows as
// the migration makes them. Agent i is named "Agent i sales", of every 20 one "Agent i support", of every
// n/10 one "Agent i support rare"; those of the first half end in " early". 2 % are deleted, 0.1 % in training, a third chats.
func seedAgents(t testing.TB, st *store.Store, n int) (orgID string) {
	t.Helper()
	orgID = storetest.Organization(t, st).ID
	const agents = `INSERT INTO agent (id, org_id, name, name_folded, type, status, model, instructions, config, tool_ids,
			created_at, updated_at, deleted_at)
		WITH RECURSIVE n (i) AS (SELECT CAST($2 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < CAST($3 AS BIGINT)),
		named AS (SELECT i, ' ' || i || CASE WHEN i % CAST($4 AS BIGINT) = 0 THEN ' support rare' WHEN i % 20 = 0 THEN ' support' ELSE ' sales' END ||
			CASE WHEN i <= CAST($3 AS BIGINT) / 2 THEN ' early' ELSE '' END AS rest FROM n)
		SELECT substr(CAST($1 AS TEXT), 1, 24) || substr(CAST(1000000000000 + i * 7919 % 1000003 AS TEXT), 2), $1, 'Agent' || rest, 'agent' || rest,
			CASE i % 3 WHEN 0 THEN 'chat' ELSE 'voice' END,
			CASE WHEN i % 1000 = 1 THEN 'training' WHEN i % 10 = 2 THEN 'inactive' WHEN i % 10 < 5 THEN 'deployed' ELSE 'active' END,
			'gpt-4o', CAST($5 AS TEXT), '{}', '[]', 1700000000000000 + i * 1000, 1700000000000000 + i * 7919 % 1000003 * 1000,
			CASE i % 50 WHEN 7 THEN 1800000000000000 END FROM named`
	const search = `INSERT INTO agent_search (agent_id, org_id, name_folded, type, status, created_at, updated_at, deleted_at)
		SELECT id, org_id, name_folded, type, status, created_at, updated_at, deleted_at FROM agent WHERE org_id = $1`
	const tally = `INSERT INTO tally (org_id, what, shard, n)
		SELECT org_id, 'agent/' || type || '/' || status || CASE WHEN deleted_at IS NULL THEN '/live' ELSE '/deleted' END AS what, 0, COUNT(*)
		FROM agent WHERE org_id = $1 GROUP BY org_id, what`
	execute(t, st, agents, orgID, 1, n, max(n/10, 1), strings.Repeat("Be kind and brief. ", 30))
	index := ""
	if st.Dialect() == "postgres" { // building it afterward takes a tenth of the time
		const q = `SELECT indexdef FROM pg_indexes WHERE indexname = 'agent_search_grams'`
		if err := st.Writer().QueryRowContext(t.Context(), q).Scan(&index); err != nil {
			t.Fatal(err)
		}
		execute(t, st, `DROP INDEX agent_search_grams`)
	}
	execute(t, st, search, orgID)
	if index != "" {
		execute(t, st, index)
	}
	execute(t, st, tally, orgID)
	if st.Dialect() == "sqlite" { // as the migration does after a bulk load
		execute(t, st, `INSERT INTO agent_gram (agent_gram) VALUES ('optimize')`)
	}
	if st.Dialect() == "postgres" {
		execute(t, st, `VACUUM ANALYZE`)
	}
	return orgID
}

// execute runs a statement around the store.
func execute(t testing.TB, st *store.Store, query string, args ...any) {
	t.Helper()
	if _, err := st.Writer().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
