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
	c.Errand, c.Returns = parley.Errand{Target: "Sales", Number: "+15550100009", TokenHash: "00ff", Stage: parley.ErrandFailed, Failure: "busy"}, 3
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, c) })
	c.RecentResumes, c.EmptyStreams = []time.Time{Now(), Now().Add(time.Second)}, 1
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetResumes(ctx, agent.OrgID, c) })
	older := c
	older.RecentResumes, older.EmptyStreams = nil, 0
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, older) })
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
	c.TokenUntil = expires
	same(t, err, found, c)
	c.TokenUntil = time.Time{}
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

// callOwners: what the processes of a server know of each other's calls.
func callOwners(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c, ringing := Call(t, st, agent), Call(t, st, agent)
	c.State, c.Owner, c.StreamSID = parley.CallLive, "p1", "MZ1"
	update := func() {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateCall(ctx, agent.OrgID, c) })
	}
	over := func(at time.Time) []parley.Call {
		t.Helper()
		list, err := st.ListOverCalls(t.Context(), at, 10)
		same(t, err, nil, nil)
		return list
	}
	update()
	live, err := st.ListLiveCalls(t.Context(), "p1", 10)
	same(t, err, live, []parley.Call{c})
	live, err = st.ListLiveCalls(t.Context(), "p2", 10)
	same(t, err, live, []parley.Call{})

	at := Now()
	for i, id := range []string{c.ID, c.ID, ringing.ID} {
		reason := []string{parley.EndCallerHangup, parley.EndNotAnswered, parley.EndNotAnswered}[i]
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.MarkCallOver(ctx, agent.OrgID, id, reason, at.Add(time.Duration(i)*time.Second))
		})
	}
	c.OverReason = parley.EndCallerHangup
	same(t, nil, over(at.Add(time.Minute)), []parley.Call{c})
	same(t, nil, over(at), []parley.Call{})
	update() // what the owner commits meanwhile takes nothing back
	same(t, nil, len(over(at.Add(time.Minute))), 1)
	c.State = parley.CallDetached
	update()
	same(t, nil, over(at.Add(time.Minute)), []parley.Call{})

	seen := c
	touch := func(c parley.Call) (mine bool) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			mine, err = tx.TouchCall(ctx, agent.OrgID, c, at.Add(time.Hour))
			return err
		})
		return mine
	}
	same(t, nil, []bool{touch(seen), touch(seen)}, []bool{true, false})
	got, err := st.FindCall(t.Context(), agent.OrgID, c.ID)
	c.OverReason, c.Rescues, c.UpdatedAt = "", 1, at.Add(time.Hour)
	same(t, err, got, c)
}

func processes(t *testing.T, st *store.Store) {
	beat := func(id string, draining bool) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.BeatProcess(ctx, id, draining) })
	}
	remove := func(id string, n int64) (gone bool) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			gone, err = tx.DeleteProcess(ctx, id, n)
			return err
		})
		return gone
	}
	want := func(want ...store.Process) {
		t.Helper()
		all, err := st.ListProcesses(t.Context())
		same(t, err, all, want)
	}
	beat("a", false)
	beat("b", false)
	beat("b", true)
	want(store.Process{ID: "a", Beat: 1}, store.Process{ID: "b", Beat: 2, Draining: true})
	same(t, nil, []bool{remove("b", 1), remove("b", 2), remove("b", 2), remove("a", 0)}, []bool{false, true, false, true})
	beat("b", false)
	want(store.Process{ID: "b", Beat: 1})
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
