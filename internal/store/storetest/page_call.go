package storetest

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// ownersPageCall is the id of the owner's page call in the test of tenants, feedbackAt the time of its feedback.
const ownersPageCall = "01a20b45-322f-7a31-8c55-2f6e7d9b1c77"

var feedbackAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func pageCalls(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	conv := Conversation(t, st, agent)
	run := store.Run{ID: parley.NewID(), ConversationID: conv.ID, Status: store.RunRunning, LeaseUntil: Now().Add(time.Hour)}
	id, other := parley.NewID(), parley.NewID()
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateRun(ctx, agent.OrgID, run); err != nil {
			return err
		}
		if err := tx.CreatePageCall(ctx, agent.OrgID, run.ID, other); err != nil {
			return err
		}
		return tx.CreatePageCall(ctx, agent.OrgID, run.ID, id)
	})
	claim := func(id, by string) (mine bool, err error) {
		err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			mine, err = tx.ClaimPageCall(ctx, agent.OrgID, run.ID, id, by)
			return err
		})
		return mine, err
	}
	answer := func(c store.PageCall) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.AnswerPageCall(ctx, agent.OrgID, run.ID, c)
		})
	}
	end := func(id string) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.ClosePageCall(ctx, agent.OrgID, run.ID, id) })
	}
	find := func(id string) store.PageCall {
		t.Helper()
		c, err := st.FindPageCall(t.Context(), agent.OrgID, run.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		by   string
		mine bool
	}{{"a", true}, {"b", false}, {"a", true}} {
		mine, err := claim(id, c.by)
		same(t, err, mine, c.mine)
	}
	_, err := claim(parley.NewID(), "a")
	wantCode(t, "claiming an unknown call", err, parley.CodeNotFound)
	wantCode(t, "answering an unknown call", answer(store.PageCall{ID: parley.NewID()}), parley.CodeNotFound)
	wantCode(t, "another page's call", answer(store.PageCall{ID: id, Claim: "b", Result: "1"}), parley.CodeConflict)
	same(t, nil, find(id), store.PageCall{ID: id, Claim: "a"})
	first := store.PageCall{ID: id, Claim: "a", Answered: true, Result: `{"a":1}`}
	same(t, answer(first), find(id), first)
	same(t, answer(store.PageCall{ID: id, Claim: "a", Failed: true, Result: "no"}), find(id), first) // the first counts
	mine, err := claim(id, "a")
	same(t, err, mine, false)
	end(id)
	first.Result = ""
	same(t, answer(store.PageCall{ID: id, Claim: "a", Result: "2"}), find(id), first)

	end(other)
	mine, err = claim(other, "a")
	same(t, err, mine, false)
	wantCode(t, "a late answer", answer(store.PageCall{ID: other}), parley.CodeConflict)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.FinishRun(ctx, agent.OrgID, run.ID, store.RunCompleted, Now().Add(-time.Minute), store.RunEnd{}); err != nil {
			return err
		}
		for n := 1; n > 0; {
			var err error
			if n, err = tx.SweepChunks(ctx, Now()); err != nil {
				return err
			}
		}
		return nil
	})
	_, err = st.FindPageCall(t.Context(), agent.OrgID, run.ID, id)
	wantCode(t, "a swept call", err, parley.CodeNotFound)
}
