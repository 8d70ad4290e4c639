package store_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestMeasureAgents prints how long lists and writes take with PARLEY_MEASURE_AGENTS agents in one
// organization. It judges nothing.
func TestMeasureAgents(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PARLEY_MEASURE_AGENTS"))
	if err != nil {
		t.Skip("PARLEY_MEASURE_AGENTS is not set")
	}
	for name, open := range map[string]func(testing.TB) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			began := time.Now()
			orgID := seedAgents(t, st, n)
			t.Logf("%d agents seeded in %v", n, time.Since(began).Round(time.Second))
			measureLists(t, st, orgID, n)
			measureWrites(t, st, orgID)
		})
	}
}

func measureLists(t *testing.T, st *store.Store, orgID string, n int) {
	ctx := t.Context()
	list := func(name string, f parley.AgentFilter) (page parley.AgentPage) {
		if f.Limit == 0 {
			f.Limit = 50
		}
		measure(t, name, func() (err error) {
			page, err = st.ListAgents(ctx, orgID, f)
			return err
		}, func() string { return fmt.Sprintf("%d of %d", len(page.Agents), page.Total) })
		return page
	}
	for _, sort := range []string{"createdAt", "updatedAt", "name"} {
		f := parley.AgentFilter{Sort: sort}
		list(sort+", first page", f)
		f.Offset = n / 2
		page := list(sort+", offset n/2", f)
		if c, err := f.ParseCursor(page.Next); err == nil {
			list(sort+", cursor at n/2", parley.AgentFilter{Sort: sort, After: c})
		}
		f.Offset = n - n/50 - 100
		list(sort+", offset at the end", f)
	}
	list("100 a page", parley.AgentFilter{Limit: 100})
	list("with deleted", parley.AgentFilter{IncludeDeleted: true, Offset: n / 2})
	list("voice", parley.AgentFilter{Type: parley.AgentVoice})
	list("voice, offset n/3", parley.AgentFilter{Type: parley.AgentVoice, Offset: n / 3})
	list("training, by name", parley.AgentFilter{Status: parley.AgentTraining, Sort: "name"})
	list("inactive chats, last page", parley.AgentFilter{Status: parley.AgentInactive, Type: parley.AgentChat, Offset: n/30 - n/1000})
	for _, search := range []string{"nobody", "rare", "777", "support", "99", "7", "early", "agent", "AGENT 5", "a"} {
		list("search "+search, parley.AgentFilter{Search: search})
		list("search "+search+", voice, by name", parley.AgentFilter{Search: search, Type: parley.AgentVoice, Sort: "name"})
	}
	list("search agent, offset n/2", parley.AgentFilter{Search: "agent", Offset: n / 2})
	list("search agent in training", parley.AgentFilter{Search: "agent", Status: parley.AgentTraining})
	id := list("one", parley.AgentFilter{Limit: 1}).Agents[0].ID
	measure(t, "find", func() error {
		_, err := st.FindAgent(ctx, orgID, id)
		return err
	}, nil)
}

func measureWrites(t *testing.T, st *store.Store, orgID string) {
	ctx := t.Context()
	var last parley.Agent
	write := func(name string, fn func(tx *store.Tx) error) {
		measure(t, name, func() error { return st.Write(ctx, fn) }, nil)
	}
	write("create", func(tx *store.Tx) error {
		last = storetest.NewAgent(orgID, parley.AgentVoice)
		last.Name = "Agent for the support of customers"
		return tx.CreateAgent(ctx, orgID, last)
	})
	write("update", func(tx *store.Tx) error {
		a, err := tx.FindAgent(ctx, orgID, last.ID)
		if err != nil {
			return err
		}
		a.Instructions, a.UpdatedAt = parley.NewID(), storetest.Now()
		return tx.UpdateAgent(ctx, orgID, a)
	})
	write("rename", func(tx *store.Tx) error {
		a, err := tx.FindAgent(ctx, orgID, last.ID)
		if err != nil {
			return err
		}
		a.Name, a.UpdatedAt = "Agent "+parley.NewID(), storetest.Now()
		return tx.UpdateAgent(ctx, orgID, a)
	})
	write("delete and restore", func(tx *store.Tx) error {
		if err := tx.DeleteAgent(ctx, orgID, last.ID, storetest.Now()); err != nil {
			return err
		}
		_, err := tx.RestoreAgent(ctx, orgID, last.ID, storetest.Now())
		return err
	})
	began := time.Now()
	const writers, each = 8, 100
	done := make(chan error, writers)
	for range writers {
		go func() {
			var failed error
			for range each {
				a := storetest.NewAgent(orgID, parley.AgentChat)
				failed = cmp.Or(failed, st.Write(ctx, func(tx *store.Tx) error { return tx.CreateAgent(ctx, orgID, a) }))
			}
			done <- failed
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%-36s %.0f creates/s", "8 writers", writers*each/time.Since(began).Seconds())
}

// measure prints the shortest and the median of some runs.
func measure(t *testing.T, name string, run func() error, what func() string) {
	t.Helper()
	const runs = 11
	took := make([]time.Duration, runs)
	for i := range took {
		began := time.Now()
		if err := run(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	result := ""
	if what != nil {
		result = what()
	}
	ms := func(d time.Duration) string { return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 2, 64) }
	t.Logf("%-36s min %8s ms  median %8s ms  %s", name, ms(took[0]), ms(took[runs/2]), result)
}
