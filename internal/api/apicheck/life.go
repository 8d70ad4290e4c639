package apicheck

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
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
	item := c.pool.items[create.path]
	kind := map[string]string{"type": text(object(object(value)["data"])["type"])}
	steps := []struct {
		method, suffix string
		status         int
	}{{"GET", "", 200}, {"PATCH", "", 200}, {"DELETE", "", 200}, {"GET", "", 404}, {"DELETE", "", 404}, {"PATCH", "", 404}, {"POST", "/restore", 200}, {"GET", "", 200}}
	for i, s := range steps {
		if i == len(steps)-1 && c.find("POST", item+"/restore") == nil {
			break // it stays gone
		}
		op := c.find(s.method, item+s.suffix)
		if op == nil || s.status == 404 && c.find("GET", item) == nil {
			continue
		}
		e := &exchange{op: op, want: accepted, note: fmt.Sprintf("after %s, %d expected", create.id, s.status), method: s.method, header: http.Header{"X-Api-Key": {c.opt.Key}}}
		e.target = template.ReplaceAllLiteralString(item, id) + s.suffix
		if op.body != nil {
			if err := c.fill(e, kind); err != nil {
				return err
			}
		}
		if err := c.try(ctx, e); err != nil {
			return err
		}
		if e.status != s.status && !(e.status == http.StatusConflict && op.body != nil) {
			if c.excused(e) {
				return nil
			}
			c.fail(ctx, e, fmt.Sprintf("%s was answered %d", e.note, e.status))
			return nil
		}
		if e.method != http.MethodDelete && e.status == 200 && !strings.Contains(string(e.answer), id) {
			c.fail(ctx, e, "the answer is about something else")
		}
	}
	return nil
}

func (c *checker) find(method, path string) *operation {
	for _, op := range c.doc.ops {
		if op.method == method && op.path == path {
			return op
		}
	}
	return nil
}
