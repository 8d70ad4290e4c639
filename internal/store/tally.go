package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// tallyShards is over how many rows a counter is spread. Transactions of one organization that count the
// same thing wait for each other on PostgreSQL only when they meet in a shard.
const tallyShards = 8

// tallyChange adds By to the counter What.
type tallyChange struct {
	What string
	By   int
}

// addTally changes counters in the transaction of what they count. id is what is counted: its random tail
// picks the shard. A call's rows are locked in one order, so that two calls never deadlock.
func (tx *Tx) addTally(ctx context.Context, orgID, id string, changes ...tallyChange) error {
	shard := 0
	if id != "" {
		shard = int(id[len(id)-1]) % tallyShards
	}
	slices.SortFunc(changes, func(a, b tallyChange) int { return cmp.Compare(a.What, b.What) })
	for i := 1; i < len(changes); i++ { // one row is changed once in a statement
		if changes[i].What == changes[i-1].What {
			changes[i].By += changes[i-1].By
			changes[i-1].By = 0
		}
	}
	changes = slices.DeleteFunc(changes, func(c tallyChange) bool { return c.By == 0 })
	if len(changes) == 0 {
		return nil
	}
	w, values := where{}, ""
	for _, c := range changes {
		values += w.tail(`, ($?, $?, $?, $?)`, orgID, c.What, shard, c.By)
	}
	q := `INSERT INTO tally (org_id, what, shard, n) VALUES ` + values[2:] +
		` ON CONFLICT (org_id, what, shard) DO UPDATE SET n = tally.n + excluded.n`
	if err := tx.q.later(ctx, q, w.args...); err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	return nil
}

// tally returns the counters whose names begin with prefix, an ASCII text.
func (r *Reader) tally(ctx context.Context, orgID, prefix string) (map[string]int, error) {
	const q = `SELECT what, CAST(SUM(n) AS BIGINT) FROM tally WHERE org_id = $1 AND what >= $2 AND what < $3 GROUP BY what`
	type count struct {
		what string
		n    int
	}
	counts, err := list(ctx, r.q, func(s scanner) (c count, err error) {
		err = s.Scan(&c.what, &c.n)
		return c, err
	}, q, orgID, prefix, prefix+"\x7f")
	if err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	out := make(map[string]int, len(counts))
	for _, c := range counts {
		out[c.what] = c.n
	}
	return out, nil
}
