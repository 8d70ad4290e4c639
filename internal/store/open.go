package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// minSQLite is the first version without the WAL-reset race that corrupts databases
// (https://sqlite.org/wal.html#walresetbug).
const minSQLite = "3.51.3"

const (
	sqliteReaders   = 4
	postgresWriters = 8
	postgresReaders = 8
	busyTimeout     = 10 * time.Second // how long one process waits for another's transaction
	busyPause       = 20 * time.Millisecond
	connIdle        = 5 * time.Minute
	pgConnect       = 10 * time.Second
	postgresIdleTx  = 5 * time.Second // of a transaction whose process says nothing
)

func openSQLite(ctx context.Context, path string) (writer, readers *sql.DB, err error) {
	if path == "" {
		return nil, nil, errors.New("opening database: neither a file nor an address is given")
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("creating data folder: %w", err)
	}
	// SQLite would create the file world-readable; -wal and -shm inherit the mode of the file.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	if err := addGramFunctions(); err != nil { // before the first connection
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	writing, err := newPreparing(sqliteDSN(path, false))
	if err != nil {
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	reading, err := newPreparing(sqliteDSN(path, true))
	if err != nil {
		return nil, nil, fmt.Errorf("opening database: %w", err)
	}
	writer, readers = sql.OpenDB(writing), sql.OpenDB(reading)
	// SQLite has one writer at a time. One connection makes the others wait in line in Go instead of
	// polling for a lock; immediate transactions never fail halfway for want of it.
	writer.SetMaxOpenConns(1)
	readers.SetMaxOpenConns(sqliteReaders)
	readers.SetMaxIdleConns(sqliteReaders)
	if err := checkSQLite(ctx, writer); err != nil {
		return nil, nil, errors.Join(err, readers.Close(), writer.Close())
	}
	return writer, readers, nil
}

func sqliteDSN(path string, readOnly bool) string {
	pragmas := []string{ // busy_timeout first: switching to WAL already needs a lock
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)", // an acknowledged intent survives a power cut
		"foreign_keys(1)",
	}
	v := url.Values{}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	} else {
		v.Set("_txlock", "immediate")
	}
	v["_pragma"] = pragmas
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: v.Encode()}
	return u.String()
}

func checkSQLite(ctx context.Context, db *sql.DB) error {
	var version string
	for end := time.Now().Add(busyTimeout); ; {
		err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version)
		if err == nil {
			break
		}
		// Of several processes that open a new file, one switches it to WAL. SQLite tells the others at once that it is
		// busy, whatever busy_timeout says, lest two of them wait for each other.
		if busy, ok := errors.AsType[*sqlite.Error](err); !ok || busy.Code()&0xff != sqlitelib.SQLITE_BUSY || time.Now().After(end) {
			return fmt.Errorf("opening database: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("opening database: %w", ctx.Err())
		case <-time.After(busyPause):
		}
	}
	if !versionAtLeast(version, minSQLite) {
		return fmt.Errorf("opening database: SQLite %s is linked, at least %s is needed (WAL-reset corruption)", version, minSQLite)
	}
	return nil
}

// versionAtLeast compares dotted numbers.
func versionAtLeast(have, want string) bool {
	h, w := strings.Split(have, "."), strings.Split(want, ".")
	for i, part := range w {
		if i == len(h) {
			return false
		}
		a, _ := strconv.Atoi(h[i])
		b, _ := strconv.Atoi(part)
		if a != b {
			return a > b
		}
	}
	return true
}

// SQLiteVersion returns the version of the linked SQLite.
func SQLiteVersion(ctx context.Context) (version string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", fmt.Errorf("asking for SQLite's version: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return "", fmt.Errorf("asking for SQLite's version: %w", err)
	}
	return version, nil
}

func openPostgres(address string) (writer, readers *sql.DB, listeners *pgx.ConnConfig, err error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx's message may repeat the address with its password.
		return nil, nil, nil, errors.New("opening database: the address is not a valid postgres:// URL")
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = pgConnect
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	// Every statement has its index, and a table holds all tenants' rows: reading one to its end is never
	// right, though the planner may think so when it has not seen the table grow. Compiling a plan takes
	// longer than our longest queries.
	cfg.RuntimeParams["enable_seqscan"], cfg.RuntimeParams["jit"] = "off", "off"
	// A process that is stopped in the middle of a transaction must not keep the others from the rows of its calls.
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt(postgresIdleTx.Milliseconds(), 10)
	open := func(n int, readOnly string) *sql.DB {
		c := cfg.Copy()
		c.RuntimeParams["default_transaction_read_only"] = readOnly
		db := stdlib.OpenDB(*c)
		db.SetMaxOpenConns(n)
		db.SetMaxIdleConns(n)
		db.SetConnMaxIdleTime(connIdle)
		return db
	}
	// Two pools, so that slow lists never keep the event log from its commit.
	return open(postgresWriters, "off"), open(postgresReaders, "on"), cfg, nil
}
