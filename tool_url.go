package parley

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ToolURLPattern matches the addresses of HTTP tools, for the API's document. Beyond it, in words: the whole
// host has at most MaxDomain characters, names of query entries have no templates, and credentials go elsewhere.
var ToolURLPattern = `^[Hh][Tt][Tt][Pp][Ss]?://(` + labelPattern + `(\.` + labelPattern + `)*|\[(` + addressPattern() + `)\])` + portPattern +
	`([/?]([!$&-;=?-\[\]_a-z~]|%[0-9A-Fa-f]{2}|\{\{ *(args|secret|context)\.[0-9A-Za-z._-]+ *\}\})*)?$`

const urlTemplates = "Templates fill values in its path and query only."

// toolURLProblem says what is wrong with the address of an HTTP tool, or "". It never quotes the address.
func toolURLProblem(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	authority := rest
	if i := strings.IndexAny(rest, `/?#\`); i >= 0 {
		authority = rest[:i]
	}
	if strings.Contains(scheme, "{{") || strings.Contains(authority, "{{") {
		return "must not have a template in scheme, host or port. " + urlTemplates
	}
	if _, p := parseTemplate(raw); p != "" {
		return p
	}
	u, valid := parseToolURL(raw)
	switch {
	case !ok || !valid:
		return "must be an address such as https://api.example.com/orders/{{args.orderId}}, with other characters percent-encoded."
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with https:// or http://."
	case u.User != nil || strings.Contains(authority, "@"):
		return "must not carry a user name or password. Put credentials into headers."
	case strings.Contains(raw, "#"):
		return "must not have a fragment (#…). It is never sent."
	}
	if p := toolHostProblem(u.Host); p != "" {
		return p
	}
	_, query, _ := strings.Cut(raw, "?")
	return urlQueryProblem(query)
}

// parseToolURL parses an address with a letter in the place of each template.
func parseToolURL(raw string) (*url.URL, bool) {
	parts, p := parseTemplate(raw)
	if p != "" || raw == "" {
		return nil, false
	}
	var plain strings.Builder
	for _, part := range parts {
		if part.source != "" {
			part.literal = "x"
		}
		plain.WriteString(part.literal)
	}
	if !IsPrintable(plain.String()) || strings.ContainsAny(plain.String(), "<>\"\\^`{|}") {
		return nil, false
	}
	u, err := url.Parse(plain.String())
	return u, err == nil
}

// origin is what tells one server from another: scheme, host and port.
func origin(u *url.URL) string {
	if u == nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

func toolHostProblem(hostPort string) string {
	host, port, problem := splitPort(hostPort)
	if n, err := strconv.Atoi(port); problem == "" && port != "" && (err != nil || n < 1 || n > 65535 || port[0] < '1' || port[0] > '9') {
		problem = "has a port that is not from 1 to 65535."
	}
	if problem == "" && (strings.Contains(host, "%") || !IsHost(host) && !isIPv6(host)) {
		problem = "must name a host such as api.example.com, an internationalized one in its xn-- form."
	}
	return problem
}

func urlQueryProblem(query string) string {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.Contains(name, "{{") {
			return "must not have a template in the name of a query entry. " + urlTemplates
		}
		plain, err := url.QueryUnescape(name)
		if _, bad := url.QueryUnescape(strings.NewReplacer("{{", "", "}}", "").Replace(value)); err != nil || bad != nil {
			return "has a % in its query that begins no percent-encoded byte."
		}
		if isHidden(plain, value) {
			return "must not carry a credential. Put the entry into query, where it is hidden and sealed, or use {{secret.NAME}}."
		}
	}
	return ""
}

// forbiddenHeaders are those that belong to the connection, not to the request (RFC 9110, section 7.6.1), or
// that the server sets by itself.
var forbiddenHeaders = []string{"host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
	"expect", "http2-settings"}

func checkHeaders(headers map[string]string, fail func(name, problem string)) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		at, low := "headers."+name, strings.ToLower(name)
		if first, ok := seen[low]; ok {
			fail(at, "is the same header as "+first+". Send it once.")
			continue
		}
		seen[low] = name
		switch {
		case headers[name] == Mask: // reported by unmask
		case !isToken(name) || len(name) > MaxToolHeaderName:
			fail(at, "is no valid name of a header. Use 1 to "+strconv.Itoa(MaxToolHeaderName)+" letters, digits and hyphens.")
		case slices.Contains(forbiddenHeaders, low) || strings.HasPrefix(low, "proxy-"):
			fail(at, "is set by the server. Remove it.")
		default:
			if p := headerValueProblem(headers[name]); p != "" {
				fail(at, p)
			}
		}
	}
}

func headerValueProblem(value string) string {
	if p := lengthProblem(value, 0, MaxToolHeader); p != "" {
		return p
	}
	for _, c := range []byte(value) {
		if c != '\t' && (c < ' ' || c > '~') {
			return "must have printable ASCII characters only, without line breaks."
		}
	}
	_, p := parseTemplate(value)
	return p
}

// isToken reports whether s is a token of RFC 9110.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func checkQuery(query map[string]string, fail func(name, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		value, at := query[name], "query."+name
		_, bad := parseTemplate(value)
		switch {
		case value == Mask: // reported by unmask
		case strings.Contains(name, "{{"):
			fail(at, "has a template in its name. Templates go into values.")
		case lengthProblem(name, 1, MaxToolQueryName) != "" || strings.ContainsFunc(name, unicode.IsControl):
			fail(at, "is no valid name of a query entry. Use 1 to "+strconv.Itoa(MaxToolQueryName)+" characters.")
		case lengthProblem(value, 0, MaxToolQueryValue) != "":
			fail(at, lengthProblem(value, 0, MaxToolQueryValue))
		case strings.ContainsFunc(value, unicode.IsControl):
			fail(at, "must not have control characters or line breaks.")
		case bad != "":
			fail(at, bad)
		}
	}
}
