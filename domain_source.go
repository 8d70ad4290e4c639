package parley

import "strings"

// FrameAncestors is the value of the Content-Security-Policy directive frame-ancestors for a chat agent's
// allowedDomains: who may show the chat in an iframe. Empty = any site. Parley's own pages always may.
func FrameAncestors(allowedDomains []string) string {
	if len(allowedDomains) == 0 {
		return "*"
	}
	out := "'self'"
	for _, entry := range allowedDomains {
		if s := frameSource(entry); s != "" {
			out += " " + s
		}
	}
	return out
}

// frameSource is an entry as CSP source expressions, or "" when it is no entry, or when CSP cannot say it: its grammar
// has no IPv6 addresses (https://www.w3.org/TR/CSP3/#grammardef-host-part). "*." means subdomains of any depth in both.
func frameSource(entry string) string {
	if domainProblem(entry) != "" || strings.HasPrefix(entry, "[") {
		return ""
	}
	host, port, _ := splitPort(strings.ToLower(entry))
	if !isLocal(host) {
		if port != "" {
			host += ":" + port
		}
		return "https://" + host // no port means 443
	}
	if port == "" {
		port = "*"
	}
	return "http://" + host + ":" + port + " https://" + host + ":" + port
}

// isLocal reports whether an entry's host is this machine, where pages need no https.
func isLocal(host string) bool { return host == "localhost" || host == "127.0.0.1" }
