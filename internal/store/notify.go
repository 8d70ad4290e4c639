package store

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Notify tells the processes that Listen to a channel, when the transaction is committed. On SQLite it does nothing:
// there is only one process. Server-wide: text is an id, never content.
func (tx *Tx) Notify(ctx context.Context, channel, text string) error {
	if tx.q.dialect.name != postgresDialect.name {
		return nil
	}
	if err := tx.q.later(ctx, `SELECT pg_notify($1, $2)`, channel, text); err != nil {
		return fmt.Errorf("notifying: %w", err)
	}
	return nil
}

// Listen calls heard once with "" when it is ready and then with the text of each notification on a channel, until ctx
// ends or the connection breaks: what was said in between is lost. heard must not block. On SQLite it waits for the end of ctx. It
// holds one connection. Server-wide.
func (s *Store) Listen(ctx context.Context, channel string, heard func(text string)) error {
	if !s.Shared() {
		<-ctx.Done()
		return ctx.Err()
	}
	c, err := s.readers.Conn(ctx)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer func() { _ = c.Close() }()
	var broken error
	_ = c.Raw(func(driverConn any) error { // a bad connection is not put back into the pool: it listens
		std, ok := driverConn.(*stdlib.Conn)
		if !ok {
			broken = fmt.Errorf("listening: the connection is a %T", driverConn)
			return driver.ErrBadConn
		}
		conn := std.Conn()
		if _, broken = conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); broken != nil {
			return driver.ErrBadConn
		}
		heard("")
		for {
			said, err := conn.WaitForNotification(ctx)
			if broken = err; err != nil {
				return driver.ErrBadConn
			}
			heard(said.Payload)
		}
	})
	if broken != nil {
		return fmt.Errorf("listening: %w", broken)
	}
	return nil
}
