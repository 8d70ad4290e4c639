package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"parley"
)

// ErrFenced says that another process owns the conversation now: the epoch of the append is not the
// current one, or the log does not end where the writer left it. Nothing was written.
var ErrFenced = errors.New("conversation is owned by another writer")

// eventsPerInsert bounds the placeholders of one INSERT.
const eventsPerInsert = 64

// ListEvents returns the events of a conversation with a sequence number above after, in order. A limit of
// 0 means all. A conversation of another organization has no events.
func (r *Reader) ListEvents(ctx context.Context, orgID, conversationID string, after int64, limit int) ([]parley.Event, error) {
	const q = `SELECT e.seq, e.type, e.at, e.data FROM conversation c JOIN event e ON e.conversation_id = c.id
		WHERE c.org_id = $1 AND c.id = $2 AND e.conversation_id = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4`
	n, _ := page(limit, 0)
	events, err := list(ctx, r.q, scanEvent, q, orgID, conversationID, after, n)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return events, nil
}

func scanEvent(s scanner) (e parley.Event, err error) {
	var at int64
	var data string
	err = s.Scan(&e.Seq, &e.Type, &at, &data)
	e.At, e.Data = fromMicros(at), json.RawMessage(data)
	return e, err
}

// FindPosition returns the current epoch of a conversation and the sequence number of its newest event.
func (r *Reader) FindPosition(ctx context.Context, orgID, conversationID string) (epoch, lastSeq int64, err error) {
	const q = `SELECT epoch, last_seq FROM conversation WHERE org_id = $1 AND id = $2`
	found, err := r.q.row(ctx, []any{&epoch, &lastSeq}, q, orgID, conversationID)
	if err != nil {
		return 0, 0, fmt.Errorf("finding position: %w", err)
	}
	if !found {
		return 0, 0, notFound("Conversation")
	}
	return epoch, lastSeq, nil
}

// RaiseEpoch takes the conversation over: from now on only the returned epoch may append, beginning at
// lastSeq + 1.
func (tx *Tx) RaiseEpoch(ctx context.Context, orgID, conversationID string) (epoch, lastSeq int64, err error) {
	const q = `UPDATE conversation SET epoch = epoch + 1 WHERE org_id = $1 AND id = $2 RETURNING epoch, last_seq`
	found, err := tx.q.row(ctx, []any{&epoch, &lastSeq}, q, orgID, conversationID)
	if err != nil {
		return 0, 0, fmt.Errorf("raising epoch: %w", err)
	}
	if !found {
		return 0, 0, notFound("Conversation")
	}
	return epoch, lastSeq, nil
}

// AppendEvents appends events that carry consecutive sequence numbers. It fails with ErrFenced, and writes
// nothing, when epoch is not the current one or the first number does not follow the newest event.
func (tx *Tx) AppendEvents(ctx context.Context, orgID, conversationID string, epoch int64, events []parley.Event) error {
	if len(events) == 0 {
		return nil
	}
	first := events[0].Seq
	for i, e := range events {
		if e.Seq != first+int64(i) {
			return fmt.Errorf("appending events: sequence number %d follows %d", e.Seq, first+int64(i)-1)
		}
	}
	const advance = `UPDATE conversation SET last_seq = $5 WHERE org_id = $1 AND id = $2 AND epoch = $3 AND last_seq = $4`
	n, err := tx.q.exec(ctx, advance, orgID, conversationID, epoch, first-1, events[len(events)-1].Seq)
	if err != nil {
		return fmt.Errorf("advancing conversation: %w", err)
	}
	if n == 0 {
		return ErrFenced
	}
	for len(events) > 0 {
		part := events[:min(len(events), eventsPerInsert)]
		events = events[len(part):]
		if err := tx.insertEvents(ctx, conversationID, part); err != nil {
			return fmt.Errorf("appending events: %w", err)
		}
	}
	return nil
}

func (tx *Tx) insertEvents(ctx context.Context, conversationID string, events []parley.Event) error {
	var q strings.Builder
	q.WriteString(`INSERT INTO event (conversation_id, seq, type, at, data) VALUES `)
	args := make([]any, 1, 1+4*len(events))
	args[0] = conversationID
	for i, e := range events {
		if i > 0 {
			q.WriteString(", ")
		}
		q.WriteString("($1")
		for range 4 {
			args = append(args, nil)
			q.WriteString(", $")
			q.WriteString(strconv.Itoa(len(args)))
		}
		q.WriteByte(')')
		row := args[len(args)-4:]
		row[0], row[1], row[2], row[3] = e.Seq, e.Type, micros(e.At), string(e.Data)
	}
	_, err := tx.q.exec(ctx, q.String(), args...)
	return err
}
