package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrateAttempts bounds how often a start tries again after it lost a race with another process.
const (
	migrateAttempts = 20
	migrateBackoff  = 100 * time.Millisecond
)

// migrate applies the embedded migrations of the database's dialect.
func (s *Store) migrate(ctx context.Context, logger *slog.Logger) error {
	provider, err := s.migrator(logger)
	if err != nil {
		return err
	}
	// goose has no lock for SQLite: of two first starts on one file, one fails because the other's tables
	// are already there. Each migration is one transaction, so it only has to look again.
	for attempt := 1; ; attempt++ {
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		if attempt == migrateAttempts || s.dialect.name != sqliteDialect.name {
			return fmt.Errorf("applying migrations: %w", err)
		}
		if err := pause(ctx, migrateBackoff); err != nil {
			return fmt.Errorf("applying migrations: %w", err)
		}
	}
}

func (s *Store) migrator(logger *slog.Logger) (*goose.Provider, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	dir, err := fs.Sub(migrations, "migrations/"+s.dialect.name)
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithSlog(logger), goose.WithDisableGlobalRegistry(true)}
	kind := goose.DialectSQLite3
	if s.dialect.name == postgresDialect.name {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return nil, fmt.Errorf("preparing migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(kind, s.writer, dir, options...)
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	return provider, nil
}
