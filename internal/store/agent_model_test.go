package store_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// modelSize is well above the bound of what is few, so that lists go all ways.
const (
	modelSize = 1_500
	modelFew  = 200
)

// Random changes and random lists, compared with the plainest thing that could answer: a slice.
func TestAgentListsLikeAModel(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		const seed = 20260301
		st.SetFew(modelFew)
		m := &agentModel{t: t, st: st, random: rand.New(rand.NewPCG(seed, 1)), orgID: seedAgents(t, st, modelSize)}
		other := storetest.Organization(t, st)
		for _, name := range oddNames { // another tenant's, with the same names
			a := storetest.NewAgent(other.ID, parley.AgentVoice)
			a.Name = name
			storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, other.ID, a) })
		}
		page, err := st.ListAgents(t.Context(), m.orgID, parley.AgentFilter{IncludeDeleted: true})
		if err != nil || len(page.Agents) != modelSize {
			t.Fatalf("%d seeded agents, %v", len(page.Agents), err)
		}
		m.agents = page.Agents
		for range 200 {
			m.change()
		}
		for range 400 {
			m.check(m.filter())
			m.change()
		}
		m.readThrough()
	})
}

var oddNames = []string{
	"Straße 5", "STRASSE 6", "İstanbul", "istanbul", "ISTANBUL", "e\u0301mile", "Émile", "🎉", "👩‍👩‍👧 family", "ﬀ", "ǅ", "Σίσυφος", "ΣΊΣΥΦΟΣ",
	"a", "aa", "aaaa", "abcabcabc", "100%", `back\slash`, `"quote" OR *`, "' ; --", "  spaces  ", "漢字かな", "x\u0301\u0302\u0303", strings.Repeat("ß", parley.MaxAgentName),
}

var oddSearches = []string{
	"", "", "", "a", "A", "agent", "AGENT", "agent 1", "agent 1199", "77", "777", "1", "support", "t r", "rare", "early", "S EARLY", "nobody", "s", "ss", "ß", "ẞ", "i", "İ", "ı", "\u0301",
	"é", "🎉", "👩", "ff", "σ", "ς", "ΣΥΦ", "%", "_", `\`, `"`, "*", "'", " ", "  ", "漢", "字か", "aaa", "cab", "gent 5 sales", "ßßßßßß", " sales x", "OR", "x\u0301\u0302",
}

type agentModel struct {
	t      *testing.T
	st     *store.Store
	random *rand.Rand
	orgID  string
	agents []parley.Agent
	made   int
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

var statuses = []parley.AgentStatus{parley.AgentActive, parley.AgentInactive, parley.AgentTraining, parley.AgentDeployed}

// change creates, updates, renames, deletes or restores an agent, in the database and in the model.
func (m *agentModel) change() {
	m.t.Helper()
	r, now := m.random, storetest.Now()
	a := &m.agents[r.IntN(len(m.agents))]
	storetest.Write(m.t, m.st, func(ctx context.Context, tx *store.Tx) (err error) {
		switch what := r.IntN(5); {
		case what == 0:
			n := storetest.NewAgent(m.orgID, pick(r, parley.AgentVoice, parley.AgentChat))
			n.Name, n.Status = pick(r, oddNames...), pick(r, statuses...)
			n.CreatedAt = now.Truncate(time.Duration(pick(r, 1, 1e9))) // ties are common
			n.UpdatedAt = n.CreatedAt
			if n.Type == parley.AgentVoice && r.IntN(2) == 0 {
				m.made++
				n.PhoneNumbers = []string{fmt.Sprintf("+1555%07d", m.made), fmt.Sprintf("+1666%07d", m.made)}
			}
			err = tx.CreateAgent(ctx, m.orgID, n)
			m.agents = append(m.agents, n)
		case a.DeletedAt != nil:
			*a, err = tx.RestoreAgent(ctx, m.orgID, a.ID, now)
		case what == 1:
			err = tx.DeleteAgent(ctx, m.orgID, a.ID, now)
			a.DeletedAt, a.UpdatedAt, a.PhoneNumbers = &now, now, []string{}
			a.Revision++
		default:
			if what < 4 {
				a.Name = pick(r, oddNames...)
			}
			a.Status, a.UpdatedAt, a.Instructions = pick(r, statuses...), now, parley.NewID()
			err = tx.UpdateAgent(ctx, m.orgID, *a)
			a.Revision++
		}
		return err
	})
}

func (m *agentModel) filter() parley.AgentFilter {
	r := m.random
	return parley.AgentFilter{
		Type: pick(r, "", "", parley.AgentVoice, parley.AgentChat), Status: pick(r, append(statuses, "", "", "", "")...),
		Search: pick(r, oddSearches...), IncludeDeleted: r.IntN(3) == 0, Sort: pick(r, "", "createdAt", "updatedAt", "name"), Ascending: r.IntN(2) == 0,
		Limit: pick(r, 1, 2, 50, 100), Offset: pick(r, 0, 0, 1, 50, 400, 900, modelSize-200, r.IntN(modelSize+100)),
	}
}

// list is what the filter finds, all pages, in order.
func (m *agentModel) list(f parley.AgentFilter) []parley.Agent {
	found := []parley.Agent{}
	for _, a := range m.agents {
		if (f.Type == "" || a.Type == f.Type) && (f.Status == "" || a.Status == f.Status) && (f.IncludeDeleted || a.DeletedAt == nil) &&
			strings.Contains(store.Fold(a.Name), store.Fold(f.Search)) {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b parley.Agent) int {
		order := a.CreatedAt.Compare(b.CreatedAt)
		switch f.Sort {
		case "updatedAt":
			order = a.UpdatedAt.Compare(b.UpdatedAt)
		case "name":
			order = cmp.Compare(store.Fold(a.Name), store.Fold(b.Name))
		}
		if order = cmp.Or(order, cmp.Compare(a.ID, b.ID)); !f.Ascending {
			order = -order
		}
		return order
	})
	return found
}

func (m *agentModel) check(f parley.AgentFilter) parley.AgentPage {
	m.t.Helper()
	all := m.list(f)
	got, err := m.st.ListAgents(m.t.Context(), m.orgID, f)
	if err != nil {
		m.t.Fatalf("%+v: %v", f, err)
	}
	offset := f.Offset
	if f.After != nil {
		offset = f.After.Offset
	}
	first := min(offset, len(all))
	last := min(first+f.Limit, len(all))
	if got.Total != len(all) || got.Offset != offset || !slices.EqualFunc(got.Agents, all[first:last], equalAgents) || (got.Next != "") != (last < len(all) && last > first) {
		m.t.Fatalf("%+v: got %d of %d from %d, next %q; want %d of %d from %d\ngot  %v\nwant %v", f, len(got.Agents), got.Total, got.Offset, got.Next,
			last-first, len(all), offset, names(got.Agents), names(all[first:last]))
	}
	if got.Next == "" || f.After != nil || f.Limit == 1 {
		return got
	}
	f.After, err = f.ParseCursor(got.Next)
	if err != nil {
		m.t.Fatal(err)
	}
	m.check(f)
	return got
}

// readThrough follows cursors to the end while agents that are not listed come and go.
func (m *agentModel) readThrough() {
	for _, sort := range []string{"createdAt", "updatedAt", "name"} {
		f := parley.AgentFilter{Sort: sort, Limit: 100, Type: parley.AgentChat, Status: parley.AgentInactive, Search: "agent"}
		want, got := m.list(f), []parley.Agent{}
		for pages := 0; ; pages++ {
			page, err := m.st.ListAgents(m.t.Context(), m.orgID, f)
			if err != nil {
				m.t.Fatal(err)
			}
			got = append(got, page.Agents...)
			if page.Next == "" {
				break
			}
			if f.After, err = f.ParseCursor(page.Next); err != nil {
				m.t.Fatal(err)
			}
		}
		if !slices.EqualFunc(got, want, equalAgents) {
			m.t.Errorf("by %s: read %d agents, want %d", sort, len(got), len(want))
		}
	}
}

func equalAgents(a, b parley.Agent) bool { return reflect.DeepEqual(a, b) }

func names(agents []parley.Agent) (out []string) {
	for _, a := range agents {
		out = append(out, a.ID[24:]+" "+a.Name)
	}
	return out
}
