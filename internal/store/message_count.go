package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Day is the UTC day of a time, counted since 1970.
func Day(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// CountMessages adds one message of a day to each of the counts, which are kept by who sent it, and returns them with
// this message, in the same order. Those who count the same hold its row until the transaction ends, so the counts are
// exact; name what many share last.
func (tx *Tx) CountMessages(ctx context.Context, orgID, agentID string, day int64, who ...string) ([]int, error) {
	if len(who) == 0 {
		return nil, nil
	}
	if err := tx.checkAgent(ctx, orgID, agentID); err != nil {
		return nil, err
	}
	args := []any{orgID, agentID, day}
	rows := make([]string, len(who))
	for i, w := range who {
		args = append(args, w)
		rows[i] = "($1, $2, $3, $" + strconv.Itoa(len(args)) + ", 1)"
	}
	q := `INSERT INTO message_count (org_id, agent_id, day, who, n) VALUES ` + strings.Join(rows, ", ") +
		` ON CONFLICT (org_id, agent_id, day, who) DO UPDATE SET n = message_count.n + 1 RETURNING who, n`
	type count struct {
		who string
		n   int
	}
	counted, err := list(ctx, tx.q, func(s scanner) (c count, err error) {
		err = s.Scan(&c.who, &c.n)
		return c, err
	}, q, args...)
	if err != nil {
		return nil, fmt.Errorf("counting messages: %w", err)
	}
	out := make([]int, len(who))
	for _, c := range counted {
		for i, w := range who {
			if w == c.who {
				out[i] = c.n
			}
		}
	}
	return out, nil
}
