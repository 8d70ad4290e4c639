package widget

import (
	"sync/atomic"

	"parley/internal/metric"
)

// Counts are this process's, for metrics.
type Counts struct {
	Sessions *metric.Vec  // by kind: new, resumed
	Messages atomic.Int64 // accepted, retries included
	Refusals *metric.Vec  // by reason: a budget's name, origin, token, ticket, identity, offline, or the error's type
	Streams  atomic.Int64 // open now
}

// NewCounts returns counts of nothing.
func NewCounts() *Counts {
	return &Counts{Sessions: metric.NewVec("kind"), Refusals: metric.NewVec("reason")}
}
