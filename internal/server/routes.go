package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"

	"parley"
	"parley/internal/respond"
)

// routes is the route table. A wrong method under a known path answers 405 with Allow, anything else 404,
// both in the envelope (see unrouted).
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	api := unrouted(s.opt.API, s.opt.Logger)
	mux.Handle("/api/v1/", api)
	mux.Handle("/openapi.yaml", api)
	mux.Handle("/openapi.json", api)
	mux.Handle("/docs", api)
	if s.opt.Phone != nil {
		phone := unrouted(s.opt.Phone, s.opt.Logger)
		mux.Handle("/twilio/", phone)
		mux.Handle("/web-call/", phone)
	}
	if s.opt.Widget != nil {
		site := unrouted(s.opt.Widget, s.opt.Logger)
		mux.Handle("/widget.js", site)
		mux.Handle("/widget/", site)
	}
	if s.opt.Pages != nil {
		pages := unrouted(s.opt.Pages, s.opt.Logger)
		mux.Handle("/login", pages)
		mux.Handle("/logout", pages)
		mux.Handle("/try", pages)
		mux.Handle("/try/", pages)
		mux.Handle("/embed/", pages)
	}
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.Handle("GET /{$}", s.opt.Page)
	mux.Handle("GET /static/", s.opt.Page)
	mux.Handle("GET /call", s.opt.Page)
	mux.Handle("GET /web-call.js", s.opt.Page)
	mux.Handle("GET /web-call-audio.js", s.opt.Page)
	return mux
}

// Handler is the whole server: the route table inside its middleware, outermost first.
func (s *Server) Handler() http.Handler {
	return s.identify(s.observe(s.recoverPanic(unrouted(s.routes(), s.opt.Logger))))
}

// unrouted answers what a mux has no route for in the envelope, because http.ServeMux answers in plain text.
// A handler that is no mux answers for itself.
func unrouted(h http.Handler, logger *slog.Logger) http.Handler {
	mux, ok := h.(*http.ServeMux)
	if !ok {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" && exact(r.URL, pattern) {
			setRoute(r.Context(), pattern)
			if strings.Contains(pattern, "{") {
				mux.ServeHTTP(w, r) // matches once more, to set the path's values
				return
			}
			h.ServeHTTP(w, r)
			return
		}
		var verdict capture
		if pattern == "" { // h is the mux's own refusal, never an operation
			h.ServeHTTP(&verdict, r)
		}
		if verdict.status == http.StatusMethodNotAllowed {
			allow := verdict.Header().Get("Allow")
			w.Header().Set("Allow", allow)
			err := parley.Errorf(parley.CodeInvalid, "%s is not allowed here. Use %s.", r.Method, strings.ReplaceAll(allow, ", ", " or "))
			respond.Error(w, r, logger, respond.WithStatus(err, http.StatusMethodNotAllowed))
			return
		}
		respond.Error(w, r, logger, parley.Errorf(parley.CodeNotFound, "There is nothing at this address"))
	})
}

// exact reports whether http.ServeMux takes a path as it is. It would redirect others ("//", "..", a tree
// without its final slash), which makes a POST with an empty id end up at another route.
func exact(u *url.URL, pattern string) bool {
	p := u.EscapedPath()
	c := path.Clean(p)
	return !strings.HasSuffix(pattern, u.Path+"/") && (c == p || c != "/" && c+"/" == p)
}

// capture keeps what http.ServeMux would have answered.
type capture struct {
	header http.Header
	status int
	bytes.Buffer
}

func (c *capture) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

func (c *capture) WriteHeader(status int) { c.status = status }
