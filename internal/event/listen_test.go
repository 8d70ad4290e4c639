package event_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const patience = 60 * time.Second

// What one process commits is published in the others, and not a second time in its own.
func TestNotify(t *testing.T) {
	t.Parallel()
	st := storetest.Postgres(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	here, there := event.NewBus(), event.NewBus()
	ended := make(chan struct{}, 2)
	for _, b := range []*event.Bus{here, there} {
		go func() { b.Listen(ctx, st, slog.New(slog.DiscardHandler)); ended <- struct{}{} }()
	}
	var all []event.Position
	for i := range 250 { // more than one notification holds
		all = append(all, event.Position{ConversationID: parley.NewID(), Seq: int64(i + 1)})
	}
	heard, cancel := there.Subscribe(all[249].ConversationID)
	defer cancel()
	own, cancelOwn := here.Subscribe(all[249].ConversationID)
	defer cancelOwn()
	deadline := time.After(patience)
	for { // until it listens
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return here.Notify(ctx, tx, all...) })
		select {
		case seq := <-heard:
			if seq != 250 {
				t.Fatalf("heard %d", seq)
			}
		case <-time.After(50 * time.Millisecond):
			continue
		case <-deadline:
			t.Fatal("nothing was heard")
		}
		break
	}
	// here hears its own word no later than another's that was said after it.
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return there.Notify(ctx, tx, event.Position{ConversationID: all[249].ConversationID, Seq: 999})
	})
	for {
		select {
		case seq := <-own:
			if seq != 999 {
				t.Fatalf("its own word came back: %d", seq)
			}
		case <-time.After(50 * time.Millisecond):
			storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
				return there.Notify(ctx, tx, event.Position{ConversationID: all[249].ConversationID, Seq: 999})
			})
			continue
		case <-deadline:
			t.Fatal("the other's word was not heard")
		}
		break
	}
	stop()
	<-ended
	<-ended
}
