package widget

import (
	"net/http"

	"parley"
	"parley/internal/origin"
	"parley/internal/respond"
)

// caller is where a request says that it comes from. Only the Origin header counts, which no page can change.
type caller struct {
	text   string // the header as it came, to be echoed
	origin origin.Origin
	none   bool // no Origin at all
	opaque bool // the Origin null: of files and of pages without an origin of their own
}

// key is what a token is bound to.
func (c caller) key() string {
	switch {
	case c.none:
		return ""
	case c.opaque:
		return "null"
	}
	return c.origin.String()
}

// callerOf reads the Origin. One that is no web origin, or more than one, is refused whatever an agent allows.
func callerOf(r *http.Request) (caller, bool) {
	headers := r.Header.Values("Origin")
	if len(headers) == 0 {
		return caller{none: true}, true
	}
	c := caller{text: headers[0], opaque: headers[0] == "null"}
	if len(headers) > 1 {
		return c, false
	}
	if c.opaque {
		return c, true
	}
	var ok bool
	c.origin, ok = origin.Parse(c.text)
	return c, ok
}

// allow lets the page read the answer. There are never credentials: tokens travel in a header that only the page sets.
func (c caller) allow(w http.ResponseWriter) {
	if c.none {
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", c.text)
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
}

func (c caller) forbid(w http.ResponseWriter) {
	w.Header().Del("Access-Control-Allow-Origin")
	w.Header().Del("Access-Control-Expose-Headers")
}

// preflight answers the browser's question before a request. It names no agent, so it decides nothing: the request
// itself is judged.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	header.Set("Cache-Control", "no-store")
	if c, ok := callerOf(r); ok && !c.none {
		header.Set("Access-Control-Allow-Origin", c.text)
		header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		header.Set("Access-Control-Allow-Headers", "authorization, content-type, last-event-id")
		header.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// wrongMethod refuses what a path is not for.
func wrongMethod(method string) func(http.ResponseWriter, *http.Request) error {
	allow := map[string]string{"GET": "GET, HEAD, OPTIONS", "POST": "OPTIONS, POST", "DELETE": "DELETE, OPTIONS"}[method]
	return func(w http.ResponseWriter, r *http.Request) error {
		if c, ok := callerOf(r); ok {
			c.allow(w)
		}
		w.Header().Set("Allow", allow)
		return respond.WithStatus(parley.Errorf(parley.CodeInvalid, "%s is not allowed here. Use %s.", r.Method, method), http.StatusMethodNotAllowed)
	}
}

func unknownPath(w http.ResponseWriter, r *http.Request) error {
	if c, ok := callerOf(r); ok {
		c.allow(w)
	}
	return parley.Errorf(parley.CodeNotFound, "There is nothing at this address")
}

func errOrigin() error {
	return because("origin", parley.Errorf(parley.CodeForbidden,
		"This chat may not be used on this website. Its owner can allow the site in the agent's allowedDomains."))
}

// reasonError says which rule refused a request, for the metrics.
type reasonError struct {
	error
	reason string
}

func (e *reasonError) Unwrap() error { return e.error }

func because(reason string, err error) error { return &reasonError{err, reason} }

// reasonOf is the label of a refusal: a rule's name, or the error's code.
func reasonOf(err error) string {
	if e, ok := asReason(err); ok {
		return e.reason
	}
	if respond.Status(err) == http.StatusRequestEntityTooLarge {
		return "too_large"
	}
	return string(parley.ErrorCode(err))
}
