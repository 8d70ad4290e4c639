// Package egress is the only way out to addresses that users give: of HTTP tools, MCP servers and webhooks. It
// connects to public addresses only, unless the operator allows others, and decides at the moment of each
// connection, after the name was looked up, so that neither a redirect nor a changed DNS answer leads around it.
//
// It knows nothing of tools or organizations beyond an id: connections are never shared between two of them.
package egress

import (
	"container/list"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// maxClients bounds the organizations whose connections are kept for their next request.
const maxClients = 256

// Options of a Gate; zero members take the defaults.
type Options struct {
	Allow    []string      // CIDRs, addresses and host:port pairs that may be reached although they are not public
	Own      []string      // host:port where this server listens; tools must not reach it, whatever CIDRs are allowed
	Resolver *net.Resolver // net.DefaultResolver
}

// Gate opens connections to public addresses. It is safe for concurrent use.
type Gate struct {
	resolver *net.Resolver
	prefixes []netip.Prefix
	pairs    map[string]bool // host:port as pairOf writes it
	own      []netip.AddrPort

	mu     sync.Mutex
	byOrg  map[string]*list.Element // of *client
	recent *list.List               // most recently used first
}

// New makes a Gate. An entry of Allow that is neither a CIDR nor host:port is an error.
func New(o Options) (*Gate, error) {
	g := &Gate{resolver: o.Resolver, pairs: map[string]bool{}, byOrg: map[string]*list.Element{}, recent: list.New()}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	for _, entry := range o.Allow {
		entry = strings.TrimSpace(entry)
		if prefix, err := parseNetwork(entry); err == nil {
			g.prefixes = append(g.prefixes, unmapped(prefix))
			continue
		}
		host, port, err := net.SplitHostPort(entry)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return nil, fmt.Errorf("egress: %q is neither a CIDR nor host:port", entry)
		}
		g.pairs[pairOf(host, port)] = true
	}
	for _, entry := range o.Own {
		host, port, err := net.SplitHostPort(entry)
		n, bad := strconv.ParseUint(port, 10, 16)
		if err != nil || bad != nil {
			return nil, fmt.Errorf("egress: %q is no listen address", entry)
		}
		ip, err := netip.ParseAddr(host)
		if err != nil { // a name or nothing: every address of this machine
			ip = netip.IPv6Unspecified()
		}
		g.own = append(g.own, netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(n)))
	}
	return g, nil
}

// parseNetwork reads a CIDR or one address.
func parseNetwork(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.WithZone("").Prefix(ip.BitLen())
	}
	return netip.ParsePrefix(s)
}

// pairOf writes a host and a port in one way, so that exactly what the operator named matches.
func pairOf(host, port string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	return net.JoinHostPort(strings.ToLower(host), port)
}

// unmapped turns an IPv4 network in IPv6 writing into what addresses are compared with.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Close closes the connections that are idle; requests under way are not touched.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for e := g.recent.Front(); e != nil; e = e.Next() {
		e.Value.(*client).http.CloseIdleConnections()
	}
	g.recent.Init()
	clear(g.byOrg)
}
