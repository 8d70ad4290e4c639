package tool

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"parley"
)

// body fills a body template: an object or list goes as JSON, a string as text, in which each value is escaped as that
// kind of text wants it.
func (v *values) body(template json.RawMessage, header http.Header) ([]byte, error) {
	var t any
	if unmarshal(template, &t) != nil {
		return nil, &setupError{"The body of the tool is not readable."}
	}
	plain, isText := t.(string)
	kind, start := strings.ToLower(header.Get("Content-Type")), strings.TrimSpace(plain)
	switch {
	case !isText:
		setDefault(header, "Content-Type", "application/json")
		filled, _, err := v.fillJSON(t)
		return marshal(filled), err
	case strings.Contains(kind, "json"), kind == "" && start != "" && (start[0] == '{' && !strings.HasPrefix(start, "{{") || start[0] == '['):
		setDefault(header, "Content-Type", "application/json")
		return v.jsonText(plain)
	case strings.Contains(kind, "x-www-form-urlencoded"):
		return v.optional(plain, url.QueryEscape)
	case strings.Contains(kind, "xml"):
		return v.optional(plain, func(s string) string {
			var b strings.Builder
			_ = xml.EscapeText(&b, []byte(s)) // a Builder fails never
			return b.String()
		})
	}
	setDefault(header, "Content-Type", "text/plain; charset=utf-8")
	return v.optional(plain, func(s string) string { return s })
}

// optional fills a text in which an argument that was left out is nothing.
func (v *values) optional(template string, escape func(string) string) ([]byte, error) {
	filled, err := parley.FillTemplate(template, func(source, name string) (string, error) {
		value, err := v.value(source, name)
		if isUnfilled(err) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return escape(plainText(value)), nil
	})
	return []byte(filled), err
}

// fillJSON fills the strings of decoded JSON. A string that is one argument and nothing else becomes the argument with
// its type; without that argument, its member or item is absent.
func (v *values) fillJSON(t any) (filled any, absent bool, err error) {
	switch t := t.(type) {
	case string:
		if name, ok := parley.LoneArgument(t); ok {
			value, err := v.value("args", name)
			return value, err != nil, nil
		}
		filled, err := v.optional(t, func(s string) string { return s })
		return string(filled), false, err
	case []any:
		list := make([]any, 0, len(t))
		for _, item := range t {
			filled, absent, err := v.fillJSON(item)
			if err != nil {
				return nil, false, err
			}
			if !absent {
				list = append(list, filled)
			}
		}
		return list, false, nil
	case map[string]any:
		object := make(map[string]any, len(t))
		for name, member := range t {
			filled, absent, err := v.fillJSON(member)
			if err != nil {
				return nil, false, err
			}
			if !absent {
				object[name] = filled
			}
		}
		return object, false, nil
	}
	return t, false, nil
}

// jsonText fills JSON that is written as text. Between quotation marks a value is escaped; elsewhere it is the
// argument as JSON, null when it was left out.
func (v *values) jsonText(template string) ([]byte, error) {
	var b bytes.Buffer
	quoted := false
	for rest := template; rest != ""; {
		literal, after, found := strings.Cut(rest, "{{")
		quoted = endsQuoted(literal, quoted)
		b.WriteString(literal)
		if !found {
			break
		}
		inner, after, _ := strings.Cut(after, "}}")
		if err := v.placeJSON(&b, "{{"+inner+"}}", quoted); err != nil {
			return nil, err
		}
		rest = after
	}
	if !json.Valid(b.Bytes()) {
		return nil, &setupError{"The body of the tool does not become JSON with these arguments. Write it as an object instead of a text."}
	}
	return b.Bytes(), nil
}

func (v *values) placeJSON(b *bytes.Buffer, placeholder string, quoted bool) error {
	if quoted {
		filled, err := v.optional(placeholder, func(s string) string {
			raw := marshal(s)
			return string(raw[1 : len(raw)-1])
		})
		b.Write(filled)
		return err
	}
	value := "null"
	_, err := parley.FillTemplate(placeholder, func(source, name string) (string, error) {
		raw, err := v.value(source, name)
		if isUnfilled(err) {
			return "", nil
		}
		value = string(marshal(raw))
		return "", err
	})
	b.WriteString(value)
	return err
}

// endsQuoted reports whether the end of a piece of JSON stands between quotation marks.
func endsQuoted(literal string, quoted bool) bool {
	for i := 0; i < len(literal); i++ {
		switch {
		case quoted && literal[i] == '\\':
			i++
		case literal[i] == '"':
			quoted = !quoted
		}
	}
	return quoted
}
