package store

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// IdempotencyID names one use of an Idempotency-Key: keys of different routes have nothing to do with each
// other. Route is the pattern, such as /api/v1/agents/{agentId}/chat.
type IdempotencyID struct {
	Method, Route, Key string
}

// Claim is what is kept of a request that carried an Idempotency-Key.
type Claim struct {
	Fingerprint []byte // of the path and the body
	RunID       string // of the chat run that is the effect; "" elsewhere
	Sealed      bool   // Answer is sealed
	Answer      []byte // nil until the effect is committed
	ExpiresAt   time.Time
}

// ClaimIdempotency stores a claim unless an unexpired one stands, and returns the one that stands then: mine
// says whether it is the given one. A claim whose transaction is still open is waited for.
func (tx *Tx) ClaimIdempotency(ctx context.Context, orgID string, id IdempotencyID, c Claim) (standing Claim, mine bool, err error) {
	const insert = `INSERT INTO idempotency (org_id, method, route, key, fingerprint, run_id, sealed, answer, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8)
		ON CONFLICT (org_id, method, route, key) DO UPDATE SET fingerprint = excluded.fingerprint, run_id = excluded.run_id,
			sealed = excluded.sealed, answer = NULL, expires_at = excluded.expires_at
		WHERE idempotency.expires_at <= $9`
	n, err := tx.q.exec(ctx, insert, orgID, id.Method, id.Route, id.Key, c.Fingerprint, orNull(c.RunID), c.Sealed,
		micros(c.ExpiresAt), micros(tx.now()))
	if err != nil {
		return c, false, fmt.Errorf("claiming idempotency key: %w", err)
	}
	if n == 1 {
		return c, true, nil
	}
	standing, err = tx.FindIdempotency(ctx, orgID, id)
	return standing, false, err
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// FindIdempotency finds the claim of a key, expired or not.
func (r *Reader) FindIdempotency(ctx context.Context, orgID string, id IdempotencyID) (Claim, error) {
	q := `SELECT fingerprint, COALESCE(run_id, ''), sealed, answer, expires_at FROM idempotency
		WHERE org_id = $1 AND method = $2 AND route = $3 AND key = $4` + r.q.forUpdate()
	return find(ctx, r.q, "Idempotency key", func(s scanner) (c Claim, err error) {
		var expires int64
		err = s.Scan(&c.Fingerprint, &c.RunID, &c.Sealed, &c.Answer, &expires)
		c.ExpiresAt = fromMicros(expires)
		return c, err
	}, q, orgID, id.Method, id.Route, id.Key)
}

// AnswerIdempotency keeps the answer of a claim that this transaction made.
func (tx *Tx) AnswerIdempotency(ctx context.Context, orgID string, id IdempotencyID, answer []byte) error {
	const q = `UPDATE idempotency SET answer = $5 WHERE org_id = $1 AND method = $2 AND route = $3 AND key = $4`
	if err := tx.q.later(ctx, q, orgID, id.Method, id.Route, id.Key, answer); err != nil {
		return fmt.Errorf("keeping the answer of an idempotency key: %w", err)
	}
	return nil
}

// SweepAtOnce bounds how many claims one sweep deletes.
const SweepAtOnce = 500

// SweepIdempotency deletes claims that expired before now, at most SweepAtOnce of them: when it deletes as many,
// others may be left. Server-wide.
func (tx *Tx) SweepIdempotency(ctx context.Context, now time.Time) (deleted int64, err error) {
	q := `DELETE FROM idempotency WHERE (org_id, method, route, key) IN (SELECT org_id, method, route, key FROM idempotency
		WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2` + tx.q.dialect.skipLocked + `)`
	if deleted, err = tx.q.exec(ctx, q, micros(now), SweepAtOnce); err != nil {
		return 0, fmt.Errorf("sweeping idempotency keys: %w", err)
	}
	return deleted, nil
}

// Same reports whether a request is the one that the claim was made for.
func (c Claim) Same(fingerprint []byte) bool { return bytes.Equal(c.Fingerprint, fingerprint) }
