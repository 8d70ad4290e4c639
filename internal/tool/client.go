package tool

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"parley"
)

// Page hands a call to the web page that holds the chat, and waits until the page has answered or ctx ends; the
// error is then the context's. The answer is JSON that a handler of the page returned; a *PageError is what it said instead.
type Page func(ctx context.Context, callID, functionName string, arguments json.RawMessage) (json.RawMessage, error)

// PageError is why a page has no result, in its own words.
type PageError struct{ Message string }

func (e *PageError) Error() string { return "the page: " + e.Message }

// errNoPage is a client tool in a conversation without a page, which is not offered it.
var errNoPage = errors.New("no page")

// maxPageError bounds what is kept of a page's words about an error, in bytes.
const maxPageError = 1000

// pageGrace is what Page may take beyond its time, to see to it that no answer is taken any more.
const pageGrace = 4 * time.Second

func clientTimeout(t parley.Tool) time.Duration {
	return time.Duration(t.Client.TimeoutSeconds) * time.Second
}

// client lets the page run a tool. What comes back is the word of the visitor's browser: data like that of any tool,
// and no proof of anything.
func (r *Runner) client(ctx context.Context, j job) (answer, error) {
	if j.Page == nil {
		return say("This tool works only on a web page with the chat. Answer without it."), errNoPage
	}
	ctx, cancel := context.WithTimeout(ctx, clientTimeout(j.tool))
	defer cancel()
	raw, err := j.Page(ctx, j.CallID, j.tool.FunctionName, j.arguments)
	if failed, ok := errors.AsType[*PageError](err); ok {
		words := clean(failed.Message, maxPageError)
		return answer{text: "The page could not do it; the result says why, in its words.", data: words, detail: Detail{ErrorType: "page_error", Error: words}}, err
	}
	if err != nil {
		return answer{}, err
	}
	return answer{data: said(raw)}, nil
}

// said is a text as it is, and any other JSON as it came.
func said(raw json.RawMessage) string {
	var text *string
	if json.Unmarshal(raw, &text) == nil && text != nil && *text != "" {
		return *text
	}
	return string(raw)
}

// IsClient reports whether a page runs a tool: without one nobody is offered it.
func IsClient(t parley.Tool) bool { return t.Kind == parley.ToolClient }
