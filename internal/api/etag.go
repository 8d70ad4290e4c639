package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/respond"
)

// Precondition lets a client say which version of a resource it means to change (RFC 9110, 13.1.1).
type Precondition struct {
	IfMatch string `header:"If-Match" maxLength:"1000" pattern:"^\\s*(\\*|(W/)?\"[^\"]*\"(\\s*,\\s*(W/)?\"[^\"]*\")*)\\s*$" doc:"The ETag of the version that you mean to change, or several of them, or *. When the resource has another version by now, nothing is changed and the answer is 412." example:"\"1f\""`
}

// Resolve reads a header that is split over several lines as the one list that it is, and refuses an empty one:
// whoever sends it means a condition (huma.Resolver).
func (p *Precondition) Resolve(ctx huma.Context) []error {
	r, _ := unwrap(ctx)
	lines := r.Header.Values("If-Match")
	p.IfMatch = strings.TrimSpace(strings.Join(lines, ", "))
	if len(lines) > 0 && p.IfMatch == "" {
		return []error{&huma.ErrorDetail{Location: "header.If-Match", Message: "must not be empty. Leave it out to change any version."}}
	}
	return nil
}

// match returns an error of status 412 unless the header allows to change the version with this tag. Weak tags
// (W/…) never match, as RFC 9110 asks for If-Match.
func (p Precondition) match(tag string) error {
	sent := p.IfMatch
	if sent == "" || sent == "*" {
		return nil
	}
	for sent != "" {
		one, rest, ok := cutTag(sent)
		if !ok {
			return parley.Invalid([]parley.FieldError{{Field: "If-Match", Message: `must be *, or tags in quotes such as "1f", separated by commas.`}})
		}
		if one == tag {
			return nil
		}
		sent = rest
	}
	return respond.WithStatus(parley.Errorf(parley.CodeConflict, "This was changed meanwhile. Get it again, and repeat your change on the new version."), http.StatusPreconditionFailed)
}

// cutTag splits the first entity tag off a list.
func cutTag(list string) (tag, rest string, ok bool) {
	weak := ""
	if strings.HasPrefix(list, "W/") {
		weak, list = "W/", list[2:]
	}
	if !strings.HasPrefix(list, `"`) {
		return "", "", false
	}
	end := strings.IndexByte(list[1:], '"')
	if end < 0 {
		return "", "", false
	}
	tag, rest = weak+list[:end+2], strings.TrimSpace(list[end+2:])
	if rest == "" {
		return tag, "", true
	}
	rest, comma := strings.CutPrefix(rest, ",")
	return tag, strings.TrimSpace(rest), comma
}
