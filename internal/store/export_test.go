package store

import (
	"context"
	"database/sql"
	"io/fs"
)

// Observe shows every statement of the store, as the database gets it, before it runs. Call it before the
// store is used.
func (s *Store) Observe(f func(query string, args []any)) { s.q.observe = f }

// Writer gives tests a way around the package, to look at the schema and to play a broken database.
func (s *Store) Writer() *sql.DB { return s.writer }

// Dialect is "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.dialect.name }

// Migrations are the embedded files.
func Migrations() fs.FS { return migrations }

// VersionAtLeast and Fold are pure.
var (
	VersionAtLeast = versionAtLeast
	Fold           = fold
)

// Statement runs one statement in the transaction.
func (tx *Tx) Statement(ctx context.Context, query string, args ...any) error {
	_, err := tx.q.exec(ctx, query, args...)
	return err
}
