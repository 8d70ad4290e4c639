package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// ErrCommitUnknown wraps the error of a COMMIT: the transaction may or may not have been applied. Every
// other error of Write means that nothing was written.
var ErrCommitUnknown = errors.New("outcome of commit is unknown")

// Tx is one transaction on the writer. Its reads see its own writes and, on PostgreSQL, lock the rows they
// find, so that read-change-write inside one transaction loses no update. It is not safe for concurrent use
// and must not be kept after the function given to Write returns.
type Tx struct {
	Reader
	now func() time.Time
}

// Write runs fn in one transaction on the writer: commits when fn returns nil, else rolls back and returns
// fn's error. fn runs again when another function broke the transaction that it shared (SQLite, see group) or when
// the database chose the transaction to break a deadlock (PostgreSQL), so it must have no effect outside tx. It may
// run on another goroutine. Without a deadline in ctx, one of 30 s is set.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, writeTimeout)
		defer cancel()
	}
	if s.dialect.oneWriter {
		return s.writeGrouped(ctx, fn)
	}
	asked := time.Now()
	for attempt := 1; ; attempt++ {
		err := s.transact(ctx, asked, fn)
		if err == nil || attempt == txAttempts || !s.dialect.retryable(err) {
			return err
		}
	}
}

// transact runs fn in a transaction that was asked for at a time.
func (s *Store) transact(ctx context.Context, asked time.Time, fn func(tx *Tx) error) (err error) {
	t, late, err := s.beginTx(ctx)
	if err != nil {
		return fmt.Errorf("beginning transaction: %w", err)
	}
	if late != nil {
		defer func() { _ = late.conn.Close() }() // back to the pool, after the transaction's end
	}
	began := time.Now()
	committed := false
	defer func() { // also on a panic in fn: the one writer connection must come back
		if !committed {
			_ = t.Rollback()
		}
	}()
	tx := &Tx{Reader: Reader{q: conn{db: t, dialect: s.dialect, inTx: true, late: late, few: s.q.few, observe: s.q.observe}}, now: time.Now}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.q.flush(ctx); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if err := pause(ctx, s.delay); err != nil {
		return fmt.Errorf("waiting to commit: %w", err)
	}
	committed = true
	if err := t.Commit(); err != nil {
		return fmt.Errorf("%w: %w", ErrCommitUnknown, err)
	}
	s.stats.committed(began.Sub(asked), time.Since(began))
	return nil
}

// beginTx begins a transaction, on PostgreSQL with a pipeline.
func (s *Store) beginTx(ctx context.Context) (*sql.Tx, *pipeline, error) {
	if s.dialect.oneWriter {
		t, err := s.writer.BeginTx(ctx, nil)
		return t, nil, err
	}
	for attempt := 1; ; attempt++ {
		t, late, err := s.beginPipeline(ctx)
		// The pool hands out connections that died in use, as when the context of a statement ended; even a caller that
		// waited for a place may get one. Each is dropped when it is found out.
		if !errors.Is(err, driver.ErrBadConn) || attempt == deadConns {
			return t, late, err
		}
	}
}

// deadConns bounds how many dead connections of the pool a transaction tries in vain.
const deadConns = 4 * postgresWriters

func (s *Store) beginPipeline(ctx context.Context) (*sql.Tx, *pipeline, error) {
	c, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := c.BeginTx(ctx, nil)
	if err != nil {
		_ = c.Close() // it did not work: the pool drops it
		return nil, nil, err
	}
	return t, newPipeline(c), nil
}

// Savepoint runs fn inside a savepoint: when fn fails, what it wrote is undone, its error is returned and
// the transaction goes on.
func (tx *Tx) Savepoint(ctx context.Context, fn func() error) error {
	if _, err := tx.q.exec(ctx, `SAVEPOINT part`); err != nil {
		return fmt.Errorf("setting savepoint: %w", err)
	}
	failed := fn()
	if failed == nil {
		failed = tx.q.flush(ctx)
	} else {
		tx.q.drop()
	}
	if failed != nil && tx.q.dialect.retryable(failed) {
		return &brokenTx{failed} // a deadlock's victim: Write runs the whole transaction again
	}
	if failed != nil {
		if _, err := tx.q.exec(ctx, `ROLLBACK TO SAVEPOINT part`); err != nil {
			return &brokenTx{errors.Join(failed, err)}
		}
	}
	if _, err := tx.q.exec(ctx, `RELEASE SAVEPOINT part`); err != nil {
		return &brokenTx{errors.Join(failed, err)}
	}
	return failed
}

// brokenTx is the error of a savepoint that could not be rolled back: the transaction cannot go on.
type brokenTx struct{ error }

func (b *brokenTx) Unwrap() error { return b.error }

// IsBroken reports whether err says that the transaction it happened in cannot go on.
func IsBroken(err error) bool {
	_, ok := errors.AsType[*brokenTx](err)
	return ok || errors.Is(err, sql.ErrTxDone)
}

// pause waits d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
