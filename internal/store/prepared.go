package store

import (
	"context"
	"database/sql/driver"
	"fmt"

	"modernc.org/sqlite"
)

// maxPrepared bounds how many statements a connection keeps prepared. The texts that lists and searches put
// together are some hundred; beyond the bound, arbitrary ones are prepared again.
const maxPrepared = 128

// preparing opens connections of SQLite that keep their statements prepared, as pgx does by itself: SQLite takes
// longer to compile most of our statements than to run them.
type preparing struct{ driver.Connector }

func newPreparing(dsn string) (driver.Connector, error) {
	c, err := sqlite.NewConnector(dsn)
	return preparing{c}, err
}

// Connect implements driver.Connector.
func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("a connection of SQLite is a %T", c)
	}
	return &preparedConn{sqliteConn: inner, idle: map[string]preparedStmt{}}, nil
}

// sqliteConn is what database/sql uses of a connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedConn is one connection. database/sql calls it, and the rows it gives, from one goroutine at a time.
type preparedConn struct {
	sqliteConn
	idle map[string]preparedStmt // by their texts; a statement that runs, or has open rows, is not in it
}

// Unwrap returns the driver's own connection, as its package asks for.
func (c *preparedConn) Unwrap() driver.Conn { return c.sqliteConn }

// take returns the idle statement of a text, or prepares one.
func (c *preparedConn) take(ctx context.Context, query string) (preparedStmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p, ok := s.(preparedStmt)
	if !ok {
		return nil, fmt.Errorf("a statement of SQLite is a %T", s)
	}
	return p, nil
}

// give keeps a statement that is reset. One that failed is not kept.
func (c *preparedConn) give(query string, s preparedStmt, failed error) error {
	if _, twin := c.idle[query]; twin || failed != nil {
		return s.Close()
	}
	for other, o := range c.idle {
		if len(c.idle) < maxPrepared {
			break
		}
		delete(c.idle, other)
		if err := o.Close(); err != nil {
			return err
		}
	}
	c.idle[query] = s
	return nil
}

// ExecContext implements driver.ExecerContext.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, args)
	if closing := c.give(query, s, err); err == nil {
		err = closing
	}
	return r, err
}

// QueryContext implements driver.QueryerContext.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		_ = c.give(query, s, err) // the query's error is the one to report
		return nil, err
	}
	return &preparedRows{Rows: r, done: func(err error) error { return c.give(query, s, err) }}, nil
}

// Close closes the statements first.
func (c *preparedConn) Close() error {
	for _, s := range c.idle {
		_ = s.Close() // of a connection that ends
	}
	clear(c.idle)
	return c.sqliteConn.Close()
}

// preparedRows give their statement back when they are closed.
type preparedRows struct {
	driver.Rows
	done func(error) error
}

// Close implements driver.Rows; database/sql calls it once.
func (r *preparedRows) Close() error {
	err := r.Rows.Close()
	if closing := r.done(err); err == nil {
		err = closing
	}
	return err
}
