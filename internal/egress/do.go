package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of Do.
const (
	MaxBody      = 1 << 20 // bytes of an answer that are read, after decompression
	maxRedirects = 3
	maxTotal     = time.Minute // of a request whose context has no end
)

// Follow says what of a request is secret, so that a redirect cannot carry it to another host (scheme, host and
// port). Whatever it says, only headers that describe the content go to another host.
type Follow struct {
	Secret     []string // names of headers that must not go there although they describe the content
	SecretBody bool     // the body holds a secret: a redirect that would repeat it elsewhere is refused
	Values     []string // secret values: a redirect whose URL carries one of them elsewhere is refused
	MaxBody    int64    // MaxBody
	None       bool     // follow no redirect: 3xx is an answer like others
}

// Response is an answer that was read.
type Response struct {
	Status    int
	Header    http.Header
	Body      []byte // decompressed
	Truncated bool   // the answer has more than Body
	Redirects int    // that were followed
}

// Do makes a request of an organization, follows at most 3 redirects and reads the answer. The total time is
// that of the request's context. The error is a *BlockedError, *RedirectError or *ConnectError, whose texts
// may be shown.
func (g *Gate) Do(orgID string, req *http.Request, o Follow) (*Response, error) {
	if _, ok := req.Context().Deadline(); !ok {
		ctx, cancel := context.WithTimeout(req.Context(), maxTotal)
		defer cancel()
		req = req.WithContext(ctx)
	}
	transport := g.Client(orgID).Transport // not the client, which would read a Location before we do
	for followed := 0; ; followed++ {
		res, err := transport.RoundTrip(req)
		if err != nil {
			return nil, Explain(err)
		}
		next, err := redirect(req, res, o)
		if err == nil && next != nil && followed == maxRedirects {
			err = &RedirectError{"the server redirected more than 3 times"}
		}
		switch {
		case err != nil:
			_ = res.Body.Close()
			return nil, err
		case next == nil:
			return read(res, o.MaxBody, followed)
		}
		_, _ = io.CopyN(io.Discard, res.Body, 2<<10) // a short body is read, so that the connection can be used again
		_ = res.Body.Close()
		req = next
	}
}

func read(res *http.Response, limit int64, followed int) (*Response, error) {
	defer res.Body.Close()
	if limit <= 0 {
		limit = MaxBody
	}
	r := &Response{Status: res.StatusCode, Header: res.Header, Redirects: followed}
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &ConnectError{Reason: "the server sent a compression that it was not asked for; gzip and none can be read"}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if r.Body = body; int64(len(body)) > limit {
		r.Body, r.Truncated = body[:limit], true
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		r.Truncated = true
	case err != nil:
		return nil, Explain(err)
	}
	return r, nil
}
