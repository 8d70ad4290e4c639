package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestVersionIsCompared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, want string
		ok         bool
	}{
		{"3.51.3", "3.51.3", true}, {"3.54.1", "3.51.3", true}, {"4.0", "3.51.3", true}, {"3.51.10", "3.51.3", true},
		{"3.51.2", "3.51.3", false}, {"3.9.99", "3.51.3", false}, {"3.51", "3.51.3", false}, {"", "3.51.3", false},
	} {
		if got := store.VersionAtLeast(c.have, c.want); got != c.ok {
			t.Errorf("%q at least %q: %v", c.have, c.want, got)
		}
	}
	version, err := store.SQLiteVersion(t.Context())
	if err != nil || !store.VersionAtLeast(version, "3.51.3") {
		t.Errorf("linked SQLite is %q, %v", version, err)
	}
}

func TestFirstStartOfManyProcesses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]store.Options{
		"sqlite":   {Path: filepath.Join(t.TempDir(), "made", "odd ?#%& name.db")},
		"postgres": {URL: storetest.PostgresURL(t)},
	} {
		var wg sync.WaitGroup
		for i := range 5 { // each with its own connections, as processes would have
			wg.Go(func() {
				st, err := store.Open(t.Context(), o)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer st.Close()
				for n := range 10 { // and they write at the same time
					err := st.Write(t.Context(), func(tx *store.Tx) error {
						return tx.SetSetting(t.Context(), fmt.Sprintf("%d.%d", i, n), "x")
					})
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "parley.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	storetest.Organization(t, st)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 3 { // the database, -wal and -shm
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder has mode %v, %v", info.Mode(), err)
	}
}

func TestPragmasHold(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		if err := st.Writer().QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
		}
	}
}

func TestUnusableDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "not.db")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for name, o := range map[string]store.Options{
		"nothing given": {}, "not a database": {Path: file}, "a folder": {Path: t.TempDir()},
		"no address":     {URL: "postgres://user:s3cret@host:port/x"},
		"nobody listens": {URL: "postgres://user:s3cret@127.0.0.1:1/x"},
	} {
		st, err := store.Open(ctx, o)
		if err == nil {
			_ = st.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestCommitDelayIsAddedAndGivesUpWithTheContext(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "p.db"), CommitDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx, cancel := context.WithCancel(t.Context())
	err = st.Write(ctx, func(tx *store.Tx) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrCommitUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		try := func(query string, args ...any) error {
			return storetest.TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.Statement(ctx, query, args...) })
		}
		for name, err := range map[string]error{
			"constraint":  try(`INSERT INTO event (conversation_id, seq, type, at, data) VALUES ('x', 1, 'x', 1, 'x')`),
			"no table":    try(`SELECT * FROM nothing`),
			"text":        try(`UPDATE setting SET value = $1`, "\x00"),
			"domain":      parley.Errorf(parley.CodeConflict, "taken"),
			"null column": try(`INSERT INTO setting (key) VALUES ('x')`),
		} {
			if !store.IsPermanent(err) {
				t.Errorf("%s: %v is not permanent", name, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, err := range map[string]error{"nil": nil, "canceled": st.Write(ctx, func(*store.Tx) error { return nil }), "fenced": store.ErrFenced} {
			if store.IsPermanent(err) {
				t.Errorf("%s: %v is permanent", name, err)
			}
		}
	})
}

// Two transactions that wait for each other's rows: PostgreSQL ends one, and the store runs it again.
func TestDeadlocksAreResolved(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	a, b := storetest.Organization(t, st), storetest.Organization(t, st)
	touch := func(ctx context.Context, tx *store.Tx, id string) error {
		return tx.SetCredentials(ctx, id, store.SealedCredentials{TwilioAccountSID: "AC"})
	}
	var both, wg sync.WaitGroup
	both.Add(2)
	attempts := make([]int, 2)
	for i, order := range [][]string{{a.ID, b.ID}, {b.ID, a.ID}} {
		wg.Go(func() {
			err := storetest.TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
				attempts[i]++
				if err := touch(ctx, tx, order[0]); err != nil {
					return err
				}
				if attempts[i] == 1 {
					both.Done()
					both.Wait()
				}
				return tx.Savepoint(ctx, func() error { return touch(ctx, tx, order[1]) })
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if attempts[0]+attempts[1] < 3 { // the loser's next attempt may lose again
		t.Errorf("attempts %v: there was no deadlock", attempts)
	}
}
