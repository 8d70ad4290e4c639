package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"

	"parley"
	"parley/internal/auth"
	"parley/internal/respond"
)

// healthz says that the process runs. It asks nobody, so that a slow database restarts no process.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	respond.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether new work may be sent here, and if not, which check failed. The reason itself is only
// logged: probes are open to everybody.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.Draining() {
		respond.JSON(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	for _, c := range s.opt.Ready {
		if err := c.Run(ctx); err != nil {
			s.opt.Logger.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String("check", c.Name), slog.String("error", err.Error()))
			respond.JSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "check": c.Name})
			return
		}
	}
	respond.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// metrics shows the Prometheus page to holders of the token, or to direct loopback peers when there is none.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if !s.mayReadMetrics(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		respond.Error(w, r, s.opt.Logger, parley.Errorf(parley.CodeUnauthorized,
			"Metrics need the bearer token of PARLEY_METRICS_TOKEN, or a direct request from this machine."))
		return
	}
	s.opt.Metrics.Handler().ServeHTTP(w, r)
}

// forwardingHeaders are what a proxy on this machine would add; such a request is not local although its
// peer is.
var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

func (s *Server) mayReadMetrics(r *http.Request) bool {
	if s.opt.MetricsToken != "" && equalSecret(auth.Bearer(r.Header), s.opt.MetricsToken) {
		return true
	}
	for _, h := range forwardingHeaders {
		if r.Header.Get(h) != "" {
			return false
		}
	}
	return peerOf(r).IsLoopback()
}

// equalSecret compares in constant time, whatever the lengths.
func equalSecret(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
