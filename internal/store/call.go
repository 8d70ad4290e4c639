package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"parley"
)

const callColumns = `id, org_id, agent_id, call_sid, account_sid, from_address, to_address, state, owner, stream_sid,
	intent, intent_data, end_reason, resumes, returns, created_at, updated_at, simulated, test, recent_resumes, empty_streams,
	rescues, over_reason, CASE WHEN stream_token_hash IS NULL THEN 0 ELSE stream_token_expires_at END`

func scanCall(s scanner) (c parley.Call, err error) {
	var created, updated, token int64
	var recent, errand string
	err = s.Scan(&c.ID, &c.OrgID, &c.AgentID, &c.CallSID, &c.AccountSID, &c.From, &c.To, &c.State, &c.Owner, &c.StreamSID,
		&c.Intent, &errand, &c.EndReason, &c.Resumes, &c.Returns, &created, &updated, &c.Simulated, &c.Test, &recent, &c.EmptyStreams,
		&c.Rescues, &c.OverReason, &token)
	if err == nil && errand != "" {
		err = json.Unmarshal([]byte(errand), &c.Errand)
	}
	c.CreatedAt, c.UpdatedAt, c.RecentResumes = fromMicros(created), fromMicros(updated), splitTimes(recent)
	if token != 0 {
		c.TokenUntil = fromMicros(token)
	}
	return c, err
}

// joinTimes and splitTimes keep a few times in one column.
func joinTimes(times []time.Time) string {
	var parts []string
	for _, t := range times {
		parts = append(parts, strconv.FormatInt(micros(t), 10))
	}
	return strings.Join(parts, ",")
}

func splitTimes(s string) (times []time.Time) {
	for part := range strings.SplitSeq(s, ",") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil {
			times = append(times, fromMicros(n))
		}
	}
	return times
}

// FindCallBySID finds a call by the carrier's id. It finds the organization.
func (r *Reader) FindCallBySID(ctx context.Context, callSID string) (parley.Call, error) {
	q := `SELECT ` + callColumns + ` FROM call WHERE call_sid = $1` + r.q.forUpdate()
	return find(ctx, r.q, "Call", scanCall, q, callSID)
}

// FindCall finds a call by its conversation's id.
func (r *Reader) FindCall(ctx context.Context, orgID, id string) (parley.Call, error) {
	q := `SELECT ` + callColumns + ` FROM call WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Call", scanCall, q, orgID, id)
}

// FindStreamToken finds the call for which an unused token was made that is valid at now. It finds the
// organization and does not use the token up: AttachStream does.
func (r *Reader) FindStreamToken(ctx context.Context, hash []byte, now time.Time) (parley.Call, error) {
	const q = `SELECT ` + callColumns + ` FROM call WHERE stream_token_hash = $1 AND stream_token_expires_at > $2`
	return find(ctx, r.q, "Stream token", scanCall, q, hash, micros(now))
}

// ListStaleCalls lists calls in a state that were not updated since before, oldest first. Server-wide, for
// the reconciler.
func (r *Reader) ListStaleCalls(ctx context.Context, state parley.CallState, before time.Time, limit int) ([]parley.Call, error) {
	const q = `SELECT ` + callColumns + ` FROM call WHERE state = $1 AND updated_at < $2 ORDER BY updated_at, id LIMIT $3`
	n, _ := page(limit, 0)
	calls, err := list(ctx, r.q, scanCall, q, string(state), micros(before), n)
	if err != nil {
		return nil, fmt.Errorf("listing stale calls: %w", err)
	}
	return calls, nil
}

// ListLiveCalls lists the live calls of a process, in order of their ids. Server-wide, for the reconciler.
func (r *Reader) ListLiveCalls(ctx context.Context, owner string, limit int) ([]parley.Call, error) {
	const q = `SELECT ` + callColumns + ` FROM call WHERE state = 'live' AND owner = $1 ORDER BY id LIMIT $2`
	n, _ := page(limit, 0)
	calls, err := list(ctx, r.q, scanCall, q, owner, n)
	if err != nil {
		return nil, fmt.Errorf("listing live calls: %w", err)
	}
	return calls, nil
}

// ListOverCalls lists the live calls that MarkCallOver marked before a time, oldest first. Server-wide: their owners
// end them.
func (r *Reader) ListOverCalls(ctx context.Context, before time.Time, limit int) ([]parley.Call, error) {
	const q = `SELECT ` + callColumns + ` FROM call WHERE over_at < $1 ORDER BY over_at, id LIMIT $2`
	n, _ := page(limit, 0)
	calls, err := list(ctx, r.q, scanCall, q, micros(before), n)
	if err != nil {
		return nil, fmt.Errorf("listing calls that are over: %w", err)
	}
	return calls, nil
}

// MarkCallOver notes that the carrier said its final word about a live call whose session runs in another process.
// The first word counts; a call that is not live is left alone.
func (tx *Tx) MarkCallOver(ctx context.Context, orgID, callID, reason string, at time.Time) error {
	const q = `UPDATE call SET over_reason = $3, over_at = $4 WHERE org_id = $1 AND id = $2 AND state = 'live' AND over_at IS NULL`
	if _, err := tx.q.exec(ctx, q, orgID, callID, reason, micros(at)); err != nil {
		return fmt.Errorf("marking call as over: %w", err)
	}
	return nil
}

// TouchCall claims a call for the reconciler: UpdatedAt becomes now and Rescues counts up, if the call's state, stream
// and UpdatedAt are still those given. Of several processes that try, exactly one succeeds.
func (tx *Tx) TouchCall(ctx context.Context, orgID string, c parley.Call, now time.Time) (bool, error) {
	const q = `UPDATE call SET updated_at = $6, rescues = rescues + 1
		WHERE org_id = $1 AND id = $2 AND state = $3 AND stream_sid = $4 AND updated_at = $5`
	n, err := tx.q.exec(ctx, q, orgID, c.ID, string(c.State), c.StreamSID, micros(c.UpdatedAt), micros(now))
	if err != nil {
		return false, fmt.Errorf("claiming call: %w", err)
	}
	return n > 0, nil
}

// CreateCall stores the call of a conversation that exists. A CallSid that is already known is a conflict.
func (tx *Tx) CreateCall(ctx context.Context, orgID string, c parley.Call) error {
	if _, _, err := tx.FindPosition(ctx, orgID, c.ID); err != nil {
		return err
	}
	const q = `INSERT INTO call (id, org_id, agent_id, call_sid, account_sid, from_address, to_address, state, owner, stream_sid,
		intent, intent_data, end_reason, resumes, returns, created_at, updated_at, simulated, test)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, c.ID, orgID, c.AgentID, c.CallSID, c.AccountSID, c.From, c.To, string(c.State), c.Owner, c.StreamSID,
		string(c.Intent), errandText(c.Errand), c.EndReason, c.Resumes, c.Returns, micros(c.CreatedAt), micros(c.UpdatedAt), c.Simulated, c.Test)
	if err != nil {
		return fmt.Errorf("creating call: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "This call is already known")
	}
	return nil
}

// SetStreamToken stores the SHA-256 of a new one-shot stream token; an unused older one dies. A call that
// has ended gets none.
func (tx *Tx) SetStreamToken(ctx context.Context, orgID, callID string, hash []byte, expires time.Time) error {
	const q = `UPDATE call SET stream_token_hash = $3, stream_token_expires_at = $4
		WHERE org_id = $1 AND id = $2 AND state <> $5`
	n, err := tx.q.exec(ctx, q, orgID, callID, hash, micros(expires), string(parley.CallEnded))
	if err != nil {
		return fmt.Errorf("setting stream token: %w", err)
	}
	if n == 0 {
		return notFound("Call")
	}
	return nil
}

// AttachStream uses a stream token up and takes the call and its conversation over, in one compare-and-set:
// of two attempts with one token exactly one succeeds. The call becomes live under owner, and the conversation's
// epoch rises. When a stream was attached before, Returns counts up if the intent was to come back, else Resumes.
// The intent is done; the result still holds its errand. It is not_found when the token is unknown, used or expired,
// belongs to another CallSid, or the call has ended. It finds the organization.
func (tx *Tx) AttachStream(ctx context.Context, hash []byte, callSID, streamSID, owner string, now time.Time) (call parley.Call, epoch, lastSeq int64, err error) {
	before, err := tx.FindStreamToken(ctx, hash, now)
	if err != nil {
		return call, 0, 0, err
	}
	meant := before.StreamSID != "" && before.Intent.Returns()
	const q = `UPDATE call SET stream_token_hash = NULL, stream_token_expires_at = NULL, state = $3, owner = $4,
		resumes = resumes + CASE WHEN stream_sid = '' OR $8 THEN 0 ELSE 1 END, returns = returns + CASE WHEN $8 THEN 1 ELSE 0 END,
		intent = '', intent_data = '', stream_sid = $5, updated_at = $6, over_reason = '', over_at = NULL, rescues = 0
		WHERE stream_token_hash = $1 AND call_sid = $2 AND stream_token_expires_at > $6 AND state <> $7
		RETURNING ` + callColumns
	call, err = find(ctx, tx.q, "Stream token", scanCall, q, hash, callSID, string(parley.CallLive), owner, streamSID,
		micros(now), string(parley.CallEnded), meant)
	if err != nil {
		return call, 0, 0, err
	}
	call.Errand = before.Errand
	epoch, lastSeq, err = tx.RaiseEpoch(ctx, call.OrgID, call.ID)
	return call, epoch, lastSeq, err
}

// SetResumes stores RecentResumes and EmptyStreams, which UpdateCall leaves alone: they change while a session holds
// its own copy of the call.
func (tx *Tx) SetResumes(ctx context.Context, orgID string, c parley.Call) error {
	const q = `UPDATE call SET recent_resumes = $3, empty_streams = $4 WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, c.ID, joinTimes(c.RecentResumes), c.EmptyStreams)
	if err != nil {
		return fmt.Errorf("counting resumes: %w", err)
	}
	if n == 0 {
		return notFound("Call")
	}
	return nil
}

// UpdateCall replaces what changes during a call: state, owner, stream, intent and errand, end reason, resumes, returns
// and UpdatedAt. An unused stream token dies with the end of the call, and so does the carrier's word of MarkCallOver
// with the live state.
func (tx *Tx) UpdateCall(ctx context.Context, orgID string, c parley.Call) error {
	const q = `UPDATE call SET state = $3, owner = $4, stream_sid = $5, intent = $6, end_reason = $7, resumes = $8, updated_at = $9,
		intent_data = $11, returns = $12,
		stream_token_hash = CASE WHEN CAST($3 AS TEXT) = CAST($10 AS TEXT) THEN NULL ELSE stream_token_hash END,
		over_reason = CASE WHEN CAST($3 AS TEXT) = 'live' THEN over_reason ELSE '' END,
		over_at = CASE WHEN CAST($3 AS TEXT) = 'live' THEN over_at END
		WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, c.ID, string(c.State), c.Owner, c.StreamSID, string(c.Intent), c.EndReason, c.Resumes,
		micros(c.UpdatedAt), string(parley.CallEnded), errandText(c.Errand), c.Returns)
	if err != nil {
		return fmt.Errorf("updating call: %w", err)
	}
	if n == 0 {
		return notFound("Call")
	}
	return nil
}

// errandText is how an errand is stored; scanCall reads it.
func errandText(e parley.Errand) string {
	if e == (parley.Errand{}) {
		return ""
	}
	raw, _ := json.Marshal(e) // strings only
	return string(raw)
}
