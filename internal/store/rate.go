package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// sweepRows bounds how many rows one SweepRates looks at.
const sweepRows = 500

// errRatesNotShared: SQLite has one process, which limits in memory.
var errRatesNotShared = errors.New("rate limits are shared through PostgreSQL only")

// RateRequest asks for requests of one key's rate limit (GCRA: the bucket is a time, tat, at which it is full).
// Times are nanoseconds of the database's clock.
type RateRequest struct {
	Key      string
	Interval time.Duration // what one request costs
	Window   time.Duration // what an empty bucket needs to become full; a multiple of Interval
	Demand   int           // requests that are waiting now, at least 1
	Lease    int           // requests wanted in advance, Demand included; at most half of what is there is given for them
	// Refund is the cost of what an earlier grant left unused, and RefundUntil that grant's FullAt. After FullAt
	// nothing is given back: without the grant the bucket would be full by then, too.
	Refund      time.Duration
	RefundUntil int64
}

// RateGrant is the answer.
type RateGrant struct {
	Granted int           // 0 to max(Demand, Lease)
	Debt    time.Duration // until the bucket is full, the grant included
	FullAt  int64         // the same as a time, for RefundUntil
}

// SharesRates reports whether several processes can share rate limits through this database.
func (s *Store) SharesRates() bool { return s.dialect.name == postgresDialect.name }

// refillRate is one statement. The clock is read before the row is locked: a wait for the lock makes the bucket look
// emptier than it is, never fuller. A row from the future (the clock was set back) counts as an empty bucket.
// $1 key, $2 interval, $3 window, $4 demand, $5 lease, $6 refund, $7 refund until.
const refillRate = `INSERT INTO rate_limit AS r (key, tat, at, granted)
	SELECT $1::text, at + g * $2::bigint, at, g
	FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint AS at,
		LEAST($3::bigint / $2::bigint, GREATEST($4::bigint, LEAST($5::bigint, $3::bigint / $2::bigint / 2))) AS g) fresh
	ON CONFLICT (key) DO UPDATE SET (tat, at, granted) = (
		SELECT base + g * $2::bigint, excluded.at, g
		FROM (SELECT base, LEAST(free, GREATEST($4::bigint, LEAST($5::bigint, free / 2))) AS g
		FROM (SELECT base, (excluded.at + $3::bigint - base) / $2::bigint AS free
		FROM (SELECT LEAST(excluded.at + $3::bigint, GREATEST(excluded.at,
			r.tat - LEAST($6::bigint, GREATEST(0, $7::bigint - excluded.at)))) AS base) b) f) g)
	RETURNING granted, tat - at, tat`

// RefillRate takes requests out of a key's bucket, as many as are there. It is one statement with the database's
// clock, outside of any transaction. Server-wide: the key is the limiter's.
func (s *Store) RefillRate(ctx context.Context, r RateRequest) (g RateGrant, err error) {
	if !s.SharesRates() {
		return g, errRatesNotShared
	}
	_, err = s.single().row(ctx, []any{&g.Granted, &g.Debt, &g.FullAt}, refillRate,
		r.Key, int64(r.Interval), int64(r.Window), r.Demand, r.Lease, int64(r.Refund), r.RefundUntil)
	if err != nil {
		return RateGrant{}, fmt.Errorf("refilling rate limit: %w", err)
	}
	return g, nil
}

// sweepRates walks the keys in order instead of asking an index for old rows: an index on tat would have to be
// written by every refill. $1 the key before the first, $2 rows.
const sweepRates = `WITH batch AS (SELECT key FROM rate_limit WHERE key > $1 ORDER BY key LIMIT $2),
	gone AS (DELETE FROM rate_limit WHERE key IN (SELECT key FROM batch)
		AND tat < (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint)
	SELECT COALESCE(MAX(key), ''), COUNT(*) FROM batch`

// SweepRates deletes the rows of full buckets among the 500 keys that follow after, and returns where the next sweep
// continues: "" at the end of the table. Server-wide.
func (s *Store) SweepRates(ctx context.Context, after string) (next string, err error) {
	if !s.SharesRates() {
		return "", errRatesNotShared
	}
	var n int
	if _, err := s.single().row(ctx, []any{&next, &n}, sweepRates, after, sweepRows); err != nil {
		return "", fmt.Errorf("sweeping rate limits: %w", err)
	}
	if n < sweepRows {
		return "", nil
	}
	return next, nil
}

// single runs one writing statement outside of a transaction, in one round trip.
func (s *Store) single() conn {
	return conn{db: s.writer, dialect: s.dialect, observe: s.q.observe}
}
