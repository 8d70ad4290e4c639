package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// pipeline collects statements of a PostgreSQL transaction whose results nobody needs, and sends them in one round
// trip: before the next statement that is asked for its result, at the end of a savepoint, and before the commit.
// Their order among all statements of the transaction stays.
type pipeline struct {
	conn  *sql.Conn
	batch *pgx.Batch
}

func newPipeline(c *sql.Conn) *pipeline { return &pipeline{conn: c, batch: &pgx.Batch{}} }

// later runs a statement now or a little later in the transaction. An error of it is returned by whatever comes
// after it.
func (c conn) later(ctx context.Context, query string, args ...any) error {
	if c.late == nil {
		_, err := c.exec(ctx, query, args...)
		return err
	}
	query, err := c.prepare(query, args)
	if err != nil {
		return err
	}
	c.late.batch.Queue(query, args...)
	return nil
}

// flush sends what later collected.
func (c conn) flush(ctx context.Context) error {
	if c.late == nil || c.late.batch.Len() == 0 {
		return nil
	}
	batch := c.late.batch
	c.late.batch = &pgx.Batch{}
	return c.late.conn.Raw(func(driver any) error {
		pg, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a pipeline needs a connection of pgx, not %T", driver)
		}
		return pg.Conn().SendBatch(ctx, batch).Close() // the first error of any of them
	})
}

// drop forgets what later collected, when a savepoint is rolled back.
func (c conn) drop() {
	if c.late != nil {
		c.late.batch = &pgx.Batch{}
	}
}
