package egress

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// describing headers are all that goes to another host: they say what is sent and wanted, not who asks.
var describing = []string{"Accept", "Accept-Language", "Content-Language", "Content-Type", "User-Agent"}

// redirect returns the request that an answer asks for, or nil when it asks for none.
func redirect(req *http.Request, res *http.Response, o Follow) (*http.Request, error) {
	location := res.Header.Get("Location")
	keep := false // the method and the body
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound:
		keep = req.Method != http.MethodPost
	case http.StatusSeeOther:
		keep = req.Method == http.MethodGet || req.Method == http.MethodHead
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		keep = true
	default:
		return nil, nil
	}
	if o.None || location == "" {
		return nil, nil
	}
	to, err := req.URL.Parse(location)
	if err != nil || strings.ContainsAny(location, "\\\r\n\t") {
		return nil, &RedirectError{"the server redirected to something that is not a URL"}
	}
	to.Fragment, to.RawFragment = "", ""
	elsewhere := origin(to) != origin(req.URL)
	switch {
	case req.URL.Scheme == "https" && to.Scheme == "http":
		return nil, &RedirectError{"it leads from https to http"}
	case elsewhere && carries(to, o.Values):
		return nil, &RedirectError{"it would carry a secret to another host; enter the new address if you trust it"}
	case elsewhere && keep && o.SecretBody && hasBody(req):
		return nil, &RedirectError{"it would send a body with a secret to another host; enter the new address if you trust it"}
	}
	return repeat(req, to, keep, elsewhere, o.Secret)
}

func repeat(req *http.Request, to *url.URL, keep, elsewhere bool, secret []string) (*http.Request, error) {
	next := req.Clone(req.Context())
	next.URL, next.Host = to, ""
	switch {
	case !keep:
		next.Method, next.Body, next.GetBody, next.ContentLength = http.MethodGet, nil, nil, 0
		for name := range next.Header {
			if strings.HasPrefix(name, "Content-") {
				delete(next.Header, name)
			}
		}
	case req.GetBody != nil:
		body, err := req.GetBody()
		if err != nil {
			return nil, &RedirectError{"the body cannot be sent again"}
		}
		next.Body = body
	case hasBody(req):
		return nil, &RedirectError{"the body cannot be sent again"}
	}
	if elsewhere {
		for name := range next.Header {
			if !slices.Contains(describing, name) || slices.ContainsFunc(secret, func(s string) bool { return strings.EqualFold(s, name) }) {
				delete(next.Header, name)
			}
		}
	}
	return next, nil
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// carries reports whether a URL holds one of the values, in any of the ways of writing it.
func carries(u *url.URL, values []string) bool {
	query, _ := url.QueryUnescape(u.RawQuery)
	return slices.ContainsFunc(values, func(v string) bool {
		return v != "" && (strings.Contains(u.String(), v) || strings.Contains(u.Path, v) || strings.Contains(query, v))
	})
}

// origin is what tells one server from another.
func origin(u *url.URL) string {
	port, _ := portOf(u)
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + strconv.Itoa(int(port))
}
