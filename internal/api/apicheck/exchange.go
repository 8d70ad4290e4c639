package apicheck

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// expectation is what the document lets us expect of a request.
type expectation string

const (
	accepted     expectation = "valid"            // not refused as bad input
	refused      expectation = "invalid"          // refused with 4xx
	notAllowed   expectation = "wrong method"     // 405 with Allow
	unauthorized expectation = "without a key"    // 401, like any other
	nowhere      expectation = "unknown path"     // 404 in the envelope
	unharmed     expectation = "odd but harmless" // anything documented
)

// exchange is one request and its answer.
type exchange struct {
	op     *operation // nil for unknown paths
	want   expectation
	note   string // what is special, for people
	method string
	target string // path and query, percent-encoded
	header http.Header
	body   []byte
	size   int64 // of the body; -1 = chunked
	value  any   // the body before encoding; nil = none or spoiled bytes

	status int
	got    http.Header
	answer []byte
}

const maxAnswer = 64 << 20

// send makes the exchange. A redirect is an answer like any other.
func (c *checker) send(ctx context.Context, e *exchange) error {
	var body io.Reader
	if e.body != nil {
		body = bytes.NewReader(e.body)
	}
	if e.body != nil && e.size < 0 {
		body = io.MultiReader(body) // hides the length
	}
	r, err := http.NewRequestWithContext(ctx, e.method, c.base, body)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	path, query, _ := strings.Cut(e.target, "?")
	r.URL = &url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Opaque: path, RawQuery: query}
	r.Header = e.header.Clone()
	res, err := c.client.Do(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", e.method, e.target, err)
	}
	defer func() { _ = res.Body.Close() }()
	e.status, e.got = res.StatusCode, res.Header
	e.answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", e.method, e.target, err)
	}
	c.report.Requests++
	return nil
}

// curl is the request as a command, its key masked.
func (e *exchange) curl() string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i --path-as-is -X %s", e.method)
	for name, values := range e.header {
		for _, v := range values {
			if e.want != unauthorized && (name == "X-Api-Key" || name == "Authorization") {
				v = "$KEY"
			}
			fmt.Fprintf(&b, " -H %s", quote(name+": "+v))
		}
	}
	if e.body != nil {
		fmt.Fprintf(&b, " --data-binary %s", quote(string(e.body)))
	}
	return b.String() + " " + quote("$URL"+e.target)
}

// quote writes a shell word; what cannot be printed is escaped in the way of $'…'.
func quote(s string) string {
	const most = 2_000
	cut := ""
	if len(s) > most {
		s, cut = s[:most], fmt.Sprintf("…[%d bytes]", len(s))
	}
	q := fmt.Sprintf("%q", s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	if strings.HasPrefix(s, "$URL") {
		return `"` + q + cut + `"`
	}
	if !strings.Contains(q, `\`) && !strings.Contains(q, "'") {
		return "'" + q + cut + "'"
	}
	return "$'" + strings.ReplaceAll(q, "'", `\'`) + cut + "'"
}
