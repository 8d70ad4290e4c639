package tool

import (
	"context"
	"errors"
	"fmt"
)

// function is a built-in tool. It answers with the text for the model, or with an
// argumentError for arguments it cannot use. It must return soon after ctx ends.
type function func(ctx context.Context, j job) (string, error)

// functions are the built-in tools by their slugs, beside those that the session of a call runs itself.
func (r *Runner) functions() map[string]function {
	return map[string]function{
		"calculator":    r.calculator,
		"collect_input": r.collectInput,
		"current_time":  r.currentTime,

		"knowledge_search": r.knowledgeSearch,
		"recall":           r.recall,
		"remember":         r.remember,
		"web_search":       r.webSearch,
	}
}

// builtin runs a function of this package.
func (r *Runner) builtin(ctx context.Context, j job) (answer, error) {
	fn, ok := r.builtins[j.tool.ID]
	if !ok {
		return answer{}, fmt.Errorf("no function for %s", j.tool.ID)
	}
	text, err := fn(ctx, j)
	if failed, ok := errors.AsType[*failure](err); ok {
		return answer{text: failed.text, detail: failed.detail}, err
	}
	return say(text), err
}
