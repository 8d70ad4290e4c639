package limit

import (
	"database/sql"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestSharedHeadersCountLikeTheOnesInMemory(t *testing.T) {
	t.Parallel()
	l := patient(Options{Shared: storetest.Postgres(t)})
	// The limit is so low that nothing comes back while the test runs.
	for n := range 7 {
		if d := take(t, l, "a", 7); !d.Allowed || d.Limit != 7 || d.Remaining < 6-n || d.Remaining > 7-n {
			t.Errorf("request %d: %+v", n, d)
		}
	}
	d := take(t, l, "a", 7)
	if d.Allowed || d.Remaining != 0 || d.RetryAfter <= 0 || d.RetryAfter > 9*time.Second || d.Reset > time.Minute+time.Second {
		t.Errorf("%+v", d)
	}
	// A raised limit helps at once, a lowered one holds at once.
	if raised := take(t, l, "a", 7000); raised.Limit != 7000 || raised.RetryAfter >= d.RetryAfter {
		t.Errorf("%+v", raised)
	}
	if lowered := take(t, l, "a", 1); lowered.Allowed || lowered.Limit != 1 || lowered.RetryAfter < 40*time.Second {
		t.Errorf("%+v", lowered)
	}
}

// moved makes time pass: for the virtual clock of the nodes, and, as the database's clock cannot be moved, by moving
// everything that is written in its time into the past.
func moved(t *testing.T, db *sql.DB, clock *virtual, d time.Duration, nodes ...*Limiter) {
	t.Helper()
	clock.advance(d)
	if _, err := db.ExecContext(t.Context(), `UPDATE rate_limit SET tat = tat - $1, at = at - $1`, int64(d)); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		for _, e := range node.shared.leases.entries {
			e.value.fullAt -= int64(d)
		}
	}
}

// However two nodes and the time take turns, and whatever is leased and given back: no window has more requests than
// the limit allows in a second more (leaseLife).
func TestNoWindowOfTwoNodesHasMoreThanTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 200
	// Few requests leave a lease lying about, many empty the bucket; the pauses fill it a little or wholly.
	runs := []int{3, 12, 40, 400}
	pauses := []time.Duration{0, time.Second, 4 * time.Second, time.Minute}
	for seed := range uint64(2) {
		address := storetest.PostgresURL(t)
		db, clock, r := connect(t, address), &virtual{}, rand.New(rand.NewPCG(seed, 2))
		now := func() time.Time { return time.Now().Add(time.Duration(clock.ns.Load())) }
		nodes := []*Limiter{
			patient(Options{Shared: open(t, address), Now: now}),
			patient(Options{Shared: open(t, address), Now: now}),
		}
		type span struct{ from, until time.Time }
		var allowed []span
		for range 300 {
			node := nodes[r.IntN(2)]
			for range 1 + r.IntN(runs[r.IntN(len(runs))]) {
				from := now()
				if !take(t, node, "a", limit).Allowed {
					break
				}
				allowed = append(allowed, span{from, now()})
			}
			if pause := pauses[r.IntN(len(pauses))]; pause > 0 {
				moved(t, db, clock, time.Duration(r.Int64N(int64(pause))), nodes...)
			}
		}
		most := 0.0
		for i := range allowed {
			for j := i; j < len(allowed); j++ {
				window := allowed[j].until.Sub(allowed[i].from) + time.Duration(leaseLife)
				most = max(most, float64(j-i+1)/(limit+limit*window.Minutes()))
			}
		}
		t.Logf("seed %d: %d requests were allowed, at most %.3f of what a window may have", seed, len(allowed), most)
		if most > 1 {
			t.Error("a window had more")
		}
	}
}

// connect is a connection of the test's own.
func connect(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t *testing.T, address string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// A client that comes to one node and then to the other, and waits as it is told, is not refused twice; and all that
// was leased and not used is there for it.
func TestSequentialClientOfTwoNodes(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	db, clock := connect(t, address), &virtual{}
	nodes := []*Limiter{
		patient(Options{Shared: open(t, address), Now: clock.now}),
		patient(Options{Shared: open(t, address), Now: clock.now}),
	}
	const limit = 60
	allowed, refusals := 0, 0
	var passed time.Duration
	for n := 0; refusals < 20; n++ {
		d := take(t, nodes[n%2], "a", limit)
		if d.Allowed {
			allowed++
			continue
		}
		refusals++
		wait := time.Duration(retryAfterHeader(t, d)) * time.Duration(leaseLife)
		passed += wait
		moved(t, db, clock, wait, nodes...)
		if again := take(t, nodes[n/2%2], "a", limit); !again.Allowed {
			t.Fatalf("refused for %v, and then %+v", wait, again)
		}
		allowed++
	}
	theory := limit + limit*int(passed/time.Second)/60
	if allowed < theory-theory/10 || allowed > theory+theory/10 {
		t.Errorf("allowed %d, in theory %d", allowed, theory)
	}
}

func TestUnusedTokensGoBack(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	db, clock := connect(t, address), &virtual{}
	l := patient(Options{Shared: open(t, address), Now: clock.now})
	const limit = 6000
	for range 70 { // leases of 1, 2, 4 … 64
		take(t, l, "a", limit)
	}
	if rest := l.shared.lease("a", 0).tokens; rest < 50 {
		t.Fatalf("%d tokens are left", rest)
	}
	moved(t, db, clock, 1100*time.Millisecond, l) // 110 requests: more than were used, and less than were leased
	d := take(t, l, "a", limit)
	if d.Remaining < limit-20 || d.Remaining >= limit {
		t.Errorf("unused tokens were not given back, or too many: %+v", d)
	}
}

func TestBusyTrafficNeedsFewStatements(t *testing.T) {
	t.Parallel()
	l := patient(Options{Shared: storetest.Postgres(t)})
	refills, at := 0, int64(0)
	for range 10_000 {
		take(t, l, "a", 60_000)
		if lease := l.shared.lease("a", 0); lease.fullAt != at {
			at, refills = lease.fullAt, refills+1
		}
	}
	if refills > 100 { // 14, and some for a machine that is busy for seconds
		t.Errorf("%d refills for 10,000 requests", refills)
	}
}

func TestSharedSweeps(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	db, clock := connect(t, address), &virtual{}
	l := patient(Options{Shared: open(t, address), Now: clock.now})
	for n := range 20 {
		take(t, l, strconv.Itoa(n), 600)
	}
	moved(t, db, clock, 2*time.Minute, l)
	take(t, l, "last", 600)
	var rows int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM rate_limit`).Scan(&rows); err != nil || rows > 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if got := len(l.shared.leases.entries); got > 13 {
		t.Errorf("%d leases are held", got)
	}
}
