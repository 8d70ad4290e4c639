package egress

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CheckURL refuses, in words for whoever enters it, an address that requests would not be made to. It looks no
// name up: what a name leads to is decided at each connection. The error is a *BlockedError.
func (g *Gate) CheckURL(raw string) error {
	for _, c := range []byte(raw) {
		if c < ' ' || c == 0x7f || c == '\\' {
			return &BlockedError{"it must not hold backslashes, line breaks or other control characters"}
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		return &BlockedError{"it is not a valid URL; write it as https://api.example.com/path"}
	}
	return g.checkURL(u)
}

// checkURL holds for every request and every redirect.
func (g *Gate) checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &BlockedError{"it must begin with https:// or http://"}
	case u.Opaque != "" || host == "":
		return &BlockedError{"it names no host; write it as https://api.example.com/path"}
	case u.User != nil:
		return &BlockedError{"it must not carry a user name or password; put credentials into headers"}
	}
	port, ok := portOf(u)
	if !ok {
		return &BlockedError{"its port must be a number from 1 to 65535"}
	}
	ip, literal, err := hostForm(host)
	if err != nil {
		return err
	}
	if g.pairs[pairOf(host, strconv.Itoa(int(port)))] {
		return nil
	}
	if slices.Contains(closedPorts, port) || port < 1024 && port != 80 && port != 443 {
		return &BlockedError{"its port is not one that tools may use; use 80, 443 or the port of a web service above 1023"}
	}
	switch {
	case literal:
		return g.check(netip.AddrPortFrom(ip, port), false)
	case isLocalhost(host) && !g.allows(netip.AddrFrom4([4]byte{127, 0, 0, 1})) && !g.allows(netip.IPv6Loopback()):
		return errNotPublic
	}
	return nil
}

// hostForm accepts names in ASCII and addresses in their usual form, and nothing that another program might read
// as a different address.
func hostForm(host string) (ip netip.Addr, literal bool, err error) {
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		if err != nil || ip.Zone() != "" {
			return ip, true, &BlockedError{"its host is no IPv6 address; zones cannot be used"}
		}
		return ip, true, nil
	}
	for _, c := range []byte(host) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return ip, false, &BlockedError{"its host has characters that names do not have; write international names in their xn-- form"}
		}
	}
	labels := strings.Split(host, ".")
	if len(host) > 253 || slices.ContainsFunc(labels, func(l string) bool { return l == "" || len(l) > 63 }) {
		return ip, false, &BlockedError{"its host is no name; parts have 1 to 63 characters, and no point stands at the end"}
	}
	if !isNumber(labels[len(labels)-1]) {
		return ip, false, nil
	}
	ip, bad := netip.ParseAddr(host)
	if bad != nil {
		return ip, true, &BlockedError{"its host is a number; write an IPv4 address as four decimal numbers, or use a name"}
	}
	return ip, true, nil
}

// isNumber reports whether some programs take a host that ends in this label for an IPv4 address.
func isNumber(label string) bool {
	if rest, hex := strings.CutPrefix(strings.ToLower(label), "0x"); hex {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func isLocalhost(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// portOf returns the port that a request goes to.
func portOf(u *url.URL) (uint16, bool) {
	text := u.Port()
	if text == "" {
		return map[bool]uint16{true: 443, false: 80}[u.Scheme == "https"], true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n > 0 && text[0] != '0'
}

// closedPorts above 1023 are those of well-known services that do not speak HTTP, where a request might be taken
// for something else: what browsers refuse, databases, caches, telephony and remote desktops.
var closedPorts = []uint16{
	1080, 1433, 1521, 1719, 1720, 1723, 1883, 2049, 3128, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672, 5900, 6000, 6379, 6566,
	6665, 6666, 6667, 6668, 6669, 6679, 6697, 8883, 9042, 9092, 10080, 11211, 25565, 27017,
}
