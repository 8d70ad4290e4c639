package egress

import "net/netip"

// standing is what an address counts as before the operator's list is asked.
type standing uint8

const (
	public  standing = iota
	private          // of a network of the operator's own: an allowed name or CIDR may lead there
	special          // metadata services, link-local, multicast and the like: only an entry that means just this
)

// specials are lifted only by an allowed network that lies within them: 0.0.0.0/0 opens no metadata service,
// 169.254.0.0/16 neither, 169.254.169.254/32 does.
var specials = prefixes(
	"169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", // metadata: most clouds, Alibaba, Azure, Oracle
	"fd00:ec2::254/128", "fd20:ce::254/128", // metadata: AWS, Google
	"0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "fe80::/10", "fec0::/10", "ff00::/8",
)

// reserved4 are the IPv4 networks of IANA's special-purpose registry that are not in specials.
var reserved4 = prefixes(
	"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", // protocols, documentation, benchmarks
	"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", // AS112, AMT, relays of 6to4
)

// global6 is all of IPv6 that is handed out; reserved6 is what of it is not for hosts.
var (
	global6   = netip.MustParsePrefix("2000::/3")
	reserved6 = prefixes(
		"2001::/23",         // protocol assignments, with Teredo, ORCHID and benchmarks
		"2001:db8::/32",     // documentation
		"2002::/16",         // 6to4: an IPv4 address inside
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
	)
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func within(ip netip.Addr, all []netip.Prefix) bool {
	for _, p := range all {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// judge expects an address without a zone and not IPv4 in IPv6.
func judge(ip netip.Addr) standing {
	switch {
	case within(ip, specials):
		return special
	case ip.Is4():
		if within(ip, reserved4) {
			return private
		}
		return public
	case !global6.Contains(ip) || within(ip, reserved6):
		return private
	}
	return public
}

// translators carry IPv4 addresses in their last four bytes: compatible, SIIT, NAT64 and its local form.
var translators = prefixes("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")

var sixToFour, teredo = netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32")

// embedded returns the IPv4 address that an IPv6 address leads to, where it is of such a kind.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	b := ip.As16()
	switch {
	case !ip.Is6() || ip == netip.IPv6Loopback() || ip == netip.IPv6Unspecified():
		return ip, false
	case within(ip, translators):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case teredo.Contains(ip):
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), true
	}
	return ip, false
}
