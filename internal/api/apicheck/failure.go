package apicheck

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// fail notes a problem, a kind of it only once, with the smallest request that still shows it.
func (c *checker) fail(ctx context.Context, e *exchange, problem string) {
	id := "unknown path"
	if e.op != nil {
		id = e.op.id
	}
	kind := id + " " + string(e.want) + " " + firstLine(problem)
	if i, ok := c.found[kind]; ok {
		c.report.Failures[i].Count++
		return
	}
	c.found[kind] = len(c.report.Failures)
	small := c.shrink(ctx, e, problem)
	answer := string(small.answer[:min(len(small.answer), 600)])
	c.report.Failures = append(c.report.Failures, Failure{Operation: id, Problem: problem, Count: 1, Curl: small.curl(), Status: small.status, Answer: answer})
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// firstLine names the kind of a problem.
func firstLine(s string) string {
	line, _, _ := strings.Cut(anyID.ReplaceAllLiteralString(s, "ID"), "\n")
	return line[:min(len(line), 80)]
}

// shrink leaves out members of the body and parameters of the query as long as the problem stays. It sends
// the request again, so it is only tried where that is no other story: not for bodies that must stay whole.
func (c *checker) shrink(ctx context.Context, e *exchange, problem string) *exchange {
	best := e
	same := func(try *exchange) bool {
		return c.send(ctx, try) == nil && slices.ContainsFunc(c.judge(try), func(p string) bool { return firstLine(p) == firstLine(problem) })
	}
	for range 40 {
		shrunk := false
		for _, less := range smaller(best) {
			if e.op != nil && e.value != nil && e.want == accepted && c.doc.validate(e.op.bodyAt, less.value) != nil {
				continue
			}
			if e.op != nil && e.value != nil && e.want == refused && c.doc.validate(e.op.bodyAt, less.value) == nil {
				continue
			}
			if same(less) {
				best, shrunk = less, true
				break
			}
		}
		if !shrunk {
			break
		}
	}
	return best
}

// smaller are the requests with one member or parameter less.
func smaller(e *exchange) []*exchange {
	var out []*exchange
	with := func(change func(*exchange)) {
		c := *e
		change(&c)
		out = append(out, &c)
	}
	path, query, ok := strings.Cut(e.target, "?")
	if parts := strings.Split(query, "&"); ok && e.want == accepted {
		for i := range parts {
			with(func(c *exchange) {
				c.target = strings.TrimSuffix(path+"?"+strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "&"), "?")
			})
		}
	}
	body, ok := e.value.(node)
	if !ok {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		less := maps.Clone(body)
		delete(less, name)
		with(func(c *exchange) { c.value, c.body = less, encode(less) })
		if inner, ok := body[name].(node); ok {
			for _, key := range slices.Sorted(maps.Keys(inner)) {
				in := maps.Clone(inner)
				delete(in, key)
				outer := maps.Clone(body)
				outer[name] = in
				with(func(c *exchange) { c.value, c.body = outer, encode(outer) })
			}
		}
	}
	return out
}
