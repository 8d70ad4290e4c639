package api

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// wholeNumber is how an integer is written in a query. Go's own parser also takes "+5" and "05".
var wholeNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)

// readQueries remembers which query parameters each operation documents. It is called once, after all
// operations are mounted.
func (a *API) readQueries() {
	a.queries = map[string]map[string]*huma.Schema{}
	for _, item := range a.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete, item.Put} {
			if op == nil {
				continue
			}
			known := map[string]*huma.Schema{}
			for _, p := range op.Parameters {
				if p.In == "query" {
					known[p.Name] = p.Schema
				}
			}
			a.queries[op.OperationID] = known
		}
	}
}

// strictQuery refuses a query that its operation does not document, and names every wrong parameter at once.
// huma overlooks unknown, repeated and empty ones and reads values leniently.
func (a *API) strictQuery(operation string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		u := ctx.URL()
		if u.RawQuery == "" {
			next(ctx)
			return
		}
		if err := checkQuery(u.RawQuery, a.queries[operation]); err != nil {
			a.writeError(ctx, err)
			return
		}
		next(ctx)
	}
}

// checkQuery names every wrong parameter of a query.
func checkQuery(raw string, known map[string]*huma.Schema) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return parley.Errorf(parley.CodeInvalid, "The query is not well-formed. Percent-encode what is special in it.")
	}
	var problems []parley.FieldError
	for _, name := range slices.Sorted(maps.Keys(values)) {
		schema, ok := known[name]
		problem := ""
		switch {
		case !ok:
			name = strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "")
			problem = "is not a known parameter. Remove it."
		case len(values[name]) > 1:
			problem = "appears twice. Send each parameter once."
		default:
			problem = valueProblem(values[name][0], schema)
		}
		if problem != "" {
			problems = append(problems, parley.FieldError{Field: name, Message: problem})
		}
	}
	return parley.Invalid(problems)
}

// valueProblem says what is wrong with a value, in the words of parley.Input, or "".
func valueProblem(v string, s *huma.Schema) string {
	_, isTime := parley.ParseTime(v)
	switch {
	case !utf8.ValidString(v):
		return "is not valid UTF-8."
	case strings.Contains(v, "\x00"):
		return "must not contain the character U+0000."
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, any(v)):
		return "must be one of " + join(s.Enum) + "."
	case s.Type == huma.TypeInteger:
		return numberProblem(v, s)
	case s.Type == huma.TypeBoolean && v != "true" && v != "false":
		return "must be true or false."
	case s.Format == "date-time" && !isTime:
		return "must be a time such as 2026-01-31T09:00:00Z."
	case s.Format == "uuid" && !parley.IsID(strings.ToLower(v)):
		return "must be a UUID."
	case s.MinLength != nil && utf8.RuneCountInString(v) < *s.MinLength:
		return "must not be empty. Leave it out instead."
	case s.MaxLength != nil && utf8.RuneCountInString(v) > *s.MaxLength:
		return fmt.Sprintf("must have at most %d characters, it has %d.", *s.MaxLength, utf8.RuneCountInString(v))
	}
	return ""
}

func join(words []any) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprint(w)
	}
	return strings.Join(all, ", ")
}

func numberProblem(v string, s *huma.Schema) string {
	n, err := strconv.ParseInt(v, 10, 64)
	switch {
	case err != nil || !wholeNumber.MatchString(v):
		return "must be a whole number."
	case s.Minimum != nil && float64(n) < *s.Minimum:
		return fmt.Sprintf("must be at least %v.", *s.Minimum)
	case s.Maximum != nil && float64(n) > *s.Maximum:
		return fmt.Sprintf("must be at most %v.", *s.Maximum)
	}
	return ""
}
