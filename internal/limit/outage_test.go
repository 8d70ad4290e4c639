package limit

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"parley/internal/store/storetest"
)

func TestConcurrentTakesShareARefill(t *testing.T) {
	t.Parallel()
	address := storetest.PostgresURL(t)
	l := patient(Options{Shared: open(t, address)})
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
	l := patient(Options{Shared: st, Now: clock.now})
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
	l := patient(Options{Shared: open(t, address), Now: clock.now})
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
