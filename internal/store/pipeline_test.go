package store_test

import (
	"context"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestLateErrors: a statement that is sent later (PostgreSQL) fails the transaction or the savepoint that it stands
// in, as if it had been sent at once (SQLite).
func TestLateErrors(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		org := storetest.Organization(t, st)
		entry := func() parley.AuditEntry {
			return parley.AuditEntry{ID: parley.NewID(), At: storetest.Now(), Resource: parley.AuditResource{Type: "agent"}}
		}
		taken := entry()
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.AppendAudit(ctx, org.ID, taken) })
		err := storetest.TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.AppendAudit(ctx, org.ID, entry()); err != nil {
				return err
			}
			return tx.AppendAudit(ctx, org.ID, taken)
		})
		if err == nil {
			t.Error("the same entry was stored twice")
		}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.AppendAudit(ctx, org.ID, entry()); err != nil {
				return err
			}
			failed := tx.Savepoint(ctx, func() error { return tx.AppendAudit(ctx, org.ID, taken) })
			if failed == nil || store.IsBroken(failed) {
				t.Errorf("the savepoint of a second one: %v", failed)
			}
			undone := tx.Savepoint(ctx, func() error {
				return append([]error{tx.AppendAudit(ctx, org.ID, entry())}, context.Canceled)[1]
			})
			if undone == nil {
				t.Error("a function that failed did not fail")
			}
			return tx.AppendAudit(ctx, org.ID, entry())
		})
		entries, total, err := st.ListAudit(t.Context(), org.ID, parley.AuditFilter{})
		if err != nil || total != 3 || len(entries) != 3 {
			t.Errorf("%d of %d entries, %v; want the first, and two around the failed ones", len(entries), total, err)
		}
	})
}
