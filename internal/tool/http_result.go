package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/htmlindex"

	"parley/internal/egress"
)

// maxErrorBody bounds, in bytes, what a model sees of an answer that is an error.
const maxErrorBody = 2 << 10

var errAnswer = errors.New("the answer is an error")

// selected makes a tool's answer of the target's.
func selected(res *egress.Response, path string, m *masker) (answer, error) {
	a := answer{own: true, detail: Detail{Status: res.Status}}
	body, isJSON, isText := text(res)
	if res.Truncated { // a secret that the end cuts would not be recognized
		body = body[:max(0, len(body)-m.longest())]
	}
	status := strings.TrimSpace(strconv.Itoa(res.Status) + " " + http.StatusText(res.Status))
	switch {
	case res.Status < 200 || res.Status > 299:
		a.text = "The request failed: the service answered " + status + "."
		if isText {
			a.data = Cut(m.mask(tidy(body)), maxErrorBody)
		}
		a.detail.ErrorType, a.detail.Error = ErrorStatus, "The target answered "+status+"."
		return a, errAnswer
	case path != "":
		return a.pick(body, res.Truncated, path, m)
	case len(bytes.TrimSpace(res.Body)) == 0:
		a.text = "The request succeeded (" + status + "). The answer has no content."
	case !isText:
		a.text = "The request succeeded. The answer cannot be shown: it is " + describeBinary(res) + "."
	default:
		if isJSON && !res.Truncated {
			body = compacted(body)
		}
		a.data = m.mask(tidy(body))
		if res.Truncated {
			a.text = "The answer is larger than 1 MiB; this is its beginning."
		}
	}
	return a, nil
}

// pick selects what a resultPath names in the body of an answer.
func (a answer) pick(body string, truncated bool, path string, m *masker) (answer, error) {
	problem := ""
	switch {
	case truncated:
		problem = "the answer is larger than 1 MiB"
	case !json.Valid([]byte(body)):
		problem = "the answer is not JSON"
	default:
		found, ok := point([]byte(body), path)
		if ok {
			a.data = m.mask(tidy(compacted(string(found))))
			return a, nil
		}
		problem = "the answer has nothing at " + path
	}
	a.text = "The request succeeded, but what the tool looks for could not be found: " + problem + "."
	a.detail.ErrorType, a.detail.Error = ErrorResult, "resultPath: "+problem+"."
	return a, errAnswer
}

func compacted(raw string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(raw)) != nil {
		return raw
	}
	return b.String()
}

// point finds what a JSON Pointer names in valid JSON, reading it once. It keeps numbers and the order of members.
func point(raw []byte, path string) (json.RawMessage, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	for _, token := range strings.Split(path, "/")[1:] {
		open, err := dec.Token()
		if err != nil {
			return nil, false
		}
		found := false
		switch open {
		case json.Delim('{'):
			found = enterMember(dec, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
		case json.Delim('['):
			found = enterItem(dec, token)
		}
		if !found {
			return nil, false
		}
	}
	var found json.RawMessage
	return found, dec.Decode(&found) == nil
}

func enterMember(dec *json.Decoder, name string) bool {
	for dec.More() {
		if key, err := dec.Token(); err != nil || key == name {
			return err == nil
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}

func enterItem(dec *json.Decoder, index string) bool {
	n, err := strconv.ParseUint(index, 10, 31)
	if err != nil || index != strconv.FormatUint(n, 10) {
		return false
	}
	for ; n > 0 && dec.More(); n-- {
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return false
		}
	}
	return dec.More()
}

// text reads the body of an answer as text: HTML without its markup, other character sets as UTF-8. ok is false for what
// is no text.
func text(res *egress.Response) (body string, isJSON, ok bool) {
	kind, parameters, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "" {
		kind, parameters, _ = mime.ParseMediaType(http.DetectContentType(res.Body))
	}
	body = string(res.Body)
	if charset := parameters["charset"]; charset != "" && !utf8.ValidString(body) {
		if enc, err := htmlindex.Get(charset); err == nil {
			if decoded, err := enc.NewDecoder().String(body); err == nil {
				body = decoded
			}
		}
	}
	body = strings.TrimPrefix(body, "\ufeff")
	head := strings.TrimLeft(body, " \t\r\n")
	looksJSON := head != "" && (head[0] == '{' || head[0] == '[')
	switch {
	case strings.HasSuffix(kind, "json"), looksJSON && strings.HasPrefix(kind, "text/plain"):
		return body, true, true
	case kind == "text/html", kind == "application/xhtml+xml":
		return htmlText(body), false, true
	case strings.HasPrefix(kind, "text/"), strings.HasSuffix(kind, "xml"), strings.HasSuffix(kind, "yaml"),
		kind == "application/javascript", kind == "application/x-ndjson", kind == "application/x-www-form-urlencoded", kind == "application/csv":
		return body, false, true
	}
	return body, false, false
}

func describeBinary(res *egress.Response) string {
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		kind = "of an unknown type"
	}
	more := ""
	if res.Truncated {
		more = "more than "
	}
	return fmt.Sprintf("%s, %s%d bytes", clean(kind, 100), more, len(res.Body))
}
