package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"parley"
	"parley/internal/respond"
)

// identify gives every request an id, in the context and in X-Request-Id, and notes whose it is. An id that
// the client sent is not taken over: it would let anybody forge lines of somebody else's request.
func (s *Server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := parley.NewID()
		w.Header().Set("X-Request-Id", id)
		ctx := respond.WithClient(respond.WithRequestID(r.Context(), id), s.client(r))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// route carries the matched pattern outwards, from the table to the access log.
type route struct{ pattern string }

type routeKey struct{}

func setRoute(ctx context.Context, pattern string) {
	if r, ok := ctx.Value(routeKey{}).(*route); ok {
		r.pattern = pattern
	}
}

// observe writes the access log and counts the request. The log names the pattern, not the URL: paths hold
// stream tokens, queries hold what people searched for.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		rt := &route{pattern: "none"}
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), routeKey{}, rt))
		next.ServeHTTP(rec, r)
		took := time.Since(start)
		if !rec.stream {
			s.opt.Metrics.Request(rt.pattern, rec.Status(), took.Seconds())
		}
		level := slog.LevelInfo
		if quiet(rt.pattern) {
			level = slog.LevelDebug
		}
		s.opt.Logger.LogAttrs(r.Context(), level, "request",
			slog.String("request_id", respond.RequestID(r.Context())), slog.String("method", r.Method),
			slog.String("route", rt.pattern), slog.Int("status", rec.Status()), slog.Int64("bytes", rec.bytes),
			slog.Duration("took", took), slog.String("client", respond.Client(r.Context()).String()))
	})
}

// quiet reports whether a route is asked for by machines all the time.
func quiet(pattern string) bool {
	return strings.HasSuffix(pattern, "/healthz") || strings.HasSuffix(pattern, "/readyz") || strings.HasSuffix(pattern, "/metrics")
}

// recoverPanic answers 500 instead of cutting the connection, unless the answer has begun.
func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel, compared as net/http does
				panic(p)
			}
			err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			if rec, ok := w.(*recorder); ok && rec.begun() {
				respond.Log(r.Context(), s.opt.Logger, respond.NewProblem(r.Context(), err))
				panic(http.ErrAbortHandler)
			}
			respond.Error(w, r, s.opt.Logger, err)
		}()
		next.ServeHTTP(w, r)
	})
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	stream bool // flushed, hijacked or upgraded: its duration says nothing
}

func (w *recorder) begun() bool { return w.status != 0 || w.stream }

// Status is the status that was answered; 200 when the handler wrote nothing.
func (w *recorder) Status() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
		w.stream = w.stream || status == http.StatusSwitchingProtocols
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach deadlines, Flush and Hijack.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlushError notes a stream and flushes it.
func (w *recorder) FlushError() error {
	w.stream = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// client is the address of whoever asks: the peer, or what trusted proxies say stands behind them.
func (s *Server) client(r *http.Request) netip.Addr {
	peer := peerOf(r)
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && s.trusted(peer); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		peer = hop.Unmap()
	}
	return peer
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.opt.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func peerOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a, _ := netip.ParseAddr(host)
	return a.Unmap()
}
