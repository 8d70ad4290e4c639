package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Chunk is a piece of what a run said and did: some text of the answer, and then an event that is not text, unless Type
// is "". Seq counts from 1.
type Chunk struct {
	Seq        int64
	Text       string
	Type, Data string // of the event; Data is JSON
}

// ListChunks returns the chunks of a run with a number above after, in order. A limit of 0 means all.
func (r *Reader) ListChunks(ctx context.Context, orgID, runID string, after int64, limit int) ([]Chunk, error) {
	const q = `SELECT c.seq, c.text, c.type, c.data FROM chat_run r JOIN chat_chunk c ON c.run_id = r.id
		WHERE r.org_id = $1 AND r.id = $2 AND c.run_id = $2 AND c.seq > $3 ORDER BY c.seq LIMIT $4`
	n, _ := page(limit, 0)
	all, err := list(ctx, r.q, func(s scanner) (c Chunk, err error) {
		return c, s.Scan(&c.Seq, &c.Text, &c.Type, &c.Data)
	}, q, orgID, runID, after, n)
	if err != nil {
		return nil, fmt.Errorf("listing chunks: %w", err)
	}
	return all, nil
}

// AppendChunks adds chunks to a run that is still going on in the given attempt of its owner; else it writes nothing, and
// says nothing: who lost a run learns it from its log. Chunks that are there already stay as they are.
func (tx *Tx) AppendChunks(ctx context.Context, orgID string, run Run, chunks []Chunk) error {
	q := `INSERT INTO chat_chunk (run_id, seq, text, type, data)
		SELECT id, $5, $6, $7, $8 FROM chat_run WHERE org_id = $1 AND id = $2 AND owner = $3 AND attempt = $4 AND status = 'running'` +
		tx.q.dialect.lockRow + ` ON CONFLICT DO NOTHING`
	for _, c := range chunks {
		if err := tx.q.later(ctx, q, orgID, run.ID, run.Owner, run.Attempt, c.Seq, c.Text, c.Type, c.Data); err != nil {
			return fmt.Errorf("appending chunks: %w", err)
		}
	}
	return nil
}

// sweptRuns bounds whose chunks one sweep deletes.
const sweptRuns = 50

// SweepChunks deletes the chunks and page calls of some runs that ended before a time, and returns of how many. Server-wide.
func (tx *Tx) SweepChunks(ctx context.Context, before time.Time) (int, error) {
	q := `SELECT id FROM chat_run WHERE chunked AND ended_at < $1 ORDER BY ended_at LIMIT $2` + tx.q.dialect.skipLocked
	ids, err := list(ctx, tx.q, func(s scanner) (id string, err error) { return id, s.Scan(&id) }, q, micros(before), sweptRuns)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	args := make([]any, len(ids))
	marks := make([]string, len(ids))
	for i, id := range ids {
		args[i], marks[i] = id, fmt.Sprintf("$%d", i+1)
	}
	in := ` IN (` + strings.Join(marks, ", ") + `)`
	if _, err := tx.q.exec(ctx, `DELETE FROM chat_chunk WHERE run_id`+in, args...); err != nil {
		return 0, fmt.Errorf("sweeping chunks: %w", err)
	}
	if _, err := tx.q.exec(ctx, `DELETE FROM page_call WHERE run_id`+in, args...); err != nil {
		return 0, fmt.Errorf("sweeping page calls: %w", err)
	}
	if _, err := tx.q.exec(ctx, `UPDATE chat_run SET chunked = FALSE WHERE id`+in, args...); err != nil {
		return 0, fmt.Errorf("sweeping chunks: %w", err)
	}
	return len(ids), nil
}
