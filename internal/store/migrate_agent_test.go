package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// Agents that are older than the counters and the index of names are found as others are, and several
// processes may start the upgrade at once.
func TestUpgradeCountsAndIndexesAgents(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]store.Options{
		"sqlite":   {Path: filepath.Join(t.TempDir(), "parley.db")},
		"postgres": {URL: storetest.PostgresURL(t)},
	} {
		old, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		org := storetest.Organization(t, old)
		if err := old.MigrateTo(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for i, text := range []string{"Straße 1", "Straße 2", "Ada"} {
			const q = `INSERT INTO agent (id, org_id, name, name_folded, type, status, model, instructions, config, tool_ids, created_at, updated_at, deleted_at)
				VALUES ($1, $2, $3, $4, 'chat', 'active', '', '', '{}', '[]', 1, 1, $5)`
			var deleted *int
			if i == 1 {
				deleted = &i
			}
			execute(t, old, q, parley.NewID(), org.ID, text, store.Fold(text), deleted)
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				st, err := store.Open(t.Context(), o)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer st.Close()
				for f, want := range map[parley.AgentFilter]int{
					{}: 2, {IncludeDeleted: true}: 3, {Search: "STRASSE"}: 1, {Search: "asse", IncludeDeleted: true}: 2,
					{Status: parley.AgentInactive}: 0, {Search: "e 2"}: 0,
				} {
					page, err := st.ListAgents(t.Context(), org.ID, f)
					if err != nil || page.Total != want || len(page.Agents) != want {
						t.Errorf("%s: %+v: %d agents of %d, %v; want %d", name, f, len(page.Agents), page.Total, err, want)
					}
				}
				for text, want := range map[string]int{"strasse": 2, "ada": 1, "da": 1, "x": 0} {
					if got := st.Candidates(t.Context(), org.ID, text); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s: %q has %v candidates, want %d", name, text, got, want)
					}
				}
			})
		}
		wg.Wait()
	}
}
