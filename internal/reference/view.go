package reference

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// view is the whole page.
type view struct {
	Style                       template.CSS
	Origin                      string
	Title, Version, Description string
	Topics                      []topic // of the description, beside what stands before them
	License                     string
	Schemes                     []schemeView
	Headers                     []paramView
	Answers                     []answerView // that operations share
	Groups                      []group
}

// topic is a part of the description under a heading of its own.
type topic struct{ Title, Doc string }

type schemeView struct {
	Name, Doc, Curl string
}

type group struct {
	Name, Doc  string
	Operations []operationView
}

type operationView struct {
	ID, Method, Path, Summary, Doc string
	Deprecated                     bool
	Scopes                         []string
	Open                           bool // asks for no key
	Params                         []paramView
	Body                           *bodyView
	Answers                        []answerView
	Curl                           string
	Examples                       []exampleView // of the first good answer
}

type exampleView struct {
	Status, Type string
	Text         template.HTML
}

type paramView struct {
	In     string
	Common bool // a header that is described once for all operations
	node
}

type bodyView struct {
	Doc      string
	Required bool
	Media    []mediaView
}

type mediaView struct {
	Type    string
	Schema  node
	Example template.HTML
}

type answerView struct {
	Status, Doc string
	Name        string // of a shared answer, which is shown once
	Headers     []paramView
	Media       []mediaView
}

type builder struct {
	*reader
	origin     string
	auth       string // the header line of the first way to show a key
	operations []operation
	common     []paramView
}

func newView(doc *document, origin string) (*view, error) {
	b := &builder{reader: &reader{doc: doc}, origin: origin}
	v := &view{Style: template.CSS(style), Origin: origin, //nolint:gosec // G203: the style is embedded, not input
		Title: doc.Info.Title, Version: doc.Info.Version, License: doc.Info.License.Name}
	v.Description, v.Topics = topics(doc.Info.Description)
	var err error
	if b.operations, err = doc.operations(); err != nil {
		return nil, err
	}
	v.Schemes = b.schemes()
	if b.common, err = b.commonHeaders(); err != nil {
		return nil, err
	}
	v.Headers = b.common
	if v.Answers, err = b.shared(); err != nil {
		return nil, err
	}
	v.Groups, err = b.groups()
	return v, err
}

// schemes are the ways to show a key, in the document's order of preference.
func (b *builder) schemes() []schemeView {
	var out []schemeView
	for _, requirement := range b.doc.Security {
		for _, name := range slices.Sorted(maps.Keys(requirement)) {
			s := b.doc.Components.SecuritySchemes[name]
			if s == nil {
				continue
			}
			line := "Authorization: Bearer YOUR_KEY"
			if s.Type == "apiKey" {
				line = s.Name + ": YOUR_KEY"
			}
			if b.auth == "" {
				b.auth = line
			}
			out = append(out, schemeView{Name: line, Doc: s.Description, Curl: b.shell("get", b.firstRead(), []string{line}, nil)})
		}
	}
	return out
}

// firstRead is a path that a newcomer can GET as it stands.
func (b *builder) firstRead() string {
	for _, op := range b.operations {
		if op.method == "get" && !strings.Contains(op.path, "{") {
			return op.path
		}
	}
	return "/"
}

// groups sorts the operations under the document's tags; what has no known tag comes last.
func (b *builder) groups() ([]group, error) {
	out := make([]group, 0, len(b.doc.Tags)+1)
	for _, t := range b.doc.Tags {
		out = append(out, group{Name: t.Name, Doc: t.Description})
	}
	out = append(out, group{Name: "Other"})
	for i := range b.operations {
		op := &b.operations[i]
		v, err := b.operation(op)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.method, op.path, err)
		}
		at := slices.IndexFunc(out, func(g group) bool { return slices.Contains(op.Tags, g.Name) })
		if at < 0 {
			at = len(out) - 1
		}
		out[at].Operations = append(out[at].Operations, v)
	}
	return slices.DeleteFunc(out, func(g group) bool { return len(g.Operations) == 0 }), nil
}

func (b *builder) operation(op *operation) (v operationView, err error) {
	v = operationView{ID: op.OperationID, Method: strings.ToUpper(op.method), Path: op.path, Summary: op.Summary, Doc: op.Description, Deprecated: op.Deprecated}
	v.Scopes, v.Open = b.scopes(op.Security)
	for _, s := range v.Scopes { // said in a line of its own
		v.Doc = strings.TrimSpace(strings.TrimSuffix(v.Doc, "Needs the scope `"+s+"`."))
	}
	for _, p := range op.Parameters {
		shown, err := b.parameter(p, b.doc.Components.Parameters, "parameters")
		if err != nil {
			return v, err
		}
		shown.Common = shown.In == "header" && slices.ContainsFunc(b.common, func(h paramView) bool { return h.In == "request" && h.Name == shown.Name })
		v.Params = append(v.Params, shown)
	}
	if v.Body, err = b.body(op.RequestBody); err != nil {
		return v, err
	}
	if v.Answers, err = b.answers(op.Responses); err != nil {
		return v, err
	}
	for _, a := range v.Answers {
		if !a.Good() || v.Examples != nil {
			continue
		}
		for _, m := range a.Media {
			if m.Example != "" {
				v.Examples = append(v.Examples, exampleView{a.Status, m.Type, m.Example})
			}
		}
	}
	v.Curl, err = b.curl(op, v.Open)
	return v, err
}

// scopes are what a key needs. OpenAPI lists them under each scheme; they are the same under all of them.
func (b *builder) scopes(own *[]map[string][]string) (scopes []string, open bool) {
	requirements := b.doc.Security
	if own != nil {
		requirements = *own
	}
	for _, r := range requirements {
		for _, names := range r {
			for _, s := range names {
				if !slices.Contains(scopes, s) {
					scopes = append(scopes, s)
				}
			}
		}
	}
	slices.Sort(scopes)
	return scopes, len(requirements) == 0
}
