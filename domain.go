package parley

import (
	"net/netip"
	"strconv"
	"strings"
)

// domainProblem says what is wrong with an entry of allowedDomains, or "". An entry is a host, optionally
// with a port, optionally with "*." before it (subdomains only, of any depth).
func domainProblem(entry string) string {
	if p := lengthProblem(entry, 1, 300); p != "" {
		return p
	}
	switch {
	case strings.Contains(entry, "://"):
		return "must be a host without a scheme, such as example.com."
	case strings.ContainsAny(entry, "/?#@"):
		return "must be a host without a path, such as example.com."
	case entry == "*":
		return "must name a host. Leave the list empty to allow any site."
	}
	host, port, problem := splitPort(entry)
	if problem != "" {
		return problem
	}
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strings.Trim(port, "0123456789") != "" {
			return "has a port that is not from 1 to 65535."
		}
	}
	bare, wild := strings.CutPrefix(host, "*.")
	if strings.Contains(bare, "*") {
		return "may have * only as the first label, such as *.example.com."
	}
	if !wild && isAddress(bare) {
		return ""
	}
	if !isHost(bare) || isAddress(bare) {
		return "must be a host such as example.com, *.example.com or localhost:3000."
	}
	return ""
}

func splitPort(entry string) (host, port, problem string) {
	if strings.HasPrefix(entry, "[") {
		host, rest, ok := strings.Cut(entry, "]")
		if !ok || rest != "" && !strings.HasPrefix(rest, ":") || rest == ":" {
			return "", "", "must be a host such as example.com or [::1]:3000."
		}
		return host + "]", strings.TrimPrefix(rest, ":"), ""
	}
	host, port, ok := strings.Cut(entry, ":")
	if ok && port == "" {
		return "", "", "has a port that is not from 1 to 65535."
	}
	return host, port, ""
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && (strings.HasPrefix(host, "[") == strings.Contains(host, ":"))
}

// isHost accepts DNS names in their ASCII form (internationalized names as xn--…), without a final dot.
func isHost(host string) bool {
	if len(host) == 0 || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
