// Package egress is the only way out to addresses that users give: of HTTP tools, MCP servers and webhooks. It
// connects to public addresses only, unless the operator allows others, and decides at the moment of each
// connection, after the name was looked up, so that neither a redirect nor a changed DNS answer leads around it.
//
// It knows nothing of tools or organizations beyond an id: connections are never shared between two of them.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// BlockedError is a connection that was refused because of where it would lead. Its text tells neither what
// stands at the address nor what a name resolved to.
type BlockedError struct{ Reason string }

func (e *BlockedError) Error() string { return "blocked address: " + e.Reason }

// Options of a Gate; zero members take the defaults.
type Options struct {
	Allow    []string      // CIDRs and host:port pairs that may be reached although they are not public
	Resolver *net.Resolver // net.DefaultResolver
}

// Gate opens connections to public addresses. It is safe for concurrent use.
type Gate struct {
	resolver *net.Resolver
	prefixes []netip.Prefix
	pairs    map[string]bool // host:port, lower case

	mu      sync.Mutex
	clients map[string]*http.Client // by organization
}

// New makes a Gate. An entry of Allow that is neither a CIDR nor host:port is an error.
func New(o Options) (*Gate, error) {
	g := &Gate{resolver: o.Resolver, pairs: map[string]bool{}, clients: map[string]*http.Client{}}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	for _, entry := range o.Allow {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if prefix, err := netip.ParsePrefix(entry); err == nil {
			g.prefixes = append(g.prefixes, prefix.Masked())
		} else if _, _, err := net.SplitHostPort(entry); err == nil {
			g.pairs[entry] = true
		} else {
			return nil, fmt.Errorf("egress: %q is neither a CIDR nor host:port", entry)
		}
	}
	return g, nil
}

// Client returns the organization's client. It follows no redirect by itself: a caller that wants to, decides
// per hop. It has no timeout of its own: every request needs a context that ends.
func (g *Gate) Client(orgID string) *http.Client {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.clients[orgID]
	if c == nil {
		c = &http.Client{
			Transport: &http.Transport{
				Proxy: nil, DialContext: g.dial, ForceAttemptHTTP2: true, MaxIdleConns: 16, MaxIdleConnsPerHost: 4, MaxConnsPerHost: 64,
				IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		g.clients[orgID] = c
	}
	return c
}

func (g *Gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	allowed := g.pairs[strings.ToLower(address)]
	d := net.Dialer{Timeout: 5 * time.Second, Resolver: g.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
		if allowed {
			return nil
		}
		return g.check(resolved)
	}}
	return d.DialContext(ctx, network, address)
}

// check judges an address as the connection is about to use it.
func (g *Gate) check(resolved string) error {
	at, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return &BlockedError{"it is not an IP address and a port"}
	}
	ip := at.Addr().Unmap()
	for _, p := range g.prefixes {
		if p.Contains(ip) {
			return nil
		}
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return &BlockedError{"it is not public"}
	}
	return nil
}

// IsBlocked reports whether an error means that the address was refused.
func IsBlocked(err error) bool {
	_, ok := errors.AsType[*BlockedError](err)
	return ok
}
