package origin

import "strings"

// FrameAncestors is the value of the Content-Security-Policy directive frame-ancestors for a chat agent's
// allowedDomains: who may show the chat in an iframe. Empty = any site. Parley's own pages always may.
func FrameAncestors(allowedDomains []string) string {
	if len(allowedDomains) == 0 {
		return "*"
	}
	out := "'self'"
	for _, entry := range allowedDomains {
		if d, ok := parseEntry(entry); ok {
			out += d.sources()
		}
	}
	return out
}

// sources are a domain as CSP source expressions, each after a space. CSP has no words for IPv6 addresses
// (https://www.w3.org/TR/CSP3/#grammardef-host-part), so they get none. "*." means subdomains of any depth in both.
func (d domain) sources() string {
	if strings.HasPrefix(d.host, "[") {
		return ""
	}
	port := d.port
	if port == "" && d.host == "localhost" {
		port = "*"
	}
	if port != "" {
		port = ":" + port
	}
	switch {
	case d.wild:
		return " https://*." + d.host + strings.TrimSuffix(port, ":*")
	case Origin{Host: d.host}.local():
		return " http://" + d.host + port + " https://" + d.host + port
	}
	return " https://" + d.host + port
}
