package store

import (
	"context"
	"fmt"

	"parley"
)

// SaveFeedback keeps what a visitor thinks of an answer, in place of what it thought before.
func (tx *Tx) SaveFeedback(ctx context.Context, orgID, conversationID string, f parley.Feedback) error {
	if _, _, err := tx.FindPosition(ctx, orgID, conversationID); err != nil {
		return err
	}
	const q = `INSERT INTO feedback (org_id, conversation_id, message_id, rating, comment, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (org_id, conversation_id, message_id) DO UPDATE SET rating = excluded.rating, comment = excluded.comment, at = excluded.at`
	if _, err := tx.q.exec(ctx, q, orgID, conversationID, f.MessageID, string(f.Rating), f.Comment, micros(f.At)); err != nil {
		return fmt.Errorf("saving feedback: %w", err)
	}
	return nil
}

// ListFeedback returns what was said of a conversation's answers.
func (r *Reader) ListFeedback(ctx context.Context, orgID, conversationID string) ([]parley.Feedback, error) {
	const q = `SELECT message_id, rating, comment, at FROM feedback WHERE org_id = $1 AND conversation_id = $2 ORDER BY message_id`
	all, err := list(ctx, r.q, func(s scanner) (f parley.Feedback, err error) {
		var at int64
		err = s.Scan(&f.MessageID, &f.Rating, &f.Comment, &at)
		f.At = fromMicros(at)
		return f, err
	}, q, orgID, conversationID)
	if err != nil {
		return nil, fmt.Errorf("listing feedback: %w", err)
	}
	return all, nil
}
