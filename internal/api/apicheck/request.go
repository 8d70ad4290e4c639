package apicheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const tries = 30 // to make a value that a schema allows

// plain is a request that the document allows.
func (c *checker) plain(op *operation) (*exchange, error) {
	e := &exchange{op: op, want: accepted, method: op.method, header: http.Header{"X-Api-Key": {c.opt.Key}}}
	target, kind := c.path(op)
	e.target = target
	var query []string
	for _, p := range op.params {
		if p.in == "path" || !p.required && !c.gen.chance(35) {
			continue
		}
		v, err := c.allowed(p.schema, p.at, p.name, nil)
		if err != nil {
			return nil, fmt.Errorf("%s, parameter %s: %w", op.id, p.name, err)
		}
		s := fmt.Sprint(v)
		switch p.in {
		case "query":
			if s = strings.TrimSuffix(s, ".0"); s != "" {
				query = append(query, p.name+"="+url.QueryEscape(s))
			}
		case "header":
			if isHeaderText(s) {
				e.header.Set(p.name, s)
			}
		}
	}
	if len(query) > 0 {
		e.target += "?" + strings.Join(query, "&")
	}
	if op.body != nil {
		if err := c.fill(e, kind); err != nil {
			return nil, err
		}
	}
	if media := op.responses["200"].media; len(media) > 1 {
		e.header.Set("Accept", pick(c.gen, sortedKeys(media)))
	}
	return e, nil
}

// path names a thing, or something that may be one.
func (c *checker) path(op *operation) (string, map[string]string) {
	return c.pool.path(op, func(name string) string {
		for _, p := range op.params {
			if p.in == "path" && p.name == name && (p.schema["pattern"] != nil || p.schema["enum"] != nil) {
				if v, err := c.allowed(p.schema, p.at, name, nil); err == nil {
					return fmt.Sprint(v)
				}
			}
		}
		return "00000000-0000-4000-8000-000000000000"
	})
}

// fill adds a body. kind is what the resource of the path is: a member that tells kinds of a resource apart
// (type) must agree with it.
func (c *checker) fill(e *exchange, kind map[string]string) error {
	v, err := c.allowed(e.op.body, e.op.bodyAt, "", kind)
	if err != nil {
		return fmt.Errorf("%s, body: %w", e.op.id, err)
	}
	if e.op.example != nil && len(kind) == 0 && c.gen.chance(3) {
		v = clone(e.op.example)
	}
	for _, name := range c.opt.Omit[e.op.id] {
		delete(object(v), name)
	}
	e.value = v
	e.body = encode(v)
	e.header.Set("Content-Type", pick(c.gen, []string{"application/json", "application/json", "application/json; charset=utf-8", "Application/JSON"}))
	if c.gen.chance(10) {
		e.size = -1
	}
	return nil
}

// omits reports whether a body has a member that this run leaves out.
func (c *checker) omits(op *operation, body any) bool {
	return slices.ContainsFunc(c.opt.Omit[op.id], func(name string) bool { _, ok := object(body)[name]; return ok })
}

// allowed makes values until the schema agrees.
func (c *checker) allowed(s node, at, name string, kind map[string]string) (any, error) {
	var last error
	for range tries {
		v := c.gen.value(c.ofKind(s, kind), name, 0)
		if last = c.doc.validate(at, v); last == nil {
			return v, nil
		}
	}
	return nil, fmt.Errorf("no valid value in %d attempts: %w", tries, last)
}

// ofKind keeps those alternatives of a schema whose constant members are what the resource has.
func (c *checker) ofKind(s node, kind map[string]string) node {
	s, _ = c.doc.follow(s, "")
	for _, key := range []string{"oneOf", "anyOf"} {
		parts := list(s[key])
		kept := slices.DeleteFunc(slices.Clone(parts), func(p any) bool {
			n, _ := c.doc.follow(p, "")
			for name, has := range kind {
				want := object(object(n["properties"])[name])
				if e := list(want["enum"]); len(e) == 1 && e[0] != has || want["const"] != nil && want["const"] != has {
					return true
				}
			}
			return false
		})
		if len(kept) > 0 && len(kept) < len(parts) {
			out := maps.Clone(s)
			out[key] = kept
			return out
		}
	}
	return s
}

func encode(v any) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("apicheck: " + err.Error()) // values come from the generator: a failure is a programming error
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

func isHeaderText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 32 || r > 126 }) && strings.TrimSpace(s) == s
}
