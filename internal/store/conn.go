package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"parley"
)

// executor is what *sql.DB and *sql.Tx have in common.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// conn is the one choke point through which every statement goes: it rewrites placeholders for SQLite and
// refuses text that only one of the databases could store.
type conn struct {
	db      executor
	dialect dialect
	inTx    bool
	late    *pipeline                      // of a PostgreSQL transaction; nil otherwise
	replan  bool                           // make a plan for the very values (dialect.replan)
	few     int                            // how many agents are read and sorted rather than looked for; tests lower it
	observe func(query string, args []any) // tests look at every statement; nil otherwise
}

func (c conn) prepare(query string, args []any) (string, error) {
	for _, a := range args {
		s, ok := a.(string)
		if ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			return "", parley.Errorf(parley.CodeInvalid, "text must be valid UTF-8 without NUL characters")
		}
	}
	query = c.dialect.rewrite(query)
	if c.observe != nil {
		c.observe(query, args)
	}
	return query, nil
}

func (c conn) exec(ctx context.Context, query string, args ...any) (affected int64, err error) {
	query, err = c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	if err := c.flush(ctx); err != nil {
		return 0, err
	}
	res, err := c.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// replanned is the connection for queries whose best plan depends on their values.
func (c conn) replanned() conn {
	c.replan = c.dialect.replan != nil
	return c
}

func (c conn) arguments(args []any) []any {
	if c.replan {
		return append([]any{c.dialect.replan}, args...)
	}
	return args
}

// retry runs a read again when the pool handed out a connection that had died in use (see beginTx).
func (c conn) retry(read func() error) error {
	for attempt := 1; ; attempt++ {
		err := read()
		if !errors.Is(err, driver.ErrBadConn) || c.inTx || attempt == deadConns {
			return err
		}
	}
}

// row runs a query of at most one row; found is false when there is none.
func (c conn) row(ctx context.Context, dest []any, query string, args ...any) (found bool, err error) {
	query, err = c.prepare(query, args)
	if err != nil {
		return false, err
	}
	if err := c.flush(ctx); err != nil {
		return false, err
	}
	err = c.retry(func() error { return c.db.QueryRowContext(ctx, query, c.arguments(args)...).Scan(dest...) })
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// scanner is what *sql.Row and *sql.Rows have in common.
type scanner interface{ Scan(dest ...any) error }

// list runs a query and scans every row.
func list[T any](ctx context.Context, c conn, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	query, err := c.prepare(query, args)
	if err != nil {
		return nil, err
	}
	if err := c.flush(ctx); err != nil {
		return nil, err
	}
	var rows *sql.Rows
	err = c.retry(func() (err error) {
		rows, err = c.db.QueryContext(ctx, query, c.arguments(args)...) //nolint:sqlclosecheck,rowserrcheck // closed and checked below
		return err
	})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// find runs a query of at most one row and scans it; what names the thing in the not_found error.
func find[T any](ctx context.Context, c conn, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	var zero T
	query, err := c.prepare(query, args)
	if err != nil {
		return zero, fmt.Errorf("finding %s: %w", strings.ToLower(what), err)
	}
	if err := c.flush(ctx); err != nil {
		return zero, fmt.Errorf("finding %s: %w", strings.ToLower(what), err)
	}
	v := zero
	err = c.retry(func() (err error) {
		v, err = scan(c.db.QueryRowContext(ctx, query, args...))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return zero, notFound(what)
	}
	if err != nil {
		return zero, fmt.Errorf("finding %s: %w", strings.ToLower(what), err)
	}
	return v, nil
}

// notFound is the error for everything that does not exist for this organization.
func notFound(what string) error {
	return parley.Errorf(parley.CodeNotFound, "%s not found", what)
}

// forUpdate ends a query that finds a row somebody may be about to change.
func (c conn) forUpdate() string {
	if c.inTx {
		return c.dialect.lockRow
	}
	return ""
}
