// Package origin decides which websites may speak with an agent: it reads web origins as browsers send them and
// compares them with the entries of allowedDomains. It believes nothing else of a request.
package origin

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"parley"
)

// Origin is a web origin in its parts. The zero value is none.
type Origin struct {
	Scheme string // http or https
	Host   string // lower-case ASCII without a final dot; an IPv6 address is in brackets
	Port   string // never empty
}

// Parse reads an origin in the form in which browsers send it: scheme, host and perhaps a port, nothing else.
// Anything that could be read in two ways is no origin: userinfo, paths, a final dot, names that are not in their
// ASCII form, and addresses in any form but the one that browsers write.
func Parse(text string) (Origin, bool) {
	if len(text) > parley.MaxOrigin {
		return Origin{}, false
	}
	scheme, rest, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return Origin{}, false
	}
	host, port, ok := split(rest)
	if !ok {
		return Origin{}, false
	}
	if port == "" {
		port = defaultPort(scheme)
	}
	host, ok = canonicalHost(strings.ToLower(host))
	return Origin{Scheme: scheme, Host: host, Port: port}, ok
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// String is the origin as browsers write it.
func (o Origin) String() string {
	if o.Port == defaultPort(o.Scheme) {
		return o.Scheme + "://" + o.Host
	}
	return o.Scheme + "://" + o.Host + ":" + o.Port
}

// local reports whether the host is this machine to the browser, where plain http is safe.
func (o Origin) local() bool {
	return o.Host == "localhost" || o.Host == "127.0.0.1" || o.Host == "[::1]"
}

// Allowed reports whether an agent with these allowedDomains may be used from the origin. An empty list allows any.
func (o Origin) Allowed(entries []string) bool {
	if len(entries) == 0 {
		return true
	}
	if o.Scheme != "https" && !o.local() {
		return false
	}
	for _, entry := range entries {
		if o.matches(entry) {
			return true
		}
	}
	return false
}

// matches compares with one entry: a host, perhaps "*." before it (subdomains of any depth, not the host itself),
// perhaps a port. Without a port an entry means the scheme's default; localhost means any.
func (o Origin) matches(entry string) bool {
	d, ok := parseEntry(entry)
	if !ok {
		return false
	}
	switch {
	case d.port == "" && d.host == "localhost" && !d.wild:
	case d.port == "" && o.Port != defaultPort(o.Scheme), d.port != "" && d.port != o.Port:
		return false
	}
	if d.wild {
		return strings.HasSuffix(o.Host, "."+d.host) && o.Host[0] != '['
	}
	return o.Host == d.host
}

type domain struct {
	host, port string
	wild       bool
}

func parseEntry(entry string) (domain, bool) {
	host, port, ok := split(entry)
	if !ok {
		return domain{}, false
	}
	d := domain{port: port}
	host, d.wild = strings.CutPrefix(host, "*.")
	d.host, ok = ASCII(host)
	return d, ok
}

// ASCII is the form in which browsers write a host: names in lower case and punycode (IDNA, as browsers map them),
// addresses in their shortest form. False when no browser would ever send it.
func ASCII(host string) (string, bool) {
	if !isASCII(host) {
		var err error
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return "", false
		}
	}
	return canonicalHost(strings.ToLower(host))
}

// Known reports whether some origin could match the entry.
func Known(entry string) bool {
	_, ok := parseEntry(entry)
	return ok
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// split cuts the port off; "" when there is none.
func split(s string) (host, port string, ok bool) {
	host, end := s, strings.LastIndexByte(s, ']')
	if i := strings.IndexByte(s[end+1:], ':'); i >= 0 {
		host, port = s[:end+1+i], s[end+2+i:]
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
			return "", "", false
		}
	}
	return host, port, host != ""
}

// canonicalHost checks a host in lower case.
func canonicalHost(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		if !closed || err != nil || !a.Is6() || a.Zone() != "" || strings.Contains(inner, ".") {
			return "", false
		}
		return "[" + words(a) + "]", true
	}
	if len(host) > parley.MaxDomain || !parley.IsHost(host) {
		return "", false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last[0] >= '0' && last[0] <= '9' { // browsers take such a host for an IPv4 address, or refuse it
		a, err := netip.ParseAddr(host)
		return host, err == nil && a.Is4()
	}
	return host, true
}

// words writes an IPv6 address as browsers do, which also write one with an IPv4 part in hexadecimal words.
func words(a netip.Addr) string {
	if !a.Is4In6() {
		return a.String()
	}
	b := a.As16()
	return "::ffff:" + strconv.FormatUint(uint64(b[12])<<8|uint64(b[13]), 16) + ":" + strconv.FormatUint(uint64(b[14])<<8|uint64(b[15]), 16)
}
