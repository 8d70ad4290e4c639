package store_test

import (
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// planSize is enough agents for the planner to see what it would see with a million.
const planSize = 20_000

// Each statement of a list uses the index that it is meant to use: walks follow a covering one and sort
// nothing, and nothing reads a table to its end.
func TestAgentListsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) { checkListPlans(t, st, seedAgents(t, st, planSize)) })
}

func checkListPlans(t *testing.T, st *store.Store, orgID string) {
	t.Helper()
	const tally, grams, filter = "tally", "agent_search_grams", "agent_by_filter"
	common := []string{grams, "agent_by_name"} // SQLite counts candidates first
	if st.Dialect() == "postgres" {
		common = common[:1]
	}
	first, err := st.ListAgents(t.Context(), orgID, parley.AgentFilter{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	after, err := parley.AgentFilter{}.ParseCursor(first.Next)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f     parley.AgentFilter
		index []string // of each statement after the counters'
		walks bool     // the last one
	}{
		"first page":      {parley.AgentFilter{}, []string{"agent_by_created"}, true},
		"by update":       {parley.AgentFilter{Sort: "updatedAt", Ascending: true}, []string{"agent_by_updated"}, true},
		"by name":         {parley.AgentFilter{Sort: "name"}, []string{"agent_by_name"}, true},
		"deleted too":     {parley.AgentFilter{IncludeDeleted: true, Offset: planSize / 2}, []string{"agent_by_created"}, true},
		"the end":         {parley.AgentFilter{Offset: planSize * 9 / 10}, []string{"agent_by_created"}, true},
		"cursor":          {parley.AgentFilter{After: after}, []string{"agent_by_created"}, true},
		"one type":        {parley.AgentFilter{Type: parley.AgentVoice}, []string{"agent_by_created"}, true},
		"few of a status": {parley.AgentFilter{Status: parley.AgentTraining}, []string{filter}, false},
		"rare words":      {parley.AgentFilter{Search: "rare", Sort: "name"}, []string{grams, grams}, false},
		"unknown words":   {parley.AgentFilter{Search: "nobody"}, []string{grams}, false},
		"words of few":    {parley.AgentFilter{Search: "sales", Status: parley.AgentTraining}, []string{filter, filter}, false},
		"common words":    {parley.AgentFilter{Search: "sales"}, append(slices.Clone(common), "agent_by_created"), true},
		"common, by name": {parley.AgentFilter{Search: "a", Sort: "name"}, append(slices.Clone(common), "agent_by_name"), true},
		"common, far off": {parley.AgentFilter{Search: "early"}, append(slices.Clone(common), "agent_by_created"), true},
	} {
		c.f.Limit = 50
		seen := observe(st, func() {
			if _, err := st.ListAgents(t.Context(), orgID, c.f); err != nil {
				t.Fatal(err)
			}
		})
		want := append([]string{tally}, c.index...)
		if len(seen) != len(want) {
			t.Errorf("%s: %d statements, want %d", name, len(seen), len(want))
			continue
		}
		for i, s := range seen {
			checkListPlan(t, st, name, s, want[i], c.walks && i == len(seen)-1)
		}
	}
}

func checkListPlan(t *testing.T, st *store.Store, name string, s statement, index string, walks bool) {
	t.Helper()
	conn, err := st.Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	plan := explain(t, conn, st.Dialect(), s.query, s.args)
	sorts, covers := "Sort ", "Index Only Scan"
	if st.Dialect() == "sqlite" {
		index = strings.Replace(index, "agent_search_grams", "agent_gram VIRTUAL TABLE INDEX", 1)
		sorts, covers = "TEMP B-TREE FOR ORDER BY", "USING COVERING INDEX "+index
	}
	if !strings.Contains(plan, index) || scans(plan) || walks && (!strings.Contains(plan, covers) || strings.Contains(sortsOnly(plan), sorts)) {
		t.Errorf("%s: want %s, walking %t\n%s\n%s", name, index, walks, s.query, plan)
	}
}

// sortsOnly leaves out the ordering of an agent's phone numbers.
func sortsOnly(plan string) string {
	before, _, _ := strings.Cut(plan, "SubPlan")
	return before
}
