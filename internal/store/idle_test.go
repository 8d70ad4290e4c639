package store_test

import (
	"context"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestStoppedProcessKeepsNoLocks: a process that is stopped in the middle of a transaction, like one that hangs, must not
// keep others from the rows that it has locked.
func TestStoppedProcessKeepsNoLocks(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	beat := func(tx *store.Tx) error { return tx.BeatProcess(t.Context(), "a", false) }
	locked, done := make(chan struct{}), make(chan struct{})
	stopped := make(chan error, 1)
	go func() {
		stopped <- storetest.TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.BeatProcess(ctx, "a", false); err != nil {
				return err
			}
			if _, err := tx.ListProcesses(ctx); err != nil { // what was sent late is there by now
				return err
			}
			close(locked)
			<-done
			return nil
		})
	}()
	<-locked
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	err := st.Write(ctx, beat)
	close(done)
	if err != nil {
		t.Errorf("the other process: %v", err)
	}
	if err := <-stopped; err == nil {
		t.Error("the transaction of the stopped process was committed")
	}
}
