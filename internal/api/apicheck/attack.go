package apicheck

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func (c *checker) valid(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	if c.gen.chance(15) { // the other way to send a key
		e.header.Del("X-Api-Key")
		e.header.Set("Authorization", pick(c.gen, []string{"Bearer ", "bearer ", "BEARER "})+c.opt.Key)
	}
	if err := c.try(ctx, e); err != nil || e.status >= 300 {
		return err
	}
	switch {
	case op.takes("cursor"):
		return c.pages(ctx, e)
	case e.header.Get("Idempotency-Key") != "" && c.gen.chance(50):
		return c.again(ctx, e)
	}
	return nil
}

// spoiledBody changes one thing in a valid body; the schema says whether it is still valid.
func (c *checker) spoiledBody(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	e.value = c.gen.spoiled(e.value)
	e.body = encode(e.value)
	e.note = "one thing changed"
	switch {
	case c.doc.validate(op.bodyAt, e.value) != nil:
		e.want = refused
	case strings.Contains(string(e.body), `\u0000`) || strings.Contains(op.path, "{"):
		e.want = unharmed // documented in words: no U+0000; which kind a resource is
	}
	if e.want != refused && c.omits(op, e.value) {
		return nil
	}
	return c.try(ctx, e)
}

func (c *checker) spoiledBytes(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	e.note, e.body = c.gen.spoiledBytes(e.body)
	e.value, e.want = nil, refused
	return c.try(ctx, e)
}

// spoiledQuery sends unknown, repeated and wrong query parameters.
func (c *checker) spoiledQuery(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	e.want = refused
	path, _, _ := strings.Cut(e.target, "?")
	query := slices.Collect(func(yield func(param) bool) {
		for _, p := range op.params {
			if p.in == "query" && !yield(p) {
				return
			}
		}
	})
	if len(query) == 0 || c.gen.chance(15) {
		e.note, e.target = "unknown parameter", path+"?"+pick(c.gen, []string{"unknown=1", "LIMIT=1", "limit%00=1", "x[]=1", "%ff=1", "a.b=", "__proto__=1", "x-api-key=1"})
		return c.try(ctx, e)
	}
	p := pick(c.gen, query)
	if c.gen.chance(15) {
		v, err := c.allowed(p.schema, p.at, p.name, nil)
		if err != nil {
			return err
		}
		one := p.name + "=" + url.QueryEscape(strings.TrimSuffix(fmt.Sprint(v), ".0"))
		e.note, e.target = "repeated parameter", path+"?"+one+"&"+one
		return c.try(ctx, e)
	}
	raw := c.gen.spoiledQuery(c.gen.flat(p.schema))
	if raw == "" && p.schema["minLength"] == nil && c.gen.typeOf(c.gen.flat(p.schema)) == "string" && len(list(p.schema["enum"])) == 0 && p.schema["format"] == nil {
		e.want = unharmed
	}
	e.note, e.target = "parameter "+p.name, path+"?"+p.name+"="+raw
	return c.try(ctx, e)
}

// spoiledHeader sends header parameters that their schemas forbid, or twice.
func (c *checker) spoiledHeader(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	var headers []param
	for _, p := range op.params {
		if p.in == "header" {
			headers = append(headers, p)
		}
	}
	if len(headers) == 0 {
		return c.valid(ctx, op)
	}
	p := pick(c.gen, headers)
	v := pick(c.gen, []string{"", "x", "a b", "\"", "\"a", ",", "\"a\",,", "*,*", "W/", "é", "a\tb", strings.Repeat("x", whole(p.schema["maxLength"], 4_000)+1), "\"a\" \"b\""})
	e.note, e.want = "header "+p.name, unharmed
	if c.doc.validate(p.at, v) != nil {
		e.want = refused
	}
	e.header[http.CanonicalHeaderKey(p.name)] = []string{v}
	return c.try(ctx, e)
}

// spoiledPath puts junk where an id belongs.
func (c *checker) spoiledPath(ctx context.Context, op *operation) error {
	if !strings.Contains(op.path, "{") {
		return c.valid(ctx, op)
	}
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	junk := c.gen.junkID()
	if op.mayBe(junk) {
		return c.valid(ctx, op)
	}
	e.want, e.note = refused, "path"
	e.target = template.ReplaceAllLiteralString(op.path, junk)
	return c.try(ctx, e)
}

// mayBe reports whether a path segment fits the pattern of a parameter: a name such as "null" may be somebody's.
func (o *operation) mayBe(segment string) bool {
	for _, p := range o.params {
		re, err := regexp.Compile(text(p.schema["pattern"]))
		if p.in == "path" && text(p.schema["pattern"]) != "" && err == nil && re.MatchString(segment) {
			return true
		}
	}
	return false
}

// spoiledEnvelope sends a good body in a wrong wrapping.
func (c *checker) spoiledEnvelope(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	e.want = refused
	switch c.rnd.IntN(8) {
	case 0, 1:
		const limit = 1 << 20
		e.note, e.size = "more than 1 MiB", int64(pick(c.gen, []int{0, -1}))
		e.body = append(append([]byte(`{"name":"`), strings.Repeat("x", limit)...), `"}`...)
		e.value = nil
	case 2:
		e.note = "gzip"
		e.header.Set("Content-Encoding", pick(c.gen, []string{"gzip", "br", "identity, gzip", "x"}))
	case 3:
		e.note, e.want = "no content type", unharmed
		e.header.Del("Content-Type")
	default:
		e.note = "content type"
		e.header.Set("Content-Type", pick(c.gen, []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/xml",
			"application/jsonp", "json", "application/", "*/*", ";", "application/octet-stream"}))
	}
	return c.try(ctx, e)
}

// wrongMethod sends a method that the path does not document.
func (c *checker) wrongMethod(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, other := range c.doc.ops {
		has[other.method] = has[other.method] || other.path == op.path
	}
	if len(c.opt.Only) > 0 {
		return nil
	}
	e.method = pick(c.gen, []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get", "X"})
	e.note, e.want, e.value = e.method, notAllowed, nil
	if e.method == "TRACE" || e.method == "HEAD" || e.method == "GET" {
		e.body = nil
	}
	switch {
	case e.method == "HEAD" && has["GET"]:
		e.want = unharmed
	case has[e.method]:
		return nil
	}
	return c.try(ctx, e)
}

// nowhere asks for paths beside those that are documented.
func (c *checker) nowhere(ctx context.Context, op *operation) error {
	path, _ := c.path(op)
	base := path[:strings.LastIndex(path, "/")]
	e := &exchange{want: nowhere, note: "path", method: pick(c.gen, []string{"GET", "POST", "DELETE", op.method}), header: http.Header{"X-Api-Key": {c.opt.Key}}}
	e.target = pick(c.gen, []string{path + "/", path + "/x", path + "//", "/" + path, strings.Replace(path, "/v1/", "/v1//", 1), base + "/../" + c.gen.word() + "/x/y", path + "/%2e%2e/x/y/z", path + "/..",
		strings.ToUpper(path), path + "%00/a/b/c", strings.Replace(path, "/v1/", "/v2/", 1), "/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/" + c.gen.word() + c.gen.word() + "x", "/" + c.gen.word() + "q", path + ";/a/b", "/./" + path})
	return c.try(ctx, e)
}

var cutID = regexp.MustCompile(`"requestId":"[^"]*"`)

// withoutKey sends no, wrong or ambiguous keys: the answers must tell nothing apart.
func (c *checker) withoutKey(ctx context.Context, op *operation) error {
	e, err := c.plain(op)
	if err != nil || !op.secured {
		return err
	}
	k := c.opt.Key
	flip := k[:len(k)-1] + string(rune('a'+(k[len(k)-1]+1)%26))
	if flip == k {
		flip = k + "x"
	}
	e.header.Del("X-Api-Key")
	set := func(name string, values ...string) { e.header[name] = values }
	e.want = unauthorized
	switch n := c.rnd.IntN(14); n {
	case 0:
	case 1:
		set("X-Api-Key", flip)
	case 2:
		set("X-Api-Key", "")
	case 3:
		set("X-Api-Key", strings.Repeat("k", 10_000))
	case 4:
		set("Authorization", "Bearer "+flip)
	case 5:
		set("Authorization", "Bearer")
	case 6:
		set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(k+":")))
	case 7:
		set("Authorization", k)
	case 8:
		set("X-Api-Key", k)
		set("Authorization", "Bearer "+flip)
	case 9:
		set("X-Api-Key", k, k)
	case 10:
		set("Authorization", "Bearer "+k, "Bearer "+flip)
	case 11:
		set("Authorization", "Bearer "+k+" "+k)
	case 12:
		set("X-Api-Key", k[:len(k)/2])
	case 13:
		set("X-Api-Key", strings.ToUpper(k)+"é")
	}
	e.note = "key"
	if err := c.try(ctx, e); err != nil {
		return err
	}
	if e.status != http.StatusUnauthorized {
		return nil
	}
	body := cutID.ReplaceAllString(string(e.answer), "")
	if c.locked["401"] == "" {
		c.locked["401"] = body
	}
	if body != c.locked["401"] {
		c.fail(ctx, e, "401 differs from another 401: "+c.locked["401"])
	}
	return nil
}
