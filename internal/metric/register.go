package metric

import "github.com/prometheus/client_golang/prometheus"

// collector reads what an owner counts when the page is read.
type collector struct {
	desc *prometheus.Desc
	read func(chan<- prometheus.Metric)
}

func (c collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }
func (c collector) Collect(ch chan<- prometheus.Metric) { c.read(ch) }

// Counters registers a count by labels. Each count is multiplied by unit: owners count whole numbers, such as
// micro-dollars with the unit 1e-6.
func (r *Registry) Counters(name, help string, unit float64, v *Vec) {
	desc := prometheus.NewDesc(name, help, v.labels, nil)
	r.reg.MustRegister(collector{desc, func(ch chan<- prometheus.Metric) {
		v.each(func(values []string, n int64) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n)*unit, values...)
		})
	}})
}

// Histogram registers the sizes that an owner observed.
func (r *Registry) Histogram(name, help string, h *Histogram) {
	desc := prometheus.NewDesc(name, help, nil, nil)
	r.reg.MustRegister(collector{desc, func(ch chan<- prometheus.Metric) {
		count, sum, buckets := h.read()
		ch <- prometheus.MustNewConstHistogram(desc, count, sum, buckets)
	}})
}

// Histograms registers histograms that differ in one label.
func (r *Registry) Histograms(name, help, label string, byValue map[string]*Histogram) {
	desc := prometheus.NewDesc(name, help, []string{label}, nil)
	r.reg.MustRegister(collector{desc, func(ch chan<- prometheus.Metric) {
		for value, h := range byValue {
			count, sum, buckets := h.read()
			ch <- prometheus.MustNewConstHistogram(desc, count, sum, buckets, value)
		}
	}})
}
