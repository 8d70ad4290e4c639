package parley

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The parts of DomainPattern. An internationalized name may be given as people write it: letters beyond ASCII, which
// browsers turn into punycode. What of them is no name is for internal/origin to say.
const (
	// Without spaces, symbols, private use and surrogates: JavaScript reads the pattern in UTF-16. The two in the
	// middle are the joiners of Persian and Indian names.
	wideRanges = "\u00a1-\u167f\u1681-\u1fff\u200c\u200d\u2c00-\u2fff\u3001-\ud7ff\uf900-\uffef"
	wideLabel  = `[A-Za-z0-9_` + wideRanges + `]([A-Za-z0-9_` + wideRanges + `-]{0,61}[A-Za-z0-9_` + wideRanges + `])?`
	wideLast   = `[A-Za-z` + wideRanges + `]([A-Za-z0-9_` + wideRanges + `-]{0,61}[A-Za-z0-9_` + wideRanges + `])?`

	labelPattern = `[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`
	portPattern  = `(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?`
	wordPattern  = `[0-9A-Fa-f]{1,4}`
)

// MaxDomain bounds an entry of allowedDomains, in characters.
const MaxDomain = 253

// DomainPattern matches exactly the entries of allowedDomains that are accepted, for the API's document.
var DomainPattern = `^(\*\.(` + wideLabel + `\.)*` + wideLast + `|` + wideLabel + `(\.` + wideLabel + `)*|\[(` + addressPattern() + `)\])` + portPattern + `$`

// addressPattern matches IPv6 addresses: eight words, or fewer with one "::" anywhere.
func addressPattern() string {
	all := []string{fmt.Sprintf(`(%s:){7}%s`, wordPattern, wordPattern), fmt.Sprintf(`(%s:){1,7}:`, wordPattern), fmt.Sprintf(`:(:%s){1,7}`, wordPattern), `::`}
	for n := 1; n <= 6; n++ {
		all = append(all, fmt.Sprintf(`(%s:){1,%d}(:%s){1,%d}`, wordPattern, n, wordPattern, 7-n))
	}
	return strings.Join(all, "|")
}

// domainProblem says what is wrong with an entry of allowedDomains, or "". An entry is a host, optionally
// with a port, optionally with "*." before it (subdomains only, of any depth).
func domainProblem(entry string) string {
	if p := lengthProblem(entry, 1, MaxDomain); p != "" {
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
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] < '1' || port[0] > '9' {
			return "has a port that is not from 1 to 65535."
		}
	}
	bare, wild := strings.CutPrefix(host, "*.")
	if strings.Contains(bare, "*") {
		return "may have * only as the first label, such as *.example.com."
	}
	last := bare[strings.LastIndexByte(bare, '.')+1:]
	numeric := last == "" || last[0] >= '0' && last[0] <= '9' || last[0] == '_' // no top-level domain is: it is an address
	switch {
	case !wild && isIPv6(bare):
		return ""
	case !isHostOf(bare, isWide), wild && numeric:
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

// isIPv6 accepts addresses in brackets as browsers write them: no zone, no IPv4 part.
func isIPv6(host string) bool {
	inner, ok := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !ok || !closed || strings.ContainsAny(inner, "%.") {
		return false
	}
	_, err := netip.ParseAddr(inner)
	return err == nil && strings.Contains(inner, ":")
}

// IsHost accepts DNS names in their ASCII form (internationalized names as xn--…), without a final dot.
func IsHost(host string) bool {
	return len(host) <= MaxDomain && isHostOf(host, func(rune) bool { return false })
}

// isHostOf accepts names of ASCII letters, digits, hyphens, underscores, and what also says.
func isHostOf(host string, also func(rune) bool) bool {
	for label := range strings.SplitSeq(host, ".") {
		if n := utf8.RuneCountInString(label); n == 0 || n > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && !also(c) {
				return false
			}
		}
	}
	return true
}

// isWide reports whether c is in wideRanges.
func isWide(c rune) bool {
	return c >= 0xa1 && c <= 0x1fff && c != 0x1680 || c == 0x200c || c == 0x200d ||
		c >= 0x2c00 && c <= 0xd7ff && c != 0x3000 || c >= 0xf900 && c <= 0xffef
}
