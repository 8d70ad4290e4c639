package store

import (
	"context"

	"parley"
)

// countFound counts the agents that match the search, and decides whether it is a common one. PostgreSQL
// counts any number of candidates about as fast as it could walk; SQLite asks first how many there are, which
// it can without reading them.
func (l *agentList) countFound(ctx context.Context) (int, error) {
	if l.filtered <= l.r.q.few {
		w := &where{}
		l.byState(w)
		l.named(w)
		return l.count(ctx, `SELECT COUNT(*) FROM agent`+l.r.q.dialect.using("agent_by_filter")+w.String(), w)
	}
	if l.r.q.dialect.candidates != "" {
		w, bound := &where{}, max(l.all/commonFraction, l.r.q.few)
		text := w.tail(`SELECT COUNT(*) FROM (SELECT 1 FROM `+l.r.q.dialect.candidates+` LIMIT $?) c`, l.orgID, l.folded, bound)
		candidates, err := l.count(ctx, text, w)
		if err != nil || candidates == 0 {
			return 0, err
		}
		if l.common = candidates == bound; l.common {
			w = &where{}
			l.filter(w)
			l.named(w)
			return l.count(ctx, `SELECT COUNT(*) FROM agent`+l.r.q.dialect.using("agent_by_name")+w.String(), w)
		}
	}
	w := l.found()
	total, err := l.count(ctx, `SELECT COUNT(*) FROM agent_search`+w.String(), w)
	l.common = total*commonFraction >= l.filtered
	return total, err
}

func (l *agentList) count(ctx context.Context, text string, w *where) (n int, err error) {
	_, err = l.r.q.replanned().row(ctx, []any{&n}, text, w.args...)
	return n, err
}

// found are the conditions for rows of agent_search.
func (l *agentList) found() *where {
	w := &where{}
	w.add(l.r.q.dialect.matches, l.orgID, l.folded)
	l.filter(w)
	l.named(w)
	return w
}

// bySearch sorts all that the search finds.
func (l *agentList) bySearch() query {
	w := l.found()
	l.after(w, "agent_id")
	return query{`SELECT agent_id AS page_id FROM agent_search` + w.String() + l.order(l.column, "agent_id", false) + l.cut(w), w.args}
}

// walkSome looks through agents in the order of the list for the page of a common search, four times as many
// as the page needs if those that match lie evenly. When they lie otherwise, all of them are sorted.
func (l *agentList) walkSome(ctx context.Context) ([]parley.Agent, bool, error) {
	rows := l.offset + l.limit
	if l.f.After != nil {
		rows = min(l.limit, l.total)
	}
	if steps := 4*(rows*l.filtered/l.total) + 100; steps <= walkBound {
		agents, more, err := l.fetch(ctx, l.bounded(steps), false)
		if err != nil || len(agents) > l.limit {
			return agents, more, err
		}
	}
	return l.fetch(ctx, l.bySearch(), false)
}

func (l *agentList) bounded(steps int) query {
	w := &where{}
	l.filter(w)
	l.after(w, "id")
	inner := `SELECT id AS page_id, name_folded, ` + l.column + ` AS sorted FROM agent` + l.r.q.dialect.using(l.sortIndex()) + w.String() +
		l.order(l.column, "id", false) + w.tail(` LIMIT $?`, steps)
	outer := &where{args: w.args}
	l.named(outer)
	return query{`SELECT page_id FROM (` + inner + `) w` + outer.String() + l.order("sorted", "page_id", false) + l.cut(outer), outer.args}
}
