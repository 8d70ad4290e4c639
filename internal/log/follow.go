package log

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
)

// followPage is how many events are read at once.
const followPage = 200

// First appends the first event of a conversation that was made in the same transaction. Later ones go through
// a Writer.
func First(ctx context.Context, tx *store.Tx, orgID, conversationID, typ string, data any) error {
	e := newEntry(typ, data).event
	e.Seq = 1
	if err := tx.AppendEvents(ctx, orgID, conversationID, 0, []parley.Event{e}); err != nil {
		return fmt.Errorf("recording %s: %w", typ, err)
	}
	return nil
}

// Append appends events behind lastSeq in an epoch that was raised in the same transaction, and returns the log's new
// end, from which a Writer goes on. It numbers the events.
func (l *Log) Append(ctx context.Context, tx *store.Tx, orgID, conversationID string, epoch, lastSeq int64, events []parley.Event) (int64, error) {
	for i := range events {
		events[i].Seq = lastSeq + 1 + int64(i)
	}
	lastSeq += int64(len(events))
	if err := tx.AppendEvents(ctx, orgID, conversationID, epoch, events); err != nil {
		return 0, fmt.Errorf("recording %s: %w", events[0].Type, err)
	}
	return lastSeq, l.bus.Notify(ctx, tx, event.Position{ConversationID: conversationID, Seq: lastSeq})
}

// Follow gives tell every committed event above after, in order, as they come, until ctx ends. What this
// process writes arrives with its commit. A database that fails is asked again a second later.
func (l *Log) Follow(ctx context.Context, orgID, conversationID string, after int64, tell func(parley.Event)) {
	positions, cancel := l.bus.Subscribe(conversationID)
	defer cancel()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-positions:
		case <-retry.C:
		}
		last, err := l.deliver(ctx, orgID, conversationID, after, tell)
		after = last
		if err != nil && ctx.Err() == nil {
			l.logger.Warn("conversation not followed for a second", slog.String("conversation_id", conversationID), slog.Any("error", err))
			retry.Reset(time.Second)
		}
	}
}

// deliver tells what is committed by now and returns the last event's number.
func (l *Log) deliver(ctx context.Context, orgID, conversationID string, after int64, tell func(parley.Event)) (int64, error) {
	for {
		events, err := l.st.ListEvents(ctx, orgID, conversationID, after, followPage)
		if err != nil {
			return after, err
		}
		for _, e := range events {
			tell(e)
			after = e.Seq
		}
		if len(events) < followPage {
			return after, nil
		}
	}
}
