package store

import (
	"context"

	"parley"
)

// uncounted is the total of a search that is counted with its page.
const uncounted = -1

// countFound counts the agents that match the search, and decides whether it is a common one. PostgreSQL
// counts any number of candidates about as fast as it could walk; SQLite asks first how many there are, which
// it can without reading them.
func (l *agentList) countFound(ctx context.Context) (total int, err error) {
	d := l.r.q.dialect
	w := &where{}
	if l.filtered <= l.r.q.few {
		l.byState(w)
		l.named(w)
		return l.count(ctx, `agent`+d.using("agent_by_filter"), w)
	}
	if d.candidates == "" {
		total, err = l.countMatches(ctx)
		l.common = total*countedFraction >= l.filtered
		return total, err
	}
	bound := max(l.all/commonFraction, l.r.q.few)
	w.add(d.matches, l.orgID, l.folded)
	some := `(SELECT 1 FROM ` + d.candidates + w.String() + w.tail(` LIMIT $?`, bound) + `) c`
	candidates, err := l.count(ctx, some, &where{args: w.args})
	if err != nil || candidates == 0 {
		return 0, err
	}
	if l.common = candidates == bound; !l.common {
		return uncounted, nil
	}
	w = &where{}
	l.filter(w)
	l.named(w)
	return l.count(ctx, `agent`+d.using("agent_by_name"), w)
}

func (l *agentList) count(ctx context.Context, from string, w *where) (n int, err error) {
	_, err = l.r.q.replanned().row(ctx, []any{&n}, `SELECT COUNT(*) FROM `+from+w.String(), w.args...)
	return n, err
}

func (l *agentList) countMatches(ctx context.Context) (int, error) {
	return l.count(ctx, l.r.q.dialect.named, l.found())
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
	l.after(w, l.column, "agent_id")
	return query{`SELECT agent_id AS page_id FROM ` + l.r.q.dialect.named + w.String() + l.order(l.column, "agent_id", false) + l.cut(w), w.args}
}

// countAndFetch is bySearch for a search that was not counted: reading the candidates once gives the page and
// the total.
func (l *agentList) countAndFetch(ctx context.Context) ([]parley.Agent, error) {
	w := l.found()
	all := `WITH m AS MATERIALIZED (SELECT agent_id AS page_id, ` + l.column + ` AS sorted FROM ` + l.r.q.dialect.named + w.String() + `)`
	w = &where{args: w.args}
	l.after(w, "sorted", "page_id")
	q := all + ` SELECT ` + agentColumns + `, (SELECT COUNT(*) FROM m) FROM (SELECT page_id FROM m` + w.String() +
		l.order("sorted", "page_id", false) + l.cut(w) + `) page CROSS JOIN agent WHERE agent.id = page.page_id`
	agents, err := list(ctx, l.r.q.replanned(), func(s scanner) (parley.Agent, error) { return scanAgent(andTotal{s, &l.total}) }, q, w.args...)
	if err == nil && len(agents) == 0 { // beyond the end
		l.total, err = l.countMatches(ctx)
	}
	return agents, err
}

// andTotal scans one more column.
type andTotal struct {
	scanner
	total *int
}

func (a andTotal) Scan(dest ...any) error { return a.scanner.Scan(append(dest, a.total)...) }
