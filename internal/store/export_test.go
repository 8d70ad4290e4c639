package store

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
)

// Observe shows every statement of the store, as the database gets it, before it runs. Call it before the
// store is used.
func (s *Store) Observe(f func(query string, args []any)) { s.q.observe = f }

// SetFew lowers the bound of what counts as few agents, so that small lists go all ways. Call it before the
// store is used.
func (s *Store) SetFew(n int) { s.q.few = n }

// Writer gives tests a way around the package, to look at the schema and to play a broken database.
func (s *Store) Writer() *sql.DB { return s.writer }

// Dialect is "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.dialect.name }

// Migrations are the embedded files.
func Migrations() fs.FS { return migrations }

// These are pure.
var (
	VersionAtLeast = versionAtLeast
	Fold           = fold
	Grams          = grams
	MatchGrams     = matchGrams
)

// Statement runs one statement in the transaction.
func (tx *Tx) Statement(ctx context.Context, query string, args ...any) error {
	_, err := tx.q.exec(ctx, query, args...)
	return err
}

// MigrateTo undoes migrations down to a version.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	provider, err := s.migrator(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = provider.DownTo(ctx, version)
	return err
}

// Candidates asks the index of names; the answer is a number or an error.
func (s *Store) Candidates(ctx context.Context, orgID, folded string) any {
	w := where{}
	q := w.tail(`SELECT COUNT(*) FROM `+s.dialect.named+` WHERE `+s.dialect.matches, orgID, folded)
	var n int
	if _, err := s.q.row(ctx, []any{&n}, q, w.args...); err != nil {
		return err
	}
	return n
}
