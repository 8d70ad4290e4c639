package parley

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ToolMethods are the methods of an HTTP tool.
var ToolMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// takeHTTP merges the member http and checks the whole of what comes out.
func (t *Tool) takeHTTP(in *Input) {
	if t.HTTP == nil { // the kind is wrong, which is reported already
		in.Skip("http")
		return
	}
	old := *t.HTTP
	h := in.Object("http")
	if h != nil {
		if old.Method == "" { // a new tool
			h.Required("method")
			h.Required("url")
		}
		t.HTTP.take(h)
		h.Unknown()
		t.HTTP.keepCredentials(h, old)
	}
	t.HTTP.check(func(name, problem string) { in.Fail("http."+name, problem) }, t.argumentNames())
}

func (h *HTTPTool) take(in *Input) {
	in.Enum("method", &h.Method, ToolMethods...)
	in.Text("url", &h.URL, 1, MaxToolURL)
	set(in, "headers", &h.Headers, map[string]string{}, func(dst *map[string]string) { in.TextMap("headers", dst, MaxToolHeaders) })
	set(in, "query", &h.Query, map[string]string{}, func(dst *map[string]string) { in.TextMap("query", dst, MaxToolQuery) })
	set(in, "body", &h.Body, nil, func(dst *json.RawMessage) { in.toolBody(dst) })
	set(in, "timeoutSeconds", &h.TimeoutSeconds, DefaultToolTimeout, func(dst *int) { in.Int("timeoutSeconds", dst, 1, MaxToolTimeout) })
	set(in, "resultPath", &h.ResultPath, "", func(dst *string) { in.Text("resultPath", dst, 0, MaxToolResultPath) })
}

// toolBody reads a string, or an object or array in compact form.
func (in *Input) toolBody(dst *json.RawMessage) {
	raw, ok := in.take("body")
	if !ok {
		return
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil || !strings.ContainsRune(`"{[`, rune(raw[0])) {
		in.Fail("body", "must be a string, an object or a list.")
		return
	}
	if compact.Len() > MaxToolBody {
		in.Fail("body", "must have at most "+strconv.Itoa(MaxToolBody)+" bytes of JSON, it has "+strconv.Itoa(compact.Len())+".")
		return
	}
	*dst = compact.Bytes()
}

// keepCredentials resolves masks. A stored credential goes only to the host that it was given for: when the
// address names another, the values must be sent again. Otherwise a key that may change tools could read them
// at a host of its own.
func (h *HTTPTool) keepCredentials(in *Input, old HTTPTool) {
	was, _ := parseToolURL(old.URL)
	is, ok := parseToolURL(h.URL)
	moved := old.URL != "" && ok && origin(was) != origin(is)
	for _, m := range []struct {
		member       string
		sent, stored map[string]string
	}{{"headers", h.Headers, old.Headers}, {"query", h.Query, old.Query}} {
		kept := hiddenNames(m.stored)
		if in.Has(m.member) && !in.Null(m.member) {
			kept = unmask(in, m.member, m.sent, m.stored)
		} else if in.Null(m.member) {
			kept = nil
		}
		slices.Sort(kept)
		for _, name := range kept {
			if moved {
				in.Fail(m.member+"."+name, "must be sent again, because url names another host: a hidden value goes only to the host it was given for.")
			}
		}
	}
}

// check reports every problem of the request as a whole. Members that could not be read are empty here and
// reported already.
func (h *HTTPTool) check(fail func(name, problem string), known []string) {
	if h.URL != "" {
		if p := toolURLProblem(h.URL); p != "" {
			fail("url", p)
		}
	}
	checkHeaders(h.Headers, fail)
	checkQuery(h.Query, fail)
	if h.Body != nil && h.Method == "GET" {
		fail("body", "does not go with the method GET. Remove it, or use another method.")
	}
	if p := h.bodyProblem(); p != "" {
		fail("body", p)
	}
	if p := pointerProblem(h.ResultPath); p != "" {
		fail("resultPath", p)
	}
	if len(known) == 0 {
		return
	}
	for _, use := range h.arguments() {
		if !slices.Contains(known, use.argument) {
			fail(use.member, "uses {{args."+use.argument+"}}, which parameters do not list. Add the property or correct the name.")
		}
	}
}

// argumentUse is one {{args.name}} at one place.
type argumentUse struct{ member, argument string }

// arguments lists where the templates use arguments, each name once for a place.
func (h *HTTPTool) arguments() (uses []argumentUse) {
	add := func(member, text string) {
		parts, _ := parseTemplate(text)
		for _, p := range parts {
			if use := (argumentUse{member, p.name}); p.source == "args" && !slices.Contains(uses, use) {
				uses = append(uses, use)
			}
		}
	}
	add("url", h.URL)
	for _, name := range slices.Sorted(maps.Keys(h.Headers)) {
		add("headers."+name, h.Headers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(h.Query)) {
		add("query."+name, h.Query[name])
	}
	walkStrings(h.Body, func(text string, _ bool) { add("body", text) })
	return uses
}

func (h *HTTPTool) bodyProblem() (problem string) {
	walkStrings(h.Body, func(text string, isName bool) {
		switch _, p := parseTemplate(text); {
		case problem != "":
		case isName && strings.Contains(text, "{{"):
			problem = "has a template in the name of a member. Templates go into values."
		case !isName:
			problem = p
		}
	})
	return problem
}

// walkStrings visits every string of a JSON value, the names of members too. The value is valid JSON of
// bounded depth.
func walkStrings(raw json.RawMessage, visit func(text string, isName bool)) {
	var v any
	if len(raw) == 0 || json.Unmarshal(raw, &v) != nil {
		return
	}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			visit(x, false)
		case []any:
			for _, item := range x {
				walk(item)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(x)) {
				visit(name, true)
				walk(x[name])
			}
		}
	}
	walk(v)
}

// pointerProblem checks a JSON Pointer (RFC 6901).
func pointerProblem(p string) string {
	if p == "" {
		return ""
	}
	bad := p[0] != '/'
	for i := range len(p) {
		bad = bad || p[i] == '~' && (i+1 == len(p) || p[i+1] != '0' && p[i+1] != '1')
	}
	if bad {
		return "must be a JSON Pointer such as /data/0/price, with ~ written as ~0 and / in a name as ~1."
	}
	return ""
}
