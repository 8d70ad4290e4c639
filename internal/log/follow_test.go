package log_test

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestFollow: whoever follows gets every event once and in order, those from before, those of a burst longer than
// a page, and those of a later epoch.
func TestFollow(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		w.Fact(parley.EventDTMF, parley.DTMFData{Digit: "1"})
		if err := w.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "2"}); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), patience)
		defer stop()
		got, ended := make(chan int64, 1000), make(chan struct{})
		go func() {
			defer close(ended)
			h.log.Follow(ctx, h.agent.OrgID, id, 1, func(e parley.Event) { got <- e.Seq })
		}()
		const more = 450
		for range more / 2 {
			w.Fact(parley.EventDTMF, parley.DTMFData{Digit: "3"})
		}
		if err := w.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "4"}); err != nil {
			t.Fatal(err)
		}
		next := h.takeOver(t, id)
		for range more / 2 {
			next.Fact(parley.EventDTMF, parley.DTMFData{Digit: "5"})
		}
		for want := int64(2); want <= 2+more+1; want++ {
			select {
			case seq := <-got:
				if seq != want {
					t.Fatalf("event %d after %d", seq, want-1)
				}
			case <-ctx.Done():
				t.Fatalf("event %d never came", want)
			}
		}
		stop()
		<-ended
	})
}

// TestFirst: the event that begins a conversation is committed with it, and a writer goes on behind it.
func TestFirst(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		c := parley.Conversation{ID: parley.NewID(), OrgID: h.agent.OrgID, AgentID: h.agent.ID, Channel: parley.ChannelPhone,
			Status: parley.ConversationActive, Direction: "inbound", StartedAt: time.Now().UTC()}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			if err := tx.CreateConversation(ctx, c.OrgID, c); err != nil {
				return err
			}
			return log.First(ctx, tx, c.OrgID, c.ID, parley.EventConversationStarted, parley.ConversationStartedData{AgentID: c.AgentID})
		})
		w := h.takeOver(t, c.ID)
		if err := w.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "1"}); err != nil {
			t.Fatal(err)
		}
		if events := h.events(t, c.ID); len(events) != 2 || events[0].Type != parley.EventConversationStarted {
			t.Errorf("log: %+v", events)
		}
	})
}
