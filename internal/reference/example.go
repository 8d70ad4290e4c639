package reference

import (
	"bytes"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// shortBody is the length up to which a body stands on one line of a command.
const shortBody = 60

// exampleOf is the first example of a body, nil when there is none.
func exampleOf(m *media) json.RawMessage {
	if len(m.Example) > 0 {
		return m.Example
	}
	for _, name := range slices.Sorted(maps.Keys(m.Examples)) {
		return m.Examples[name].Value
	}
	if m.Schema != nil && len(m.Schema.Examples) > 0 {
		return m.Schema.Examples[0]
	}
	return nil
}

// curl is an operation as a command for the shell.
func (b *builder) curl(op *operation, open bool) (string, error) {
	path := op.path
	var headers, query []string
	if !open && b.auth != "" {
		headers = append(headers, b.auth)
	}
	for _, p := range op.Parameters {
		if p.Ref != "" {
			_, target, err := find("parameters", b.doc.Components.Parameters, p.Ref)
			if err != nil {
				return "", err
			}
			p = target
		}
		value := placeholder(p)
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		case !p.Required:
		case p.In == "query":
			query = append(query, p.Name+"="+value)
		case p.In == "header":
			headers = append(headers, p.Name+": "+value)
		}
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	var data json.RawMessage
	if in := op.RequestBody; in != nil {
		if in.Ref != "" {
			_, target, err := find("requestBodies", b.doc.Components.RequestBodies, in.Ref)
			if err != nil {
				return "", err
			}
			in = target
		}
		if m := in.Content["application/json"]; m != nil {
			headers = append(headers, "content-type: application/json")
			if data = exampleOf(m); data == nil {
				data = json.RawMessage("{}")
			}
		}
	}
	return b.shell(op.method, path, headers, data), nil
}

func (b *builder) shell(method, path string, headers []string, data json.RawMessage) string {
	lines := []string{"curl " + quote(b.origin+path)}
	if method = strings.ToUpper(method); method != "GET" && (method != "POST" || data == nil) {
		lines[0] = "curl -X " + method + " " + quote(b.origin+path)
	}
	for _, h := range headers {
		lines = append(lines, "-H "+quote(h))
	}
	if data != nil {
		lines = append(lines, "-d "+quote(shellBody(data)))
	}
	return strings.Join(lines, " \\\n  ")
}

func shellBody(data json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, data) == nil && out.Len() > shortBody {
		out.Reset()
		_ = json.Indent(&out, data, "  ", "  ") // it was compact JSON a line ago
	}
	return out.String()
}

// quote makes one word of the shell.
func quote(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:@%+=,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// placeholder is a parameter's example, or its name in capitals for the reader to replace: AGENT_ID.
func placeholder(p *parameter) string {
	if len(p.Example) > 0 {
		return plain(p.Example)
	}
	if p.Schema != nil && len(p.Schema.Examples) > 0 {
		return plain(p.Schema.Examples[0])
	}
	var out strings.Builder
	for i, r := range p.Name {
		if i > 0 && unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToUpper(r))
	}
	return strings.ReplaceAll(out.String(), "-", "_")
}

// highlight shows JSON with its names, texts and other values told apart. A text example is shown as it is.
func highlight(raw json.RawMessage) template.HTML {
	if len(raw) == 0 {
		return ""
	}
	if text := plain(raw); raw[0] == '"' {
		return template.HTML(template.HTMLEscapeString(text)) //nolint:gosec // G203: escaped here
	}
	var indented bytes.Buffer
	if json.Indent(&indented, raw, "", "  ") != nil {
		return ""
	}
	var out strings.Builder
	for rest := indented.String(); rest != ""; {
		token, class := nextToken(rest)
		rest = rest[len(token):]
		if class == "s" && strings.HasPrefix(rest, ":") {
			class = "k"
		}
		text := template.HTMLEscapeString(unescaped(token))
		if class != "" {
			text = `<span class="` + class + `">` + text + `</span>`
		}
		out.WriteString(text)
	}
	return template.HTML(out.String()) //nolint:gosec // G203: every token is escaped above
}

// nextToken cuts the first token off indented JSON: a string (s), a number or word (n), or what stands between.
func nextToken(s string) (token, class string) {
	if s[0] == '"' {
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				return s[:i+1], "s"
			}
		}
		return s, ""
	}
	between := func(r rune) bool { return strings.ContainsRune(" \n{}[],:", r) }
	if between(rune(s[0])) {
		if i := strings.IndexFunc(s, func(r rune) bool { return !between(r) }); i > 0 {
			return s[:i], ""
		}
		return s, ""
	}
	if i := strings.IndexFunc(s, between); i > 0 {
		return s[:i], "n"
	}
	return s, "n"
}

// unescaped shows the characters that Go's JSON writes as escapes for the sake of HTML.
func unescaped(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(s)
}
