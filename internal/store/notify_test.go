package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestNotify: another connection hears of a commit, and of nothing that was rolled back. On SQLite nobody is there to
// hear.
func TestNotify(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		heard, ended := make(chan struct{}, 10), make(chan error, 1)
		go func() { ended <- st.Listen(ctx, "parley_test", func(string) { heard <- struct{}{} }) }()
		wait := func(what string) {
			t.Helper()
			select {
			case <-heard:
			case err := <-ended:
				t.Fatalf("%s: %v", what, err)
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: not in time", what)
			}
		}
		notify := func(channel string, err error) {
			t.Helper()
			got := storetest.TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
				return errors.Join(tx.Notify(ctx, channel, "id"), err)
			})
			if (got == nil) != (err == nil) {
				t.Fatal(got)
			}
		}
		if st.Shared() {
			wait("ready")
		}
		notify("parley_test", errors.New("undo"))
		notify("parley_other", nil)
		notify("parley_test", nil)
		if st.Shared() {
			wait("committed")
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if len(heard) > 0 {
			t.Errorf("heard %d times too often", len(heard))
		}
		if _, err := st.ListProcesses(t.Context()); err != nil { // the pool is as before
			t.Error(err)
		}
	})
}
