// Package server owns the HTTP listener: the route table, the middleware around it, the probes and the
// orderly end.
//
// Every error under /api/ has the envelope, but for requests that net/http refuses before any handler: a
// malformed request line or header (400), an unknown expectation (417), headers above 64 KiB (431), an unknown
// transfer coding (501), another HTTP version (505) are plain text, and headers that do not come in time get
// nothing or a plain 400. It has no hook for them.
//
// It holds no business rule and no SQL. What a route does is in the package that it is mounted from.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"parley/internal/metric"
)

// How long a peer may take. Streams lift the write deadline for themselves.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	probeTimeout      = 2 * time.Second
	closeTimeout      = 5 * time.Second
)

// Options are what the routes are made of. API, Page, Metrics and Logger must be set.
type Options struct {
	API     *http.ServeMux // everything under /api/v1/, /openapi.yaml, /openapi.json
	Page    http.Handler   // everything that people see: / and its files
	Phone   http.Handler   // /twilio/… and /web-call/…; nil = not mounted. An *http.ServeMux gets our 404 and 405
	Widget  http.Handler   // /widget.js and /widget/…, for websites; nil = not mounted. Like Phone
	Pages   *http.ServeMux // filled for each request: /login, /logout, /try/… and /embed/…; nil = not mounted
	Metrics *metric.Registry

	MetricsToken string         // "" = direct loopback requests only
	Proxies      []netip.Prefix // peers whose X-Forwarded-For counts, for the access log
	Ready        []Check        // /readyz fails with the first that fails
	Logger       *slog.Logger
}

// Check is one reason why a server may not be ready. Run must end with its context.
type Check struct {
	Name string
	Run  func(context.Context) error
}

// Server answers HTTP. Its methods are safe for concurrent use.
type Server struct {
	opt      Options
	http     *http.Server
	draining atomic.Bool
	base     context.Context // ends when streams must end
	cutOff   context.CancelFunc
}

// New builds the routes; Serve starts them.
func New(opt Options) *Server {
	s := &Server{opt: opt}
	s.base, s.cutOff = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ErrorLog:          slog.NewLogLogger(opt.Logger.Handler(), slog.LevelDebug), // peers that break off are no news
	}
	return s
}

// Serve answers on l until Shutdown or Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving HTTP: %w", err)
	}
	return nil
}

// Drain makes /readyz fail, so that a load balancer sends no new work. Requests are still answered.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Shutdown stops listening, ends streams and waits until running requests are answered or ctx ends; then it
// closes what is left. Media sockets are hijacked connections and belong to their session.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.cutOff()
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("closing HTTP: %w", err), s.http.Close())
	}
	return nil
}

// Close cuts everything off.
func (s *Server) Close() error {
	s.cutOff()
	return s.http.Close()
}
