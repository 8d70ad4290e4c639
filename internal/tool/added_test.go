package tool

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/internal/egress"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// BenchmarkHTTPTool measures what a call of an HTTP tool adds to the tool's own time: reading the tool from the
// database, opening its credentials, filling its templates, the request over loopback, and cleaning the answer.
func BenchmarkHTTPTool(b *testing.B) {
	var own atomic.Int64 // the tool's own time of the newest request, in nanoseconds
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		began := time.Now()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"order":{"id":"T-1001","status":"on its way"}}`))
		own.Store(int64(time.Since(began)))
	}))
	b.Cleanup(s.Close)
	ring, err := secret.OpenRing(filepath.Join(b.TempDir(), "keys"), true)
	if err != nil {
		b.Fatal(err)
	}
	st := storetest.SQLite(b)
	org := storetest.Organization(b, st)
	t := storetest.NewTool(org.ID, "Look up order").Tool
	t.HTTP.URL, t.HTTP.ResultPath = s.URL+"/orders/{{args.id}}", "/order"
	t.HTTP.Headers = map[string]string{"Authorization": "Bearer x"}
	sealed, err := Seal(ring, t)
	if err != nil {
		b.Fatal(err)
	}
	storetest.Write(b, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, org.ID, sealed) })
	runner := New(Options{Store: st, Ring: ring, Egress: gateOf(b, egress.Options{Allow: []string{s.Listener.Addr().String()}})})
	call := Call{OrgID: org.ID, Name: t.FunctionName, Offered: []parley.Tool{t}, Arguments: json.RawMessage(`{"id":"T-1001"}`)}

	var added []time.Duration
	for b.Loop() {
		began := time.Now()
		r := runner.Run(b.Context(), call)
		added = append(added, time.Since(began)-time.Duration(own.Load()))
		if r.Outcome != OutcomeOK {
			b.Fatal(r)
		}
	}
	slices.Sort(added)
	for name, rank := range map[string]int{"p50-µs": 50, "p99-µs": 99} {
		b.ReportMetric(float64(added[min(len(added)*rank/100, len(added)-1)])/float64(time.Microsecond), name)
	}
}

func gateOf(t testing.TB, o egress.Options) *egress.Gate {
	t.Helper()
	g, err := egress.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}
