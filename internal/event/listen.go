package event

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"parley/internal/store"
)

const (
	channel       = "parley_log"
	positionsEach = 100 // in one notification, which PostgreSQL bounds at 8,000 bytes; one takes up to 57
	listenAgain   = time.Second
)

// Position is the end of a conversation's log.
type Position struct {
	ConversationID string
	Seq            int64
}

// Notify publishes positions in the other processes, once tx is committed. On SQLite there are none.
func (b *Bus) Notify(ctx context.Context, tx *store.Tx, positions ...Position) error {
	for len(positions) > 0 {
		part := positions[:min(len(positions), positionsEach)]
		positions = positions[len(part):]
		var text strings.Builder
		text.WriteString(b.node)
		for _, p := range part {
			text.WriteByte(' ')
			text.WriteString(p.ConversationID)
			text.WriteByte(' ')
			text.WriteString(strconv.FormatInt(p.Seq, 10))
		}
		if err := tx.Notify(ctx, channel, text.String()); err != nil {
			return err
		}
	}
	return nil
}

// Listen publishes here what other processes notify of, until ctx ends. While its connection is broken, what they say
// is lost: who must know reads the store from time to time.
func (b *Bus) Listen(ctx context.Context, st *store.Store, logger *slog.Logger) {
	for ctx.Err() == nil {
		err := st.Listen(ctx, channel, b.hear)
		if ctx.Err() != nil {
			return
		}
		logger.Warn("positions of other processes are missed for a moment", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// hear publishes what a notification says.
func (b *Bus) hear(text string) {
	fields := strings.Fields(text)
	if len(fields) == 0 || fields[0] == b.node {
		return
	}
	for fields = fields[1:]; len(fields) > 1; fields = fields[2:] {
		if seq, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			b.Publish(fields[0], seq)
		}
	}
}
