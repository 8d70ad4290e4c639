package reference

import (
	"encoding/json"
	"slices"
	"strings"
)

// node is a schema as the page shows it: a member, a body, or one of several choices.
type node struct {
	Name     string // of the member; "" for a body
	When     string // of a choice: the word that the discriminator has, "" when there is none
	Type     string // in words: "list of string", "integer or null"
	Doc      string
	Required bool
	Badges   []string // deprecated, read only, write only
	Facts    []fact
	Members  []node
	Choices  []node
	Decides  string // the member whose value tells the choices apart, "" when none does
	Open     bool   // the members are shown without asking
}

// fact is one thing that a value must be or is.
type fact struct {
	Label  string
	Values []string
}

// Folds reports whether there is something to unfold.
func (n node) Folds() bool { return len(n.Members)+len(n.Choices) > 0 }

// reader turns schemas into nodes. It holds the names of the schemas that it is inside of, because a schema may
// contain itself.
type reader struct {
	doc    *document
	inside []string
}

func (r *reader) node(name string, s *schema) (node, error) {
	if s == nil {
		return node{Name: name, Type: "any value"}, nil
	}
	called, s, err := r.resolve(s)
	if err != nil {
		return node{}, err
	}
	n := node{Name: name, Type: typeOf(s, called), Doc: s.Description, Facts: factsOf(s)}
	for _, b := range []struct {
		is   bool
		text string
	}{{s.Deprecated, "deprecated"}, {s.ReadOnly, "read only"}, {s.WriteOnly, "write only"}} {
		if b.is {
			n.Badges = append(n.Badges, b.text)
		}
	}
	if called != "" {
		if slices.Contains(r.inside, called) {
			n.Doc = strings.TrimSpace(n.Doc + " As described above.")
			return n, nil
		}
		r.inside = append(r.inside, called)
		defer func() { r.inside = r.inside[:len(r.inside)-1] }()
	}
	return n, r.fill(&n, s)
}

// fill adds what is inside a value.
func (r *reader) fill(n *node, s *schema) error {
	for _, choice := range append(slices.Clone(s.OneOf), s.AnyOf...) {
		c, err := r.node("", choice)
		if err != nil {
			return err
		}
		if n.Decides = s.Discriminator.PropertyName; n.Decides != "" {
			c.When = wordOf(c, n.Decides)
		}
		n.Choices = append(n.Choices, c)
	}
	switch {
	case s.Items != nil:
		item, err := r.node("", s.Items)
		if err != nil {
			return err
		}
		n.Type = strings.Replace(n.Type, "list", "list of "+item.Type, 1)
		for _, f := range item.Facts {
			n.Facts = append(n.Facts, fact{"each " + f.Label, f.Values})
		}
		n.Members, n.Choices = append(n.Members, item.Members...), append(n.Choices, item.Choices...)
		n.Decides = item.Decides
		if n.Doc == "" && !item.Folds() {
			n.Doc = item.Doc
		}
	case s.AdditionalProperties != nil && s.AdditionalProperties.schema != nil:
		value, err := r.node("", s.AdditionalProperties.schema)
		if err != nil {
			return err
		}
		n.Type = strings.Replace(n.Type, "object", "object of "+value.Type+" by name", 1)
		n.Members, n.Choices = append(n.Members, value.Members...), append(n.Choices, value.Choices...)
	}
	return r.members(n, s)
}

// wordOf is the one value that a member may have.
func wordOf(n node, name string) string {
	for _, m := range n.Members {
		for _, f := range m.Facts {
			if m.Name == name && f.Label == always {
				return f.Values[0]
			}
		}
	}
	return ""
}

// members adds an object's members, required ones first and in the order in which the document requires them.
func (r *reader) members(n *node, s *schema) error {
	names := slices.DeleteFunc(slices.Clone(s.Required), func(name string) bool { return s.Properties[name] == nil })
	var optional []string
	for name := range s.Properties {
		if !slices.Contains(names, name) {
			optional = append(optional, name)
		}
	}
	slices.Sort(optional)
	for _, name := range append(names, optional...) {
		m, err := r.node(name, s.Properties[name])
		if err != nil {
			return err
		}
		m.Required = slices.Contains(s.Required, name)
		n.Members = append(n.Members, m)
	}
	for _, part := range s.AllOf {
		p, err := r.node("", part)
		if err != nil {
			return err
		}
		n.Members, n.Choices = append(n.Members, p.Members...), append(n.Choices, p.Choices...)
	}
	return nil
}

// resolve follows references and returns the last name. What stands beside a reference wins.
func (r *reader) resolve(s *schema) (string, *schema, error) {
	called, doc := "", ""
	for hops := 0; s.Ref != "" && hops < 32; hops++ {
		if doc == "" {
			doc = s.Description
		}
		name, target, err := find("schemas", r.doc.Components.Schemas, s.Ref)
		if err != nil {
			return "", nil, err
		}
		called, s = name, target
	}
	if doc != "" {
		described := *s
		described.Description, s = doc, &described
	}
	return called, s, nil
}

// typeOf says a type in words.
func typeOf(s *schema, called string) string {
	var words []string
	for _, t := range s.Type {
		switch {
		case t == "array":
			t = "list"
		case t == "object" && called != "":
			t = called
		case t != "null" && s.Format != "" && s.Format != "int64" && s.Format != "double":
			t += " (" + s.Format + ")"
		}
		words = append(words, t)
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, " or ")
	case called != "":
		return called
	case len(s.OneOf)+len(s.AnyOf) > 0:
		return "one of several"
	case len(s.Properties)+len(s.AllOf) > 0:
		return "object"
	}
	return "any value"
}

const maxPattern = 80 // characters of a pattern that a person may still read

const always = "always" // the label of the only value

func factsOf(s *schema) []fact {
	var out []fact
	add := func(label string, values ...string) { out = append(out, fact{label, values}) }
	if len(s.Default) > 0 {
		add("default", plain(s.Default))
	}
	if len(s.Const) > 0 {
		add(always, plain(s.Const))
	}
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = plain(v)
		}
		label := "one of"
		if len(values) == 1 {
			label = always
		}
		add(label, values...)
	}
	between := func(label string, low, high json.Number) {
		switch {
		case low != "" && low == high:
			add(label, low.String())
		case low != "" && high != "":
			add(label, low.String()+" to "+high.String())
		case low != "":
			add(label, "at least "+low.String())
		case high != "":
			add(label, "at most "+high.String())
		}
	}
	between("range", s.Minimum, s.Maximum)
	between("range, ends excluded", s.ExclusiveMinimum, s.ExclusiveMaximum)
	between("characters", s.MinLength, s.MaxLength)
	between("items", s.MinItems, s.MaxItems)
	switch {
	case s.Pattern == `\S`:
		add("not blank")
	case len(s.Pattern) > maxPattern:
		add("pattern", "in the document")
	case s.Pattern != "":
		add("pattern", s.Pattern)
	}
	if len(s.Examples) > 0 && len(s.Type) > 0 && s.Type[0] != "object" && s.Type[0] != "array" {
		add("example", plain(s.Examples[0]))
	}
	return out
}

// plain shows a string without its quotes and anything else as JSON.
func plain(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil && text != "" {
		return text
	}
	return string(v)
}
