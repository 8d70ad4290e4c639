package limit

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// hammered is what one process counted. Times are Unix nanoseconds of the machine's clock.
type hammered struct {
	Allowed, Refused int
	From, Until      int64
}

// hammer takes as fast as it can from several goroutines for as long as d.
func hammer(ctx context.Context, l *Limiter, key string, limit int, d time.Duration) (hammered, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var allowed, refused atomic.Int64
	var failed atomic.Pointer[error]
	h := hammered{From: time.Now().UnixNano()}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch d, err := l.Take(context.WithoutCancel(ctx), key, limit); {
				case err != nil:
					failed.Store(&err)
					return
				case d.Allowed:
					allowed.Add(1)
				default:
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	h.Until = time.Now().UnixNano()
	h.Allowed, h.Refused = int(allowed.Load()), int(refused.Load())
	if err := failed.Load(); err != nil {
		return h, *err
	}
	return h, nil
}

// judge compares what all processes allowed together with the limit.
func judge(t *testing.T, limit int, all ...hammered) {
	t.Helper()
	sum, from, until := 0, all[0].From, all[0].Until
	for _, h := range all {
		sum, from, until = sum+h.Allowed, min(from, h.From), max(until, h.Until)
	}
	theory := float64(limit) + float64(limit)*float64(until-from)/6e10
	t.Logf("allowed %d of %.0f (%.3f): %+v", sum, theory, float64(sum)/theory, all)
	if ratio := float64(sum) / theory; ratio > 1.1 || ratio < 0.9 {
		t.Errorf("allowed %d together, in theory %.0f", sum, theory)
	}
}

func TestTwoLimitersShareALimit(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	for _, limit := range []int{90, 600, 30_000} {
		var counts [2]hammered
		var wg sync.WaitGroup
		for i := range counts {
			st, err := store.Open(t.Context(), store.Options{URL: address})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			o := Options{Shared: st, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
			if i == 1 { // one node's clock is an hour ahead: nothing changes
				o.Now = func() time.Time { return time.Now().Add(time.Hour) }
			}
			l := New(o)
			wg.Go(func() {
				var err error
				if counts[i], err = hammer(t.Context(), l, fmt.Sprint(limit), limit, 2*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		judge(t, limit, counts[:]...)
	}
}

const nodeEnv = "PARLEY_TEST_LIMIT_NODE" // the database's address: this test binary is to be a second process

// runAsNode plays one process of TestProcessesShareALimit, if this one was started for that.
func runAsNode() bool {
	address := os.Getenv(nodeEnv)
	if address == "" {
		return false
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{URL: address})
	if err != nil {
		panic(err)
	}
	defer st.Close()
	h, err := hammer(ctx, New(Options{Shared: st}), "processes", 600, 2*time.Second)
	if err != nil {
		panic(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(h)
	return true
}

func TestProcessesShareALimit(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: address}) // migrates before the others come
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var counts [2]hammered
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), nodeEnv+"="+address)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err == nil {
				err = json.Unmarshal(out, &counts[i])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	judge(t, 600, counts[:]...)
}

func TestSharedHeadersCountLikeTheOnesInMemory(t *testing.T) {
	t.Parallel()
	l := New(Options{Shared: storetest.Postgres(t)})
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

// moved makes time pass for a key: in the database, and for the process's virtual clock.
func moved(t *testing.T, st *sql.DB, clock *virtual, d time.Duration) {
	t.Helper()
	clock.advance(d)
	if _, err := st.ExecContext(t.Context(), `UPDATE rate_limit SET tat = tat - $1, at = at - $1`, int64(d)); err != nil {
		t.Fatal(err)
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
		New(Options{Shared: open(t, address), Now: clock.now}),
		New(Options{Shared: open(t, address), Now: clock.now}),
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
		wait := time.Duration(retryAfterHeader(t, d)) * time.Second
		passed += wait
		moved(t, db, clock, wait)
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
	l := New(Options{Shared: open(t, address), Now: clock.now})
	const limit = 6000
	for range 70 { // leases of 1, 2, 4 … 64
		take(t, l, "a", limit)
	}
	if rest := l.shared.lease("a", 0).tokens; rest < 50 {
		t.Fatalf("%d tokens are left", rest)
	}
	moved(t, db, clock, 1100*time.Millisecond) // 110 requests: more than were used, and less than were leased
	d := take(t, l, "a", limit)
	if d.Remaining < limit-20 || d.Remaining >= limit {
		t.Errorf("unused tokens were not given back, or too many: %+v", d)
	}
}

func TestBusyTrafficNeedsFewStatements(t *testing.T) {
	t.Parallel()
	l := New(Options{Shared: storetest.Postgres(t)})
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

func TestConcurrentTakesShareARefill(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	l := New(Options{Shared: open(t, address)})
	take(t, l, "a", 6000)
	release := lock(t, connect(t, address))
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 20)
	for range 20 {
		go func() {
			_, err := l.Take(ctx, "a", 6000)
			results <- err
		}()
	}
	waitFor(t, func() bool {
		l.shared.mu.Lock()
		defer l.shared.mu.Unlock()
		lease := l.shared.lease("a", 0)
		return lease.next != nil && lease.next.members == 19
	})
	cancel() // all but the leader go
	for range 19 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	release()
	if err := <-results; err != nil {
		t.Errorf("the leader got %v", err)
	}
}

// lock keeps everybody from the rows of rate_limit until release.
func lock(t *testing.T, db *sql.DB) (release func()) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `LOCK TABLE rate_limit IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
			t.Error(err)
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain")
		}
	}
}

func TestDatabaseThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	clock := &virtual{} // virtual: the back-off ends when the test says so
	var log bytes.Buffer
	l := New(Options{Shared: open(t, address), Now: clock.now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	take(t, l, "a", 600)
	release := lock(t, connect(t, address))
	defer release()
	if d, err := l.Take(t.Context(), "a", 600); !errors.Is(err, ErrUnavailable) || d.Allowed || d.Limit != 600 || d.RetryAfter <= 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for n := range 1000 { // a wait, even a short one, would end with the context's error
		if d, err := l.Take(canceled, fmt.Sprint(n), 600); !errors.Is(err, ErrUnavailable) || retryAfterHeader(t, d) != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	clock.advance(time.Second)
	if _, err := l.Take(t.Context(), "b", 600); !errors.Is(err, ErrUnavailable) {
		t.Fatal(err) // tried again, in vain
	}
	clock.advance(time.Second)
	release()
	for _, key := range []string{"a", "b"} {
		if d := take(t, l, key, 600); !d.Allowed {
			t.Errorf("%+v", d)
		}
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "available again") {
		t.Errorf("logged:\n%s", got)
	}
}

func TestDatabaseThatIsGone(t *testing.T) {
	t.Parallel()
	st := open(t, storetest.PostgresURL(t))
	clock := &virtual{}
	l := New(Options{Shared: st, Now: clock.now})
	for range 4 { // leases of 1, 2 and 4: three tokens are in hand
		take(t, l, "a", 600)
	}
	st.Close()
	for range 3 {
		if d := take(t, l, "a", 600); !d.Allowed {
			t.Errorf("%+v", d)
		}
	}
	for range 3 {
		if _, err := l.Take(t.Context(), "a", 600); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		clock.advance(time.Second)
	}
}

func TestConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	clock := &virtual{}
	l := New(Options{Shared: open(t, address), Now: clock.now})
	take(t, l, "a", 600)
	const others = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	if _, err := connect(t, address).ExecContext(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, err := l.Take(t.Context(), "b", 600)
		clock.advance(time.Second)
		return err == nil
	})
}

func TestSharedSweeps(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	db, clock := connect(t, address), &virtual{}
	l := New(Options{Shared: open(t, address), Now: clock.now})
	for n := range 20 {
		take(t, l, strconv.Itoa(n), 600)
	}
	moved(t, db, clock, 2*time.Minute)
	take(t, l, "last", 600)
	var rows int
	if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM rate_limit`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if got := len(l.shared.leases.entries); got > 13 {
		t.Errorf("%d leases are held", got)
	}
}
