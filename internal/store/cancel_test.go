package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestCanceledWritesHarmNoOthers: clients go away in the midst of their writes, which on SQLite share transactions
// with those of others. What was acknowledged is there, what failed is not, and the counters agree.
func TestCanceledWritesHarmNoOthers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		org := storetest.Organization(t, st)
		const writers, each = 16, 30
		var mu sync.Mutex
		outcome := map[string]error{}
		var wg sync.WaitGroup
		for i := range writers {
			patient := i%2 == 0
			wg.Go(func() {
				for range each {
					id := parley.NewID()
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(10_000))*time.Microsecond)
					if patient {
						cancel()
						ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
					}
					err := st.Write(ctx, func(tx *store.Tx) error {
						for _, part := range []string{"a", "b", "c"} { // one write, three rows
							e := parley.AuditEntry{ID: part + id[1:], At: storetest.Now(), Resource: parley.AuditResource{Type: "agent", ID: id}}
							if err := tx.AppendAudit(ctx, org.ID, e); err != nil {
								return err
							}
						}
						return nil
					})
					cancel()
					if patient && err != nil {
						t.Errorf("a write that nobody canceled ended with %v", err)
					}
					mu.Lock()
					outcome[id] = err
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		kept, failed, unknown := 0, 0, 0
		for id, err := range outcome {
			_, rows, listErr := st.ListAudit(t.Context(), org.ID, parley.AuditFilter{ResourceID: id})
			switch {
			case listErr != nil:
				t.Fatal(listErr)
			case errors.Is(err, store.ErrCommitUnknown) && (rows == 0 || rows == 3):
				unknown++
			case err == nil && rows == 3:
			case err != nil && rows == 0:
				failed++
			default:
				t.Errorf("a write that ended with %v left %d rows", err, rows)
			}
			kept += rows
		}
		_, total, err := st.ListAudit(t.Context(), org.ID, parley.AuditFilter{})
		if err != nil || total != kept {
			t.Errorf("the counter says %d entries, there are %d, %v", total, kept, err)
		}
		t.Logf("%d writes: %d kept, %d failed, %d unknown", len(outcome), kept/3, failed, unknown)
	})
}
