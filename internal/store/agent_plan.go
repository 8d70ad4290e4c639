package store

import (
	"context"
	"strings"

	"parley"
)

// There are three ways to the ids of a page of agents:
//
//   - the walk goes along the index of the sort order, which covers filters and names, and stops at the page.
//     Past the middle it starts from the other end;
//   - by filter: all agents of the wanted types and statuses are read and sorted, when the counters say that
//     they are few;
//   - by search: the index of names gives the candidates, which are checked and sorted. When they are too many,
//     the list is walked.
const (
	fewAgents      = 5_000 // read and sorted in a few milliseconds
	walkSteps      = 20    // steps along an index that cost as much as reading and sorting one agent
	commonFraction = 16    // a search is common when it has candidates among one in so many agents,
	// or matches one in countedFraction, where counting has already read all candidates
	countedFraction = 64
)

// query is the text and arguments of a statement.
type query struct {
	text string
	args []any
}

// few reports whether reading all that match the filters is better than walking.
func (l *agentList) few() bool {
	return l.filtered <= l.r.q.few || l.folded == "" && l.f.After == nil && l.filtered*walkSteps <= l.steps()
}

// steps is how far a walk to the end of the page goes if the agents that match lie evenly.
func (l *agentList) steps() int {
	skip := min(l.offset, l.total-l.offset)
	return (skip + min(l.limit, l.total)) * l.all / max(l.total, 1)
}

// filter adds the conditions on an agent's columns but for its name.
func (l *agentList) filter(w *where) {
	w.add(`org_id = $?`, l.orgID)
	if l.f.Type != "" {
		w.add(`type = $?`, string(l.f.Type))
	}
	if l.f.Status != "" {
		w.add(`status = $?`, string(l.f.Status))
	}
	if !l.f.IncludeDeleted {
		w.add(`deleted_at IS NULL`)
	}
}

// named adds the condition on the name.
func (l *agentList) named(w *where) {
	if l.folded != "" {
		w.add(l.r.q.dialect.position+`(name_folded, $?) > 0`, l.folded)
	}
}

// after adds the condition that rows lie behind the cursor.
func (l *agentList) after(w *where, column, id string) {
	c := l.f.After
	if c == nil {
		return
	}
	than := ` < `
	if l.f.Ascending {
		than = ` > `
	}
	var value any = micros(c.Time)
	if l.column == "name_folded" {
		value = fold(c.Name)
	}
	w.add(`(`+column+`, `+id+`)`+than+`($?, $?)`, value, c.ID)
}

// order is the ORDER BY of the list, or of the list from its other end.
func (l *agentList) order(column, id string, reverse bool) string {
	direction := ` DESC`
	if l.f.Ascending != reverse {
		direction = ` ASC`
	}
	return ` ORDER BY ` + column + direction + `, ` + id + direction
}

// cut is the LIMIT of the page and one more. A cursor has skipped the offset already.
func (l *agentList) cut(w *where) string {
	if l.f.After != nil {
		return w.tail(` LIMIT $?`, l.limit+1)
	}
	return w.tail(` LIMIT $? OFFSET $?`, l.limit+1, l.offset)
}

// walk goes along the index of the order.
func (l *agentList) walk(ctx context.Context) ([]parley.Agent, bool, error) {
	w := &where{}
	l.filter(w)
	l.named(w)
	l.after(w, l.column, "id")
	from := `SELECT id AS page_id FROM agent` + l.r.q.dialect.using(l.sortIndex()) + w.String()
	if l.f.After != nil || l.offset <= l.total/2 {
		return l.fetch(ctx, query{from + l.order(l.column, "id", false) + l.cut(w), w.args}, false)
	}
	n := min(l.limit, l.total-l.offset)
	last := l.total - l.offset - n // agents behind the page
	tail := w.tail(` LIMIT $? OFFSET $?`, n, last)
	return l.fetch(ctx, query{from + l.order(l.column, "id", true) + tail, w.args}, last > 0)
}

func (l *agentList) sortIndex() string {
	return map[string]string{"created_at": "agent_by_created", "updated_at": "agent_by_updated", "name_folded": "agent_by_name"}[l.column]
}

// byFilter reads all that match. The inner query is kept apart: its index must be that of the filters.
func (l *agentList) byFilter() query {
	w := &where{}
	l.byState(w)
	l.named(w)
	l.after(w, l.column, "id")
	inner := `SELECT id AS page_id, ` + l.column + ` AS sorted FROM agent` + l.r.q.dialect.using("agent_by_filter") + w.String()
	return query{`WITH m AS MATERIALIZED (` + inner + `) SELECT page_id FROM m` + l.order("sorted", "page_id", false) + l.cut(w), w.args}
}

// byState adds the filters in the form that agent_by_filter answers: every column of it is named.
func (l *agentList) byState(w *where) {
	w.add(`org_id = $?`, l.orgID)
	w.add(`type IN (`+strings.Repeat(`, $?`, len(l.types))[2:]+`)`, texts(l.types)...)
	w.add(`status IN (`+strings.Repeat(`, $?`, len(l.states))[2:]+`)`, texts(l.states)...)
	if !l.f.IncludeDeleted {
		w.add(`deleted_at IS NULL`)
	}
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
