package store_test

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestMigrationsArePaired(t *testing.T) {
	t.Parallel()
	names := map[string][]string{}
	for _, dialect := range []string{"sqlite", "postgres"} {
		files, err := fs.Glob(store.Migrations(), "migrations/"+dialect+"/*.sql")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names[dialect] = append(names[dialect], f[strings.LastIndexByte(f, '/')+1:])
		}
	}
	if len(names["sqlite"]) == 0 || !slices.Equal(names["sqlite"], names["postgres"]) {
		t.Errorf("migrations differ: %q", names)
	}

	lite, pg := storetest.SQLite(t), storetest.Postgres(t)
	a := schema(t, lite, `SELECT m.name || '.' || p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'agent_gram%' AND m.name NOT LIKE 'passage_word%'`)
	delete(a, "agent_search.key") // SQLite's index of names is a table, agent_gram, which refers to this key
	delete(a, "passage.key")
	b := schema(t, pg, `SELECT table_name || '.' || column_name, upper(data_type) FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'`)
	for column, typ := range a {
		if typ == "BLOB" {
			a[column] = "BYTEA"
		}
	}
	if len(a) < 80 || !maps.Equal(a, b) {
		t.Errorf("schemas differ:\nsqlite   %v\npostgres %v", a, b)
	}

	indexes := func(st *store.Store, query string) []string { return slices.Sorted(maps.Keys(schema(t, st, query))) }
	x := indexes(lite, `SELECT name, '' FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`)
	y := indexes(pg, `SELECT indexname, '' FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE '%\_key ON%'
		AND indexname NOT LIKE '%\_pkey' AND indexname NOT LIKE '%\_key' AND indexname NOT IN ('agent_search_grams', 'passage_words')`)
	if len(x) == 0 || !slices.Equal(x, y) {
		t.Errorf("indexes differ:\nsqlite   %q\npostgres %q", x, y)
	}
}

func schema(t *testing.T, st *store.Store, query string) map[string]string {
	t.Helper()
	rows, err := st.Writer().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			t.Fatal(err)
		}
		out[name] = typ
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
