package apicheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// innards are words of the inside that no client may read.
var innards = regexp.MustCompile(`goroutine \d|\.go:\d|panic:|runtime error|SQLSTATE|(?i)sqlite|pgx|no such (table|column)|syntax error at or near|0x[0-9a-f]{8}`)

var requestID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// judge lists what is wrong with an answer.
func (c *checker) judge(e *exchange) []string {
	var wrong []string
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if p := c.misfit(e); p != "" {
		add("%s", p)
	}
	if !requestID.MatchString(e.got.Get("X-Request-Id")) {
		add("X-Request-Id is %q", e.got.Get("X-Request-Id"))
	}
	if e.status >= 400 {
		if found := innards.Find(e.answer); found != nil && !bytes.Contains(e.body, found) {
			add("the error shows the inside: %q", found)
		}
	}
	if e.status == http.StatusUnauthorized && e.got.Get("WWW-Authenticate") == "" {
		add("401 without WWW-Authenticate")
	}
	for _, p := range c.undocumented(e) {
		add("%s", p)
	}
	return wrong
}

// misfit says why the status is not what the request deserves.
func (c *checker) misfit(e *exchange) string {
	bad := func() string { return fmt.Sprintf("%s request (%s) was answered %d", e.want, e.note, e.status) }
	switch {
	case e.status >= 500:
		return bad()
	case e.want == accepted && e.status >= 400:
		switch e.status {
		case http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
			return "" // they depend on what is there; that they are documented is checked with all others
		}
		return bad()
	case e.want == refused && (e.status < 400), e.status >= 300 && e.status < 400:
		return bad()
	case e.want == notAllowed && (e.status != http.StatusMethodNotAllowed || e.got.Get("Allow") == ""):
		return bad() + fmt.Sprintf(" with Allow %q", e.got.Get("Allow"))
	case e.want == unauthorized && e.status != http.StatusUnauthorized && e.status != http.StatusTooManyRequests:
		return bad()
	case e.want == nowhere && e.status != http.StatusNotFound && e.status != http.StatusMethodNotAllowed:
		return bad()
	}
	return ""
}

// undocumented compares an answer with what its operation documents. Errors of no operation must have the
// shape of all others.
func (c *checker) undocumented(e *exchange) []string {
	if e.method == http.MethodHead {
		if len(e.answer) > 0 {
			return []string{"HEAD was answered with a body"}
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(e.got.Get("Content-Type"))
	var doc response
	if e.op != nil && e.method == e.op.method {
		var ok bool
		if doc, ok = e.op.responses[strconv.Itoa(e.status)]; !ok {
			return []string{fmt.Sprintf("status %d is not documented", e.status)}
		}
	} else {
		doc = response{media: map[string]string{"application/json": c.doc.problem}}
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(doc.headers)) {
		if p := c.wrongHeader(doc.headers[name], e.got.Values(name)); p != "" {
			wrong = append(wrong, fmt.Sprintf("%d: header %s %s", e.status, name, p))
		}
	}
	schema, ok := doc.media[media]
	if !ok && (len(doc.media) > 0 || len(e.answer) > 0) {
		return append(wrong, fmt.Sprintf("%d: media type %q is not documented", e.status, e.got.Get("Content-Type")))
	}
	switch media {
	case "application/json":
		wrong = append(wrong, c.wrongJSON(e, schema)...)
	case "text/event-stream":
		if p := wrongStream(e.answer); p != "" {
			wrong = append(wrong, p)
		}
	}
	return wrong
}

func (c *checker) wrongHeader(h header, values []string) string {
	switch {
	case len(values) == 0 && h.required:
		return "is missing"
	case len(values) == 0 || h.at == "":
		return ""
	case len(values) > 1:
		return "is repeated"
	}
	var v any = values[0]
	if c.doc.validate(h.at, v) == nil {
		return ""
	}
	if n, err := jsonschema.UnmarshalJSON(strings.NewReader(values[0])); err == nil && c.doc.validate(h.at, n) == nil {
		return "" // headers are text; an integer is an integer in text
	}
	return fmt.Sprintf("is %q, which its schema refuses", values[0])
}

func (c *checker) wrongJSON(e *exchange, schema string) []string {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.answer))
	if err != nil {
		return []string{fmt.Sprintf("%d: the body is no JSON: %v", e.status, err)}
	}
	if schema == "" {
		return nil
	}
	if err := c.doc.validate(schema, value); err != nil {
		return []string{fmt.Sprintf("%d: the body does not match its schema: %v", e.status, err)}
	}
	if e.status < 400 {
		return nil
	}
	problem := object(object(value)["error"])
	if code, _ := float(problem["code"]); int(code) != e.status {
		return []string{fmt.Sprintf("%d: error.code is %v", e.status, problem["code"])}
	}
	if id := text(problem["requestId"]); id != e.got.Get("X-Request-Id") {
		return []string{fmt.Sprintf("%d: error.requestId is %q, the header %q", e.status, id, e.got.Get("X-Request-Id"))}
	}
	return nil
}

// wrongStream checks the framing of server-sent events: each has a growing id, a type and JSON data.
func wrongStream(b []byte) string {
	text := string(b)
	if !strings.HasSuffix(text, "\n\n") {
		return "the stream ends within an event"
	}
	last := int64(-1)
	for event := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		if strings.HasPrefix(event, ":") {
			continue
		}
		fields := map[string]string{}
		for line := range strings.SplitSeq(event, "\n") {
			name, value, ok := strings.Cut(line, ": ")
			if _, twice := fields[name]; !ok || twice {
				return fmt.Sprintf("the stream has a line %q", line)
			}
			fields[name] = value
		}
		id, err := strconv.ParseInt(fields["id"], 10, 64)
		if err != nil || id <= last && last >= 0 || fields["event"] == "" || !json.Valid([]byte(fields["data"])) {
			return fmt.Sprintf("the stream has an event %q after id %d", event, last)
		}
		last = id
	}
	return ""
}
