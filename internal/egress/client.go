package egress

import (
	"net/http"
	"time"
)

// headerTimeout is a last resort: callers bound their requests by contexts that end earlier.
const headerTimeout = 2 * time.Minute

// maxStream bounds what one answer to Client may bring, after decompression.
const maxStream = 16 << 20

type client struct {
	orgID string
	http  *http.Client
}

// Client returns the organization's client, for libraries that want one; Do is for everything else. It refuses
// what CheckURL refuses, keeps no cookies and follows no redirects. It has no timeout of its own: every request
// needs a context that ends.
func (g *Gate) Client(orgID string) *http.Client {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.byOrg[orgID]; e != nil {
		g.recent.MoveToFront(e)
		return e.Value.(*client).http
	}
	c := &client{orgID, &http.Client{
		Transport:     &guard{g, g.transport()},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	g.byOrg[orgID] = g.recent.PushFront(c)
	if g.recent.Len() > maxClients {
		oldest := g.recent.Remove(g.recent.Back()).(*client)
		delete(g.byOrg, oldest.orgID)
		oldest.http.CloseIdleConnections() // those in use are closed when they become idle
	}
	return c.http
}

func (g *Gate) transport() *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // behind a proxy, check would see only the proxy's address
		DialContext:            g.dial,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // guard asks for gzip and unpacks it under a bound
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    16,
		MaxConnsPerHost:        1024,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    dialTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		// By default a server may fill 4 MiB of memory for each request before anything reads it, and a connection that
		// is dead is found out only by those who wait.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 256 << 10, MaxReceiveBufferPerConnection: 4 << 20, SendPingTimeout: 15 * time.Second, PingTimeout: dialTimeout},
	}
}

// guard is the transport of a client: it checks where each request goes before it is sent.
type guard struct {
	gate *Gate
	next *http.Transport
}

// RoundTrip makes one request.
func (t *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	err := t.gate.checkURL(req.URL)
	if err == nil && req.Host != "" && req.Host != req.URL.Host {
		err = &BlockedError{"the header Host must be the host of the URL"}
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	req = req.Clone(req.Context()) // a transport must not change what it was given
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if len(req.Header.Values("User-Agent")) == 0 {
		req.Header.Set("User-Agent", "Parley")
	}
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, Explain(err)
	}
	unpack(res, maxStream)
	return res, nil
}

// CloseIdleConnections makes the method of http.Client work.
func (t *guard) CloseIdleConnections() { t.next.CloseIdleConnections() }
