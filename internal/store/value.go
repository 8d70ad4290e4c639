package store

import (
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/text/cases"
)

// Reader holds the reads. It is safe for concurrent use on a *Store, not on a *Tx.
type Reader struct{ q conn }

// fold is Unicode's full case folding: two texts that differ only in case fold to the same text on both
// databases, because Go does it.
func fold(s string) string { return cases.Fold().String(s) }

// micros is how times are stored: Unix microseconds, UTC.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func microsOrNull(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	n := t.UnixMicro()
	return &n
}

func timeOrNil(n *int64) *time.Time {
	if n == nil {
		return nil
	}
	t := fromMicros(*n)
	return &t
}

// asJSON marshals a value of the domain, all of which marshal.
func asJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding column: %w", err)
	}
	return string(b), nil
}

func fromJSON(s string, v any) error {
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return fmt.Errorf("decoding column: %w", err)
	}
	return nil
}

// page returns LIMIT and OFFSET values; a limit of 0 means all.
func page(limit, offset int) (int64, int64) {
	if limit <= 0 {
		return 1 << 62, int64(max(offset, 0))
	}
	return int64(limit), int64(max(offset, 0))
}
