package parley

import (
	"slices"
	"strings"
)

// templatePart is a piece of literal text, or a placeholder such as {{args.orderId}}.
type templatePart struct {
	literal string
	source  string // args, secret or context; "" for literal text
	name    string
}

// contextNames are what {{context.…}} can name: values that the server knows and no model can change.
var contextNames = []string{"callerNumber", "contactId", "conversationId", "agentId", "organizationId", "visitor.sub"}

// parseTemplate splits a text at its placeholders. problem says what is wrong with one of them and what to
// write instead; it quotes no literal text, which may be a credential.
func parseTemplate(text string) (parts []templatePart, problem string) {
	for {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			parts = append(parts, templatePart{literal: before})
		}
		if !found {
			return parts, ""
		}
		inner, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, "has a {{ without }}. Write a template as {{args.name}}."
		}
		p, problem := parsePlaceholder(strings.Trim(inner, " "))
		if problem != "" {
			return nil, problem
		}
		parts = append(parts, p)
		text = after
	}
}

func parsePlaceholder(inner string) (templatePart, string) {
	source, name, _ := strings.Cut(inner, ".")
	p := templatePart{source: source, name: name}
	switch {
	case source == "args" && isTemplateName(name, true), source == "secret" && isTemplateName(name, false),
		source == "context" && slices.Contains(contextNames, name):
		return p, ""
	case source == "args":
		return p, "has a malformed {{args.…}}. After the point goes the name of one parameter: up to 64 letters, digits, _ and -."
	case source == "secret":
		return p, "has a malformed {{secret.…}}. After the point goes a secret's name: a letter, then up to 63 letters, digits and _."
	case source == "context":
		return p, "has an unknown {{context.…}}. Known are " + strings.Join(contextNames, ", ") + "."
	}
	return p, "has an unknown template. Use {{args.name}}, {{secret.NAME}} or {{context.name}}."
}

func isTemplateName(s string, hyphen bool) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9' || c == '_'
		if !letter && (!digit || !hyphen && i == 0) && (c != '-' || !hyphen) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// onlyTemplates reports whether a value holds at least one placeholder and, beside placeholders, nothing but
// the words of authentication schemes, as in Bearer {{secret.SHOP}}.
func onlyTemplates(parts []templatePart) bool {
	some := false
	for _, p := range parts {
		some = some || p.source != ""
		for word := range strings.FieldsSeq(p.literal) {
			if !isAuthScheme(word) {
				return false
			}
		}
	}
	return some
}

func isAuthScheme(word string) bool {
	return slices.Contains([]string{"bearer", "basic", "token", "apikey"}, strings.ToLower(word))
}

// FillTemplate replaces the placeholders of a text by what value returns for them. What stands literally goes through
// unchanged. The first error of value ends it. A text with malformed placeholders is an error without a quotation.
func FillTemplate(text string, value func(source, name string) (string, error)) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	parts, problem := parseTemplate(text)
	if problem != "" {
		return "", Errorf(CodeInvalid, "A template %s", problem)
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.literal)
		if p.source == "" {
			continue
		}
		v, err := value(p.source, p.name)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// TemplateNames returns the names that texts use of a source (args, secret, context), each once, in order.
func TemplateNames(source string, texts ...string) (names []string) {
	for _, text := range texts {
		parts, _ := parseTemplate(text)
		for _, p := range parts {
			if p.source == source && !slices.Contains(names, p.name) {
				names = append(names, p.name)
			}
		}
	}
	return names
}

// LoneArgument returns the argument that a text consists of, when it is one {{args.name}} and nothing else.
func LoneArgument(text string) (name string, ok bool) {
	parts, problem := parseTemplate(text)
	if problem != "" || len(parts) != 1 || parts[0].source != "args" {
		return "", false
	}
	return parts[0].name, true
}
