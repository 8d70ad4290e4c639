package egress

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dialTimeout bounds looking a name up and connecting to one of its addresses.
const dialTimeout = 5 * time.Second

func (g *Gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errNotPublic
	}
	_, notIP := netip.ParseAddr(host)
	listed := g.pairs[pairOf(host, port)]
	d := net.Dialer{Timeout: dialTimeout, Resolver: g.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(resolved)
		switch {
		case err != nil:
			return errNotPublic
		case listed && notIP == nil: // the operator named this very address
			return nil
		}
		return g.check(at, listed)
	}}
	return d.DialContext(ctx, network, address)
}

// check judges an address as the connection is about to use it. named says that the operator listed the name
// and port that led to it: the name may stand in a private network, but whoever answers for the name cannot
// point it at what is special.
func (g *Gate) check(at netip.AddrPort, named bool) error {
	ip := at.Addr().Unmap().WithZone("")
	if g.isOwn(ip, at.Port()) {
		return errNotPublic
	}
	switch s := judge(ip); {
	case s == public, s == private && named && !g.hides(ip), g.allows(ip) && !g.hides(ip):
		return nil
	}
	return errNotPublic
}

// allows reports whether a CIDR of the operator holds the address.
func (g *Gate) allows(ip netip.Addr) bool {
	for _, p := range g.prefixes {
		if p.Contains(ip) && narrow(ip, p) {
			return true
		}
	}
	return false
}

// narrow reports whether an allowed network lies within every special one that holds the address.
func narrow(ip netip.Addr, allowed netip.Prefix) bool {
	for _, s := range specials {
		if s.Contains(ip) && allowed.Bits() < s.Bits() {
			return false
		}
	}
	return true
}

// hides reports whether an IPv6 address leads to an IPv4 address that may not be reached: allowing a network
// for NAT64 opens public IPv4 only.
func (g *Gate) hides(ip netip.Addr) bool {
	inner, ok := embedded(ip)
	return ok && judge(inner) != public && !g.allows(inner)
}

// isOwn reports whether this server listens there.
func (g *Gate) isOwn(ip netip.Addr, port uint16) bool {
	for _, o := range g.own {
		if o.Port() != port || port == 0 {
			continue
		}
		if o.Addr() == ip || o.Addr().IsUnspecified() && isLocal(ip) {
			return true
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's. It asks each time, because they change.
func isLocal(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			if local, ok := netip.AddrFromSlice(n.IP); ok && local.Unmap() == ip {
				return true
			}
		}
	}
	return err != nil // better to refuse than to guess
}
