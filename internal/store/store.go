package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options configure Open.
type Options struct {
	// Path is the SQLite file. Its folder is created (0700) when absent.
	Path string
	// URL is a postgres:// address; it wins over Path when set.
	URL string
	// CommitDelay is added before every commit while the transaction is open. It is a measuring aid that
	// imitates a slow disk.
	CommitDelay time.Duration
	// Logger receives migration messages; nil means none.
	Logger *slog.Logger
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	Reader
	dialect   dialect
	writer    *sql.DB
	readers   *sql.DB
	listeners *pgx.ConnConfig // of connections that listen; nil on SQLite
	delay     time.Duration
	stats     statistics
	group     group // of writes that wait for the only writer
}

// Deadlines and attempts of the store's own waits.
const (
	openTimeout  = 60 * time.Second
	upgradeLimit = time.Hour // of migrations: they may index millions of rows
	txAttempts   = 4         // of a transaction that PostgreSQL chose as a deadlock victim
	writeTimeout = 30 * time.Second
)

// Open opens the database, brings its schema up to date and checks that the linked SQLite is safe to use.
// Several processes may open the same database at once.
func Open(ctx context.Context, o Options) (*Store, error) {
	upgrade, cancel := context.WithTimeout(ctx, upgradeLimit)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s := &Store{dialect: sqliteDialect, delay: o.CommitDelay}
	var err error
	if o.URL != "" {
		s.dialect = postgresDialect
		s.writer, s.readers, s.listeners, err = openPostgres(o.URL)
	} else {
		s.writer, s.readers, err = openSQLite(ctx, o.Path)
	}
	if err != nil {
		return nil, err
	}
	s.Reader = Reader{q: conn{db: s.readers, dialect: s.dialect, few: fewAgents}}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.migrate(upgrade, o.Logger); err != nil {
		_ = s.Close() // the migration's error is the one to report
		return nil, err
	}
	return s, nil
}

// Close closes all connections. Transactions in flight fail.
func (s *Store) Close() error {
	return errors.Join(s.readers.Close(), s.writer.Close())
}

// Ping reports whether the database answers, on both pools.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.readers.PingContext(ctx); err != nil {
		return fmt.Errorf("pinging database (readers): %w", err)
	}
	if err := s.writer.PingContext(ctx); err != nil {
		return fmt.Errorf("pinging database (writer): %w", err)
	}
	return nil
}
