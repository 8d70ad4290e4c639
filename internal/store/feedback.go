package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// SaveFeedback keeps what a visitor thinks of an answer, in place of what it thought before. The caller puts it into
// the conversation's log in the same transaction.
func (tx *Tx) SaveFeedback(ctx context.Context, orgID, conversationID string, f parley.Feedback) error {
	return tx.saveFeedback(ctx, orgID, conversationID, f, true)
}

// DeferFeedback is SaveFeedback while nobody here may write into the log: ListDeferredFeedback has it until then.
func (tx *Tx) DeferFeedback(ctx context.Context, orgID, conversationID string, f parley.Feedback) error {
	return tx.saveFeedback(ctx, orgID, conversationID, f, false)
}

func (tx *Tx) saveFeedback(ctx context.Context, orgID, conversationID string, f parley.Feedback, logged bool) error {
	if _, _, err := tx.FindPosition(ctx, orgID, conversationID); err != nil {
		return err
	}
	const q = `INSERT INTO feedback (org_id, conversation_id, message_id, rating, comment, at, logged) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (org_id, conversation_id, message_id) DO UPDATE SET rating = excluded.rating, comment = excluded.comment, at = excluded.at,
		logged = excluded.logged`
	if _, err := tx.q.exec(ctx, q, orgID, conversationID, f.MessageID, string(f.Rating), f.Comment, micros(f.At), logged); err != nil {
		return fmt.Errorf("saving feedback: %w", err)
	}
	return nil
}

// ListFeedback returns what was said of a conversation's answers.
func (r *Reader) ListFeedback(ctx context.Context, orgID, conversationID string) ([]parley.Feedback, error) {
	const q = `SELECT message_id, rating, comment, at FROM feedback WHERE org_id = $1 AND conversation_id = $2 ORDER BY message_id`
	all, err := list(ctx, r.q, func(s scanner) (f parley.Feedback, err error) {
		return scanFeedback(s, &f)
	}, q, orgID, conversationID)
	if err != nil {
		return nil, fmt.Errorf("listing feedback: %w", err)
	}
	return all, nil
}

func scanFeedback(s scanner, f *parley.Feedback, before ...any) (parley.Feedback, error) {
	var at int64
	err := s.Scan(append(before, &f.MessageID, &f.Rating, &f.Comment, &at)...)
	f.At = fromMicros(at)
	return *f, err
}

// DeferredFeedback is feedback that is not in its conversation's log yet.
type DeferredFeedback struct {
	OrgID, ConversationID string
	parley.Feedback
}

// ListDeferredFeedback lists feedback of before a time that is not logged yet, oldest first, at most limit. Server-wide.
func (r *Reader) ListDeferredFeedback(ctx context.Context, before time.Time, limit int) ([]DeferredFeedback, error) {
	const q = `SELECT org_id, conversation_id, message_id, rating, comment, at FROM feedback WHERE NOT logged AND at < $1 ORDER BY at, message_id LIMIT $2`
	all, err := list(ctx, r.q, func(s scanner) (f DeferredFeedback, err error) {
		_, err = scanFeedback(s, &f.Feedback, &f.OrgID, &f.ConversationID)
		return f, err
	}, q, micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("listing deferred feedback: %w", err)
	}
	return all, nil
}

// LogFeedback says that feedback is in the log now; not_found when it is not waiting for that, or was replaced since.
func (tx *Tx) LogFeedback(ctx context.Context, orgID, conversationID, messageID string, at time.Time) error {
	const q = `UPDATE feedback SET logged = TRUE WHERE org_id = $1 AND conversation_id = $2 AND message_id = $3 AND at = $4 AND NOT logged`
	n, err := tx.q.exec(ctx, q, orgID, conversationID, messageID, micros(at))
	if err != nil {
		return fmt.Errorf("logging feedback: %w", err)
	}
	if n == 0 {
		return notFound("Feedback")
	}
	return nil
}
