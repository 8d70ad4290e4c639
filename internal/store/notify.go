package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
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
// holds one connection, beside the pools. Server-wide.
func (s *Store) Listen(ctx context.Context, channel string, heard func(text string)) error {
	if !s.Shared() {
		<-ctx.Done()
		return ctx.Err()
	}
	conn, err := pgx.ConnectConfig(ctx, s.listeners.Copy())
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	heard("")
	for {
		said, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		heard(said.Payload)
	}
}
