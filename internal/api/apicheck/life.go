package apicheck

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// life creates a resource and follows it: read, changed, deleted, gone, restored, as far as the document has
// such operations.
func (c *checker) life(ctx context.Context, create *operation) error {
	born, err := c.plain(create)
	if err != nil {
		return err
	}
	if err := c.try(ctx, born); err != nil || born.status != http.StatusCreated {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(born.answer))
	id := text(object(object(value)["data"])["id"])
	if err != nil || id == "" || c.pool.items[create.path] == "" {
		return nil //nolint:nilerr // an answer that is no JSON was reported by try
	}
	at, _, _ := strings.Cut(born.target, "?")
	l := life{id: id, at: at + "/" + id, item: c.pool.items[create.path], kind: map[string]string{"type": text(object(object(value)["data"])["type"])}, born: create.id}
	for i, s := range lifeSteps {
		if i == len(lifeSteps)-1 && c.find("POST", l.item+"/restore") == nil {
			break // it stays gone
		}
		if ok, err := c.step(ctx, &l, s); err != nil || !ok {
			return err
		}
	}
	return nil
}

// life is a resource that is followed.
type life struct {
	id, item, born string
	at             string // where it is: item with the ids of what it is part of
	kind           map[string]string
	etag, stale    string // of its last answer and of the one before
	gone           bool   // a DELETE said so: revoking a key leaves it to be seen
}

type lifeStep struct {
	method, suffix string
	status         int
	stale          bool // with the ETag of an earlier state
}

var lifeSteps = []lifeStep{{"GET", "", 200, false}, {"PATCH", "", 200, false}, {"PATCH", "", 412, true}, {"PUT", "", 200, false}, {"DELETE", "", 200, false}, {"GET", "", 404, false}, {"DELETE", "", 404, false},
	{"PATCH", "", 404, false}, {"POST", "/restore", 200, false}, {"GET", "", 200, false}}

func (c *checker) step(ctx context.Context, l *life, s lifeStep) (ok bool, err error) {
	op := c.find(s.method, l.item+s.suffix)
	if op == nil || s.status == 404 && !l.gone || s.stale && l.stale == l.etag {
		return true, nil
	}
	e := &exchange{op: op, want: accepted, note: fmt.Sprintf("after %s, %d expected", l.born, s.status), method: s.method, header: http.Header{"X-Api-Key": {c.opt.Key}}}
	e.target = l.at + s.suffix
	if op.body != nil {
		if err := c.fill(e, l.kind); err != nil {
			return false, err
		}
	}
	if op.takes("If-Match") && l.etag != "" {
		e.header.Set("If-Match", l.etag)
		if s.stale {
			e.header.Set("If-Match", l.stale)
		}
	}
	if err := c.try(ctx, e); err != nil {
		return false, err
	}
	taken := e.status == http.StatusConflict && op.body != nil // a unique value
	if e.status != s.status && !taken && !c.excused(e) {
		c.fail(ctx, e, fmt.Sprintf("%s was answered %d", e.note, e.status))
		return false, nil
	}
	if e.method != http.MethodDelete && e.status == 200 && !strings.Contains(string(e.answer), l.id) {
		c.fail(ctx, e, "the answer is about something else")
	}
	if e.method == http.MethodDelete {
		l.gone = strings.Contains(string(e.answer), `"deleted":true`)
	}
	if tag := e.got.Get("ETag"); tag != "" {
		l.stale, l.etag = l.etag, tag
		if l.stale == "" {
			l.stale = tag
		}
	}
	return true, nil
}

func (o *operation) takes(name string) bool {
	return slices.ContainsFunc(o.params, func(p param) bool { return strings.EqualFold(p.name, name) })
}

func (c *checker) find(method, path string) *operation {
	for _, op := range c.doc.ops {
		if op.method == method && op.path == path {
			return op
		}
	}
	return nil
}
