package tool

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"parley"
)

// request is what an HTTP tool sends.
type request struct {
	method, url string
	header      http.Header
	body        []byte // nil = none
}

// setupError is a tool that cannot run as it is set up. It is for the operator; the model is told that the tool failed.
type setupError struct{ msg string }

func (e *setupError) Error() string { return e.msg }

// request fills the templates of an HTTP tool. An entry of the query or a header whose argument was left out is left out
// too. The error is an argumentError, an *unfilledError or a *setupError.
func (v *values) request(h *parley.HTTPTool) (*request, error) {
	req := &request{method: h.Method, header: http.Header{"Accept": {"application/json, text/*;q=0.9, */*;q=0.1"}, "User-Agent": {"Parley"}}}
	path, query, err := v.address(h)
	if err != nil {
		return nil, err
	}
	for name, template := range h.Headers {
		value, err := v.header(name, template)
		if isUnfilled(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		req.header.Set(name, value)
	}
	switch rest := h.Method == http.MethodGet || h.Method == http.MethodDelete; {
	case h.Body != nil:
		req.body, err = v.body(h.Body, req.header)
	case rest:
		query = append(query, v.unusedQuery()...)
	default:
		req.body = marshal(v.unused())
		setDefault(req.header, "Content-Type", "application/json")
	}
	if req.url = path; len(query) > 0 {
		req.url += "?" + strings.Join(query, "&")
	}
	return req, err
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}

// address fills the URL: what stands before the query, and the entries of the query in encoded form.
func (v *values) address(h *parley.HTTPTool) (path string, query []string, err error) {
	before, own, _ := strings.Cut(h.URL, "?")
	if path, err = v.fill(before, pathValue); err != nil {
		return "", nil, err
	}
	if climbs(path) {
		return "", nil, &argumentError{"a value in the path of the address must not make it . or .."}
	}
	add := func(entry string, err error) error {
		if err == nil && entry != "" {
			query = append(query, entry)
		}
		if isUnfilled(err) {
			return nil
		}
		return err
	}
	encode := func(s string) (string, error) { return url.QueryEscape(s), nil }
	for pair := range strings.SplitSeq(own, "&") {
		if err := add(v.fill(pair, encode)); err != nil {
			return "", nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Query)) {
		value, err := v.text(h.Query[name])
		if err := add(url.QueryEscape(name)+"="+url.QueryEscape(value), err); err != nil {
			return "", nil, err
		}
	}
	return path, query, nil
}

// pathValue encodes a value for a place in a path, which must stay one part of it: also where a server decodes %2F
// before it resolves .. and where it decodes twice.
func pathValue(s string) (string, error) {
	twice, err := url.PathUnescape(s)
	switch {
	case s == "":
		return "", &argumentError{"a value that goes into the path of the address must not be empty"}
	case climbs(s) || err == nil && climbs(twice):
		return "", &argumentError{"a value that goes into the path of the address must not have . or .. as a part"}
	case strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return "", &argumentError{"a value that goes into the path of the address must not have control characters"}
	}
	return url.PathEscape(s), nil
}

// climbs reports whether a part of a path is . or .., by any server's reading.
func climbs(path string) bool {
	for part := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		part, _, _ = strings.Cut(part, ";") // some servers strip parameters first
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// header fills a header. A line break in it would begin another header.
func (v *values) header(name, template string) (string, error) {
	value, err := parley.FillTemplate(template, func(source, of string) (string, error) {
		value, err := v.value(source, of)
		if err != nil {
			return "", err
		}
		s := plainText(value)
		switch {
		case !strings.ContainsFunc(s, func(c rune) bool { return c != '\t' && (c < ' ' || c > '~') }):
			return s, nil
		case source == "args":
			return "", &argumentError{fmt.Sprintf("the argument %q goes into a header and must have printable ASCII characters only", of)}
		}
		return "", &setupError{fmt.Sprintf("{{%s.%s}} has characters that the header %s cannot carry: store it without line breaks, in ASCII.", source, of, name)}
	})
	return strings.TrimSpace(value), err
}

// unused are the arguments that no template asked for.
func (v *values) unused() map[string]any {
	rest := make(map[string]any, len(v.args))
	for name, value := range v.args {
		if !v.used[name] {
			rest[name] = value
		}
	}
	return rest
}

// unusedQuery writes them as query entries: a list repeats its name, an object is JSON, null is left out.
func (v *values) unusedQuery() (query []string) {
	rest := v.unused()
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		list, ok := rest[name].([]any)
		if !ok {
			list = []any{rest[name]}
		}
		for _, value := range list {
			if value != nil {
				query = append(query, url.QueryEscape(name)+"="+url.QueryEscape(plainText(value)))
			}
		}
	}
	return query
}

// holdsSecret reports whether a body template names a secret.
func holdsSecret(body json.RawMessage) bool {
	return len(parley.TemplateNames("secret", string(body))) > 0
}
