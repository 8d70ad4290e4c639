package parley

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Secret is what is known about a credential that an organization stores under a name: never its value.
type Secret struct {
	OrgID     string
	Name      string // unique in the organization, with case
	CreatedAt time.Time
	UpdatedAt time.Time // of the value
}

// Limits of secrets, the value's in Unicode code points.
const (
	MaxSecrets = 1_000 // of one organization
	MaxSecret  = 4_096
)

// Patterns of a secret: what it can be called, and what its value is beside not blank.
const (
	SecretNamePattern  = "^[a-zA-Z][a-zA-Z0-9_]{0,63}$"
	SecretValuePattern = `^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$`
)

// IsSecretName reports whether a secret can have this name. It is what {{secret.NAME}} can hold.
func IsSecretName(name string) bool { return isTemplateName(name, false) }

// SecretValue reads the value of a secret from a request. No problem quotes it. Line ends are allowed, for keys
// in PEM; where a value goes into a header, they are refused when the tool is called.
func SecretValue(in *Input) (string, error) {
	in.Required("value")
	value := ""
	in.Text("value", &value, 1, MaxSecret)
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f }) {
		in.Fail("value", "must not hold control characters.")
	}
	return value, in.Done()
}

// SecretNames are the secrets that a tool refers to, each once, sorted.
func (t Tool) SecretNames() []string {
	names := map[string]bool{}
	add := func(text string) {
		parts, _ := parseTemplate(text)
		for _, p := range parts {
			if p.source == "secret" {
				names[p.name] = true
			}
		}
	}
	addAll := func(m map[string]string) {
		for _, text := range m {
			add(text)
		}
	}
	if t.HTTP != nil {
		add(t.HTTP.URL)
		addAll(t.HTTP.Headers)
		addAll(t.HTTP.Query)
		walkStrings(t.HTTP.Body, func(text string, _ bool) { add(text) })
	}
	if t.MCP != nil {
		add(t.MCP.URL)
		addAll(t.MCP.Headers)
	}
	return slices.Sorted(maps.Keys(names))
}
