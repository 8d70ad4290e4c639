package log_test

import (
	"context"
	"errors"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestAlong: what is no event is committed with the events around it, in their order, and whoever follows is told; when
// it can never be written, its conversation ends and no other.
func TestAlong(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, w := h.open(t)
		told, cancel := h.bus.Subscribe(id)
		defer cancel()
		value := ""
		set := func(next string) func(context.Context, *store.Tx) error {
			return func(ctx context.Context, tx *store.Tx) error { return tx.SetSetting(ctx, "along "+id, next) }
		}
		w.Along(1, set("first"))
		<-told
		w.Along(1, set("second"))
		err := w.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "1"}, func(ctx context.Context, tx *store.Tx) (err error) {
			value, err = tx.FindSetting(ctx, "along "+id)
			return err
		})
		if err != nil || value != "second" {
			t.Errorf("an intent saw %q, %v", value, err)
		}
		_, other := h.open(t)
		w.Along(1, func(context.Context, *store.Tx) error { return parley.Errorf(parley.CodeInvalid, "never") })
		<-w.Done()
		if parley.ErrorCode(w.Err()) != parley.CodeInvalid {
			t.Errorf("the writer ended with %v", w.Err())
		}
		if err := other.Intent(t.Context(), parley.EventDTMF, parley.DTMFData{Digit: "2"}); err != nil {
			t.Errorf("another conversation: %v", err)
		}
		w.Close()
		w.Along(1, func(context.Context, *store.Tx) error { return errors.New("written after the end") })
	})
}

// TestAppend: the events of a transaction of somebody else stand in the log, and a writer goes on behind them.
func TestAppend(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st)
		id, _ := h.open(t)
		var epoch, last int64
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			epoch, last, err = tx.RaiseEpoch(ctx, h.agent.OrgID, id)
			if err != nil {
				return err
			}
			last, err = h.log.Append(ctx, tx, h.agent.OrgID, id, epoch, last, []parley.Event{{Type: "a", Data: []byte("{}")}, {Type: "b", Data: []byte("{}")}})
			return err
		})
		told, cancel := h.bus.Subscribe(id)
		defer cancel()
		w := h.log.Open(h.agent.OrgID, id, epoch, last)
		if seq := <-told; seq != last {
			t.Errorf("told of %d, want %d", seq, last)
		}
		if err := w.Intent(t.Context(), "c", struct{}{}); err != nil {
			t.Fatal(err)
		}
		if events := h.events(t, id); len(events) != 3 || events[1].Type != "b" || events[2].Type != "c" {
			t.Errorf("%+v", events)
		}
	})
}
