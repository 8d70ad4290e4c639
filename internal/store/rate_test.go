package store_test

import (
	"fmt"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func refill(t *testing.T, st *store.Store, r store.RateRequest) store.RateGrant {
	t.Helper()
	g, err := st.RefillRate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The interval is an hour in these tests: nothing comes back while they run.
func hourly(key string, demand, lease int) store.RateRequest {
	return store.RateRequest{Key: key, Interval: time.Hour, Window: 100 * time.Hour, Demand: demand, Lease: lease}
}

func TestRefillGivesWhatIsThere(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	left := 100
	for _, step := range []struct{ demand, lease, want int }{
		{1, 1, 1},
		{1, 39, 39}, // in advance
		{50, 1, 50}, // who waits gets what is there
		{1, 30, 5},  // in advance at most half
		{1, 30, 2},
		{3, 30, 3},
		{1, 30, 0}, // empty
	} {
		g := refill(t, st, hourly("a", step.demand, step.lease))
		left -= g.Granted
		debt := time.Duration(100-left) * time.Hour
		if g.Granted != step.want || g.Debt > debt || g.Debt < debt-time.Hour {
			t.Errorf("%+v: granted %d with a debt of %v, want %v", step, g.Granted, g.Debt, debt)
		}
	}
	if g := refill(t, st, hourly("b", 500, 1)); g.Granted != 100 {
		t.Errorf("of a fresh key %d were granted", g.Granted)
	}
	if g := refill(t, st, hourly("c", 1, 500)); g.Granted != 50 {
		t.Errorf("of a fresh key %d were granted in advance", g.Granted)
	}
}

func TestRefundIsNeverMoreThanTheGrantStillCosts(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	first := refill(t, st, hourly("a", 1, 40))
	again := hourly("a", 1, 1)
	again.Refund, again.RefundUntil = 30*time.Hour, first.FullAt
	if g := refill(t, st, again); g.Debt > 11*time.Hour || g.Debt < 10*time.Hour {
		t.Errorf("a full refund leaves a debt of %v", g.Debt)
	}
	// A grant that would be forgotten by now gives nothing back, of one that is nearly forgotten the rest.
	old := hourly("b", 60, 1)
	refill(t, st, old)
	old.Demand, old.Refund, old.RefundUntil = 1, 30*time.Hour, time.Now().Add(-time.Second).UnixNano()
	if g := refill(t, st, old); g.Debt < 60*time.Hour {
		t.Errorf("a worthless refund leaves a debt of %v", g.Debt)
	}
	old.RefundUntil = time.Now().Add(10 * time.Hour).UnixNano()
	if g := refill(t, st, old); g.Debt > 53*time.Hour || g.Debt < 51*time.Hour {
		t.Errorf("a partial refund leaves a debt of %v", g.Debt)
	}
}

func TestClockSetBackIsAnEmptyBucket(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	_, err := st.Writer().ExecContext(t.Context(), `INSERT INTO rate_limit VALUES ('a', $1, 0, 0)`, time.Now().Add(1e6*time.Hour).UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	if g := refill(t, st, hourly("a", 1, 1)); g.Granted != 0 || g.Debt != 100*time.Hour {
		t.Errorf("%+v", g)
	}
}

func TestSweepKeepsWhatIsNotFull(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	_, err := st.Writer().ExecContext(t.Context(), `INSERT INTO rate_limit SELECT 'old' || lpad(n::text, 4, '0'), 1, 1, 1 FROM generate_series(1, 1200) n`)
	if err != nil {
		t.Fatal(err)
	}
	refill(t, st, hourly("busy", 1, 1))
	refill(t, st, hourly("z", 1, 1))
	next := ""
	for i, want := range []string{"old0499", "old0999", ""} {
		if next, err = st.SweepRates(t.Context(), next); err != nil || next != want {
			t.Fatalf("sweep %d: continues at %q, %v", i, next, err)
		}
	}
	var keys string
	if err := st.Writer().QueryRowContext(t.Context(), `SELECT string_agg(key, ' ' ORDER BY key) FROM rate_limit`).Scan(&keys); err != nil || keys != "busy z" {
		t.Errorf("left: %q, %v", keys, err)
	}
}

func TestRatesAreNotSharedThroughSQLite(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	_, refused := st.RefillRate(t.Context(), hourly("a", 1, 1))
	_, swept := st.SweepRates(t.Context(), "")
	if st.SharesRates() || refused == nil || swept == nil {
		t.Error(fmt.Sprint(refused, swept))
	}
}
