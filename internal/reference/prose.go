package reference

import (
	"html/template"
	"strings"
	"unicode"
)

// prose renders the little Markdown that descriptions use: paragraphs, lists with "- " and `code`.
func prose(text string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		if strings.HasPrefix(lines[0], "- ") {
			out.WriteString("<ul>")
			for _, line := range lines {
				out.WriteString("<li>" + inline(strings.TrimPrefix(line, "- ")) + "</li>")
			}
			out.WriteString("</ul>")
		} else if block != "" {
			out.WriteString("<p>" + inline(strings.Join(lines, " ")) + "</p>")
		}
	}
	return template.HTML(out.String()) //nolint:gosec // G203: inline escapes every word
}

// inline escapes a line and marks what stands between backticks. A lone backtick stays one.
func inline(text string) string {
	parts := strings.Split(template.HTMLEscapeString(text), "`")
	var out strings.Builder
	for i, part := range parts {
		switch {
		case i%2 == 0:
			out.WriteString(part)
		case i == len(parts)-1:
			out.WriteString("`" + part)
		default:
			out.WriteString("<code>" + part + "</code>")
		}
	}
	return out.String()
}

// topics splits a description at its headings ("## …") into what stands before them and the rest.
func topics(text string) (intro string, out []topic) {
	parts := strings.Split("\n"+text, "\n## ")
	for _, part := range parts[1:] {
		title, doc, _ := strings.Cut(part, "\n")
		out = append(out, topic{Title: strings.TrimSpace(title), Doc: doc})
	}
	return parts[0], out
}

// slug makes an anchor of a name.
func slug(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), "-"))
}
