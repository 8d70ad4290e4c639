package reference

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (b *builder) parameter(p *parameter, shared map[string]*parameter, kind string) (paramView, error) {
	if p.Ref != "" {
		name, target, err := find(kind, shared, p.Ref)
		if err != nil {
			return paramView{}, err
		}
		if p = target; p.Name == "" {
			named := *target
			named.Name, p = name, &named
		}
	}
	n, err := b.node(p.Name, p.Schema)
	if p.Description != "" {
		n.Doc = p.Description
	}
	n.Required = p.Required
	if p.Deprecated {
		n.Badges = append(n.Badges, "deprecated")
	}
	if len(p.Example) > 0 {
		n.Facts = append(n.Facts, fact{"example", []string{plain(p.Example)}})
	}
	return paramView{In: p.In, node: n}, err
}

func (b *builder) headers(headers map[string]*parameter) ([]paramView, error) {
	var out []paramView
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		p, err := b.parameter(headers[name], b.doc.Components.Headers, "headers")
		if err != nil {
			return nil, err
		}
		p.Name, p.In = name, "header"
		out = append(out, p)
	}
	return out, nil
}

func (b *builder) body(in *body) (*bodyView, error) {
	if in == nil {
		return nil, nil //nolint:nilnil // an operation without a body is no error
	}
	if in.Ref != "" {
		_, target, err := find("requestBodies", b.doc.Components.RequestBodies, in.Ref)
		if err != nil {
			return nil, err
		}
		in = target
	}
	content, err := b.media(in.Content)
	return &bodyView{Doc: in.Description, Required: in.Required, Media: content}, err
}

func (b *builder) media(content map[string]*media) ([]mediaView, error) {
	var out []mediaView
	for _, name := range slices.Sorted(maps.Keys(content)) {
		n, err := b.node("", content[name].Schema)
		if err != nil {
			return nil, err
		}
		// The envelope's one member that unfolds is what people came for.
		folding := slices.DeleteFunc(slices.Clone(n.Members), func(m node) bool { return !m.Folds() })
		for i := range n.Members {
			n.Members[i].Open = len(folding) == 1 && n.Members[i].Folds()
		}
		out = append(out, mediaView{Type: name, Schema: n, Example: highlight(exampleOf(content[name]))})
	}
	return out, nil
}

func (b *builder) answers(responses map[string]*response) ([]answerView, error) {
	var out []answerView
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		a, err := b.answer(status, responses[status])
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (b *builder) answer(status string, r *response) (answerView, error) {
	if r.Ref != "" {
		name, target, err := find("responses", b.doc.Components.Responses, r.Ref)
		if err != nil {
			return answerView{}, err
		}
		return answerView{Status: status, Doc: target.Description, Name: name}, nil
	}
	a := answerView{Status: status, Doc: r.Description}
	var err error
	if a.Headers, err = b.headers(r.Headers); err != nil {
		return a, err
	}
	a.Media, err = b.media(r.Content)
	return a, err
}

// shared are the answers that operations refer to, each with the status under which they do.
func (b *builder) shared() ([]answerView, error) {
	status := map[string]string{}
	for _, op := range b.operations {
		for code, r := range op.Responses {
			if name, _, err := find("responses", b.doc.Components.Responses, r.Ref); err == nil {
				status[name] = code
			}
		}
	}
	var out []answerView
	for name, code := range status {
		a, err := b.answer(code, b.doc.Components.Responses[name])
		if err != nil {
			return nil, err
		}
		a.Name = name
		out = append(out, a)
	}
	slices.SortFunc(out, func(x, y answerView) int { return strings.Compare(x.Status+x.Name, y.Status+y.Name) })
	return out, nil
}

// commonHeaders are the headers of more than one operation: what a client handles in one place.
func (b *builder) commonHeaders() ([]paramView, error) {
	seen, count := map[string]paramView{}, map[string]int{}
	note := func(where string, p paramView) {
		p.In = where
		seen[where+" "+p.Name] = p
		count[where+" "+p.Name]++
	}
	answers := slices.Collect(maps.Values(b.doc.Components.Responses))
	for _, op := range b.operations {
		for _, p := range op.Parameters {
			shown, err := b.parameter(p, b.doc.Components.Parameters, "parameters")
			if err != nil {
				return nil, err
			}
			if shown.In == "header" {
				note("request", shown)
			}
		}
		answers = slices.AppendSeq(answers, maps.Values(op.Responses))
	}
	for _, r := range answers {
		headers, err := b.headers(r.Headers)
		if err != nil {
			return nil, err
		}
		for _, h := range headers {
			note("answer", h)
		}
	}
	var out []paramView
	for key, p := range seen {
		if count[key] > 1 {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(x, y paramView) int { return cmp.Or(strings.Compare(y.In, x.In), strings.Compare(x.Name, y.Name)) })
	return out, nil
}

// Good reports whether the answer is a success.
func (a answerView) Good() bool { return strings.HasPrefix(a.Status, "2") }

// Reason is the status in words.
func (a answerView) Reason() string {
	code, _ := strconv.Atoi(a.Status)
	return http.StatusText(code)
}
