package metric

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func page(r *Registry) string {
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestCountersAndHistograms(t *testing.T) {
	t.Parallel()
	r := New("1")
	cost := NewVec("model", "kind")
	r.Counters("parley_cost_dollars_total", "Cost.", 1e-6, cost)
	wait := NewHistogram(0.1, 1)
	r.Histogram("parley_wait_seconds", "Waits.", wait)
	hops := map[string]*Histogram{"model": NewHistogram(1), "heard": NewHistogram(1)}
	r.Histograms("parley_hop_seconds", "Hops.", "hop", hops)

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				cost.Add(1500, "gpt", "response")
				wait.Observe(0.1) // a bound belongs to its bucket
				wait.Observe(2)
			}
		})
	}
	wg.Wait()
	cost.Add(1, "bad\xff", "response")
	hops["heard"].Observe(0.5)
	body := page(r)
	for _, want := range []string{
		`parley_cost_dollars_total{kind="response",model="gpt"} 1.2`, `model="bad?"`,
		`parley_wait_seconds_bucket{le="0.1"} 800`, `parley_wait_seconds_bucket{le="1"} 800`, `parley_wait_seconds_bucket{le="+Inf"} 1600`,
		`parley_wait_seconds_count 1600`, `parley_hop_seconds_count{hop="heard"} 1`, `parley_hop_seconds_count{hop="model"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	v := NewVec("tool", "outcome")
	for i := range 10 * vecMax {
		v.Add(1, strconv.Itoa(i), "ok")
	}
	if len(v.cells) != vecMax+1 || v.Get(other, other) != 9*vecMax || v.Get("3", "ok") != 1 {
		t.Errorf("%d combinations, %d others", len(v.cells), v.Get(other, other))
	}
}
