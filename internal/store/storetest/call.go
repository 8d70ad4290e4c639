package storetest

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// Call creates a ringing call with its conversation.
func Call(t testing.TB, st *store.Store, a parley.Agent) parley.Call {
	t.Helper()
	id := Conversation(t, st, a).ID
	c := parley.Call{
		ID: id, OrgID: a.OrgID, AgentID: a.ID, CallSID: "CA" + id, AccountSID: "AC1", From: "+15550100001", To: "+15550100002",
		State: parley.CallRinging, CreatedAt: Now(), UpdatedAt: Now(), Simulated: true, Test: true,
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateCall(ctx, a.OrgID, c) })
	return c
}

func calls(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c, other := Call(t, st, agent), Call(t, st, agent)
	got, err := st.FindCall(t.Context(), agent.OrgID, c.ID)
	same(t, err, got, c)
	got, err = st.FindCallBySID(t.Context(), c.CallSID)
	same(t, err, got, c)
	_, err = st.FindCallBySID(t.Context(), "CAnone")
	wantCode(t, "unknown CallSid", err, parley.CodeNotFound)
	twin := c
	twin.ID = Conversation(t, st, agent).ID
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateCall(ctx, agent.OrgID, twin) })
	wantCode(t, "taken CallSid", err, parley.CodeConflict)
	orphan := c
	orphan.ID, orphan.CallSID = parley.NewID(), "CAorphan"
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateCall(ctx, agent.OrgID, orphan) })
	wantCode(t, "call without conversation", err, parley.CodeNotFound)

	c.State, c.Owner, c.StreamSID, c.Intent = parley.CallDetached, "p1", "MZ1", parley.IntentHangup
	c.EndReason, c.Resumes, c.UpdatedAt = parley.EndAgentHangup, 2, Now().Add(time.Second)
	c.Errand, c.Returns = parley.Errand{Target: "Sales", Number: "+15550100009", TokenHash: []byte{0, 255}, Stage: parley.ErrandFailed, Failure: "busy"}, 3
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, c) })
	got, err = st.FindCall(t.Context(), agent.OrgID, c.ID)
	same(t, err, got, c)

	stale, err := st.ListStaleCalls(t.Context(), parley.CallDetached, c.UpdatedAt.Add(time.Microsecond), 10)
	same(t, err, stale, []parley.Call{c})
	stale, err = st.ListStaleCalls(t.Context(), parley.CallDetached, c.UpdatedAt, 10)
	same(t, err, stale, []parley.Call{})
	stale, err = st.ListStaleCalls(t.Context(), parley.CallRinging, Now().Add(time.Hour), 1)
	same(t, err, stale, []parley.Call{other})
}

func streamTokens(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c, at := Call(t, st, agent), Now()
	expires := at.Add(30 * time.Second)
	set := func(hash string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.SetStreamToken(ctx, agent.OrgID, c.ID, []byte(hash), expires)
		})
	}
	attach := func(hash, callSID, streamSID string, at time.Time) (got parley.Call, epoch, last int64, err error) {
		err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			got, epoch, last, err = tx.AttachStream(ctx, []byte(hash), callSID, streamSID, "p1", at)
			return err
		})
		return got, epoch, last, err
	}
	refused := func(what, hash, callSID string, at time.Time) {
		t.Helper()
		_, _, _, err := attach(hash, callSID, "MZ0", at)
		wantCode(t, what, err, parley.CodeNotFound)
	}
	same(t, set("old"), nil, nil)
	same(t, set("new"), nil, nil)
	_, err := st.FindStreamToken(t.Context(), []byte("old"), at)
	wantCode(t, "replaced token", err, parley.CodeNotFound)
	_, err = st.FindStreamToken(t.Context(), []byte("new"), expires)
	wantCode(t, "expired token", err, parley.CodeNotFound)
	found, err := st.FindStreamToken(t.Context(), []byte("new"), at)
	same(t, err, found, c)
	refused("attach with a replaced token", "old", c.CallSID, at)
	refused("attach to another call", "new", "CAother", at)
	refused("attach with an expired token", "new", c.CallSID, expires)

	got, epoch, last, err := attach("new", c.CallSID, "MZ1", at)
	c.State, c.Owner, c.StreamSID, c.UpdatedAt = parley.CallLive, "p1", "MZ1", at
	same(t, err, got, c)
	same(t, nil, []int64{epoch, last}, []int64{1, 0})
	refused("second attach", "new", c.CallSID, at)

	same(t, set("again"), nil, nil)
	got, epoch, _, err = attach("again", c.CallSID, "MZ2", at)
	c.StreamSID, c.Resumes = "MZ2", 1
	same(t, err, got, c)
	same(t, nil, epoch, int64(2))

	c.State, c.Intent, c.Errand = parley.CallDetached, parley.IntentKeys, parley.Errand{Digits: "12#"}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, c) })
	same(t, set("back"), nil, nil)
	got, _, _, err = attach("back", c.CallSID, "MZ3", at)
	c.State, c.Intent, c.StreamSID, c.Returns = parley.CallLive, parley.IntentNone, "MZ3", 1
	same(t, err, got, c) // with the errand it came back from
	got, err = st.FindCall(t.Context(), agent.OrgID, c.ID)
	c.Errand = parley.Errand{}
	same(t, err, got, c)

	same(t, set("unused"), nil, nil)
	c.State = parley.CallEnded
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, c) })
	refused("attach to an ended call", "unused", c.CallSID, at)
	_, err = st.FindStreamToken(t.Context(), []byte("unused"), at)
	wantCode(t, "token of an ended call", err, parley.CodeNotFound)
	wantCode(t, "token for an ended call", set("late"), parley.CodeNotFound)
}

func attachRace(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c := Call(t, st, agent)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.SetStreamToken(ctx, agent.OrgID, c.ID, []byte("token"), Now().Add(time.Hour))
	})
	won := race(8, func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			_, _, _, err := tx.AttachStream(ctx, []byte("token"), c.CallSID, "MZ", "p", Now())
			return err
		})
	}, func(err error) { wantCode(t, "loser", err, parley.CodeNotFound) })
	same(t, nil, won, 1)
	epoch, _, err := st.FindPosition(t.Context(), agent.OrgID, c.ID)
	same(t, err, epoch, int64(1))
}

func testCalls(t *testing.T, st *store.Store) {
	org, at := Organization(t, st), Now()
	id := parley.NewID()
	create := func(id string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateTestCall(ctx, org.ID, id, "CA1", at.Add(30*time.Second))
		})
	}
	use := func(callSID string, at time.Time) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.UseTestCall(ctx, org.ID, id, callSID, at)
		})
	}
	same(t, create(id), nil, nil)
	wantCode(t, "taken CallSid", create(parley.NewID()), parley.CodeConflict)
	wantCode(t, "another CallSid", use("CA2", at), parley.CodeNotFound)
	wantCode(t, "too late", use("CA1", at.Add(30*time.Second)), parley.CodeNotFound)
	same(t, use("CA1", at), nil, nil)
	wantCode(t, "twice", use("CA1", at), parley.CodeNotFound)
}
