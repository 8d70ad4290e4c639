package metric

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPageShowsWhatOwnersRead(t *testing.T) {
	t.Parallel()
	r := New("1.2.3")
	n := 0.0
	r.Gauge("parley_calls_live", "Live calls.", func() float64 { return n })
	r.Counter("parley_log_commits_total", "Commits.", func() float64 { return 7 })
	r.Request("GET /x", 404, 0.002)
	n = 3
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		"parley_calls_live 3", "parley_log_commits_total 7", `parley_build_info{version="1.2.3"} 1`,
		`parley_http_request_seconds_count{class="4xx",route="GET /x"} 1`, "go_goroutines",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
