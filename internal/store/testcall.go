package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// CreateTestCall stores the right to place one ready-signed test call.
func (tx *Tx) CreateTestCall(ctx context.Context, orgID, id, callSID string, expires time.Time) error {
	const q = `INSERT INTO test_call (id, org_id, call_sid, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, id, orgID, callSID, micros(expires))
	if err != nil {
		return fmt.Errorf("creating test call: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "This test call already exists")
	}
	return nil
}

// UseTestCall uses a test call up. It is not_found when unknown, expired at now, used before or made for
// another CallSid.
func (tx *Tx) UseTestCall(ctx context.Context, orgID, id, callSID string, now time.Time) error {
	const q = `UPDATE test_call SET used_at = $4
		WHERE org_id = $1 AND id = $2 AND call_sid = $3 AND used_at IS NULL AND expires_at > $4`
	n, err := tx.q.exec(ctx, q, orgID, id, callSID, micros(now))
	if err != nil {
		return fmt.Errorf("using test call: %w", err)
	}
	if n == 0 {
		return notFound("Test call")
	}
	return nil
}
