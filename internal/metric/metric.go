// Package metric owns the Prometheus registry of one process and the page that shows it.
//
// It knows no other package of Parley: owners hand in functions that read their own counters, so that a
// hot path counts with plain atomics and never sees Prometheus.
package metric

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry collects the metrics of one server. Safe for concurrent use.
type Registry struct {
	reg      *prometheus.Registry
	requests *prometheus.HistogramVec
}

// New makes a registry with the Go runtime's and the process's own metrics.
func New(version string) *Registry {
	r := &Registry{reg: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "parley_http_request_seconds",
		Help:    "Time to answer HTTP requests, by route pattern and status class. Streams are not timed.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "class"})}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_build_info", Help: "Always 1; the label is the version.",
		ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	r.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), r.requests, info)
	return r
}

// Request notes one answered request. route is the pattern, never the path: paths are unbounded.
func (r *Registry) Request(route string, status int, seconds float64) {
	r.requests.WithLabelValues(route, class(status)).Observe(seconds)
}

func class(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return string('0'+byte(status/100)) + "xx"
}

// Gauge registers a value that is read when the page is.
func (r *Registry) Gauge(name, help string, read func() float64) {
	r.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Counter registers a count that only grows and is read when the page is.
func (r *Registry) Counter(name, help string, read func() float64) {
	r.reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
}

// Handler is the page. Who may read it is the server's decision.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
