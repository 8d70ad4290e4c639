package apicheck

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// again sends the same request with the same Idempotency-Key: the answer must be the same, too.
func (c *checker) again(ctx context.Context, first *exchange) error {
	e := *first
	e.note = "sent again with its Idempotency-Key"
	if err := c.try(ctx, &e); err != nil {
		return err
	}
	if e.status != first.status || string(e.answer) != string(first.answer) && e.got.Get("Content-Type") == "application/json" {
		c.fail(ctx, &e, fmt.Sprintf("%s, it was answered %d %.200s in place of %d %.200s", e.note, e.status, e.answer, first.status, first.answer))
	}
	return nil
}

// pages follows a list by the cursor that it names, a few pages far: each must be answered, with other things.
func (c *checker) pages(ctx context.Context, first *exchange) error {
	shown := string(first.answer)
	for range 3 {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(first.answer))
		cursor := text(object(object(object(value)["data"])["pagination"])["nextCursor"])
		if err != nil || cursor == "" {
			return nil //nolint:nilerr // an answer that is no JSON was reported by try
		}
		next := *first
		path, query, _ := strings.Cut(first.target, "?")
		kept := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool {
			return p == "" || strings.HasPrefix(p, "cursor=") || strings.HasPrefix(p, "offset=")
		})
		next.target, next.note = path+"?"+strings.Join(append(kept, "cursor="+url.QueryEscape(cursor)), "&"), "the next page"
		if err := c.try(ctx, &next); err != nil {
			return err
		}
		for _, id := range anyID.FindAllString(idOfThing.FindString(string(next.answer)), 1) {
			if next.status != http.StatusOK || strings.Contains(shown, `"id":"`+id+`"`) {
				c.fail(ctx, &next, "the next page repeats what was shown")
			}
		}
		if next.status != http.StatusOK {
			c.fail(ctx, &next, fmt.Sprintf("the next page was answered %d", next.status))
			return nil
		}
		shown += string(next.answer)
		first = &next
	}
	return nil
}

// idOfThing finds the first thing of a list.
var idOfThing = regexp.MustCompile(`\[\{"id":"[^"]*"`)
