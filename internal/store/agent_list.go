package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"parley"
)

// ListAgents lists agents in the filter's order, ties by id in the same direction. It takes about as long
// for a million agents as for a thousand: which way it goes is decided by the counters (see agent_plan.go).
func (r *Reader) ListAgents(ctx context.Context, orgID string, f parley.AgentFilter) (parley.AgentPage, error) {
	l, err := r.prepareAgentList(ctx, orgID, f)
	if err != nil {
		return parley.AgentPage{}, fmt.Errorf("counting agents: %w", err)
	}
	page := parley.AgentPage{Agents: []parley.Agent{}, Offset: l.offset, Total: l.total}
	if l.total == 0 || l.total != uncounted && f.After == nil && l.offset >= l.total {
		return page, nil
	}
	more := false
	if page.Agents, more, err = l.page(ctx); err != nil {
		return parley.AgentPage{}, fmt.Errorf("listing agents: %w", err)
	}
	page.Total = l.total
	if n := len(page.Agents); more && n > 0 { // agents may have gone since they were counted
		page.Next = f.Cursor(page.Agents[n-1], l.offset+n)
	}
	return page, nil
}

// agentList is one call of ListAgents.
type agentList struct {
	r             *Reader
	orgID         string
	f             parley.AgentFilter
	folded        string // what is searched for
	column        string // sorted by
	limit, offset int
	types, states []string // of the agents that match the filters
	all           int      // agents of the organization, deleted ones too
	filtered      int      // agents that match the filters but for the search
	total         int      // agents that match, or uncounted
	common        bool     // the search matches too many for its index to help
}

func (r *Reader) prepareAgentList(ctx context.Context, orgID string, f parley.AgentFilter) (*agentList, error) {
	l := &agentList{r: r, orgID: orgID, f: f, folded: fold(f.Search), column: agentColumn(f.Sort), limit: f.Limit, offset: max(f.Offset, 0)}
	if l.limit <= 0 {
		l.limit = everything
	}
	if f.After != nil {
		l.offset = f.After.Offset
	}
	counts, err := r.countAgents(ctx, orgID)
	if err != nil {
		return nil, err
	}
	for state, n := range counts {
		l.all += n
		if state.matches(f) {
			l.filtered += n
			l.types, l.states = append(l.types, string(state.typ)), append(l.states, string(state.status))
		}
	}
	slices.Sort(l.types)
	slices.Sort(l.states)
	l.types, l.states = slices.Compact(l.types), slices.Compact(l.states)
	l.total = l.filtered
	if l.folded != "" && l.filtered > 0 {
		l.total, err = l.countFound(ctx)
	}
	return l, err
}

func agentColumn(sort string) string {
	switch sort {
	case "updatedAt":
		return "updated_at"
	case "name":
		return "name_folded"
	}
	return "created_at"
}

// everything is a limit that no table reaches.
const everything = 1 << 40

// page reads the agents of the page, in order, and whether others follow.
func (l *agentList) page(ctx context.Context) (agents []parley.Agent, more bool, err error) {
	switch {
	case l.few():
		agents, more, err = l.fetch(ctx, l.byFilter(), false)
	case l.folded == "" || l.common:
		agents, more, err = l.walk(ctx)
	case l.total == uncounted:
		agents, err = l.countAndFetch(ctx)
	default:
		agents, more, err = l.fetch(ctx, l.bySearch(), false)
	}
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(agents, func(a, b parley.Agent) int {
		order := cmp.Or(l.compare(a, b), cmp.Compare(a.ID, b.ID))
		if l.f.Ascending {
			return order
		}
		return -order
	})
	if len(agents) > l.limit { // one more was asked for, to see whether there is one
		return agents[:l.limit], true, nil
	}
	return agents, more, nil
}

func (l *agentList) compare(a, b parley.Agent) int {
	switch l.column {
	case "updated_at":
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case "name_folded":
		return cmp.Compare(fold(a.Name), fold(b.Name))
	}
	return a.CreatedAt.Compare(b.CreatedAt)
}

// fetch reads the agents whose ids the query finds, in any order.
func (l *agentList) fetch(ctx context.Context, ids query, more bool) ([]parley.Agent, bool, error) {
	q := `SELECT ` + agentColumns + ` FROM (` + ids.text + `) page CROSS JOIN agent WHERE agent.id = page.page_id`
	agents, err := list(ctx, l.r.q.replanned(), scanAgent, q, ids.args...)
	return agents, more, err
}
