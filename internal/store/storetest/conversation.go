package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

func conversations(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c := Conversation(t, st, agent)
	got, err := st.FindConversation(t.Context(), agent.OrgID, c.ID)
	same(t, err, got, c)
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateConversation(ctx, agent.OrgID, c) })
	wantCode(t, "same conversation again", err, parley.CodeConflict)

	ended := Now()
	c.Status, c.EndedAt, c.EndReason, c.Simulated = parley.ConversationFailed, &ended, parley.EndCarrierLost, true
	c.Metadata = json.RawMessage(`{"a": [1, "x"]}`)
	c.Summary = &parley.Summary{MessageCount: 3, Cost: 42, Prices: "p", Usage: parley.Usage{TotalTokens: 9, TranscriptionSeconds: 1.5}, Latency: parley.Latency{Turns: 1, P50Ms: 2}}
	changed := c
	changed.Epoch, changed.LastSeq, changed.AgentName = 99, 99, "not written"
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateConversation(ctx, agent.OrgID, changed) })
	got, err = st.FindConversation(t.Context(), agent.OrgID, c.ID)
	same(t, err, got, c)
}

func conversationLists(t *testing.T, st *store.Store) {
	org, base := Organization(t, st), Now()
	ada, bob := Agent(t, st, org.ID, parley.AgentVoice), Agent(t, st, org.ID, parley.AgentChat)
	Conversation(t, st, Agent(t, st, Organization(t, st).ID, parley.AgentVoice)) // another tenant's
	ids := sortedIDs(4)
	for i := range ids {
		c := parley.Conversation{ID: ids[i], AgentID: ada.ID, AgentName: "Ädelgard 50%", Channel: parley.ChannelPhone,
			Status: parley.ConversationActive, Direction: "inbound", From: "+15550100001", To: "+15550100002",
			StartedAt: base.Add(time.Duration(i/2) * time.Second)}
		if i == 3 {
			c.AgentID, c.AgentName, c.Channel, c.Status, c.From, c.To = bob.ID, "Bob", parley.ChannelChat, parley.ConversationCompleted, "", ""
		}
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateConversation(ctx, org.ID, c) })
	}
	for _, c := range []struct {
		name  string
		f     parley.ConversationFilter
		want  []int
		total int
	}{
		{"newest first", parley.ConversationFilter{}, []int{3, 2, 1, 0}, 4},
		{"page", parley.ConversationFilter{Limit: 2, Offset: 1}, []int{2, 1}, 4},
		{"agent", parley.ConversationFilter{AgentID: ada.ID}, []int{2, 1, 0}, 3},
		{"channel", parley.ConversationFilter{Channel: parley.ChannelChat}, []int{3}, 1},
		{"status", parley.ConversationFilter{Status: parley.ConversationActive, Limit: 1}, []int{2}, 3},
		{"after", parley.ConversationFilter{StartedAfter: base}, []int{3, 2}, 2},
		{"before", parley.ConversationFilter{StartedBefore: base.Add(time.Second)}, []int{1, 0}, 2},
		{"agent name", parley.ConversationFilter{Search: "ÄDEL"}, []int{2, 1, 0}, 3},
		{"number", parley.ConversationFilter{Search: "0100002"}, []int{2, 1, 0}, 3},
		{"literal", parley.ConversationFilter{Search: "0%"}, []int{2, 1, 0}, 3},
		{"no wildcard", parley.ConversationFilter{Search: "%b"}, []int{}, 0},
	} {
		list, total, err := st.ListConversations(t.Context(), org.ID, c.f)
		got, want := []string{}, []string{}
		for _, conv := range list {
			got = append(got, conv.ID)
		}
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		if err != nil || total != c.total || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q of %d (%v), want %q of %d", c.name, got, total, err, want, c.total)
		}
	}
}

// sortedIDs returns n ids in ascending order: those of one millisecond are made in any order.
func sortedIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = parley.NewID()
	}
	slices.Sort(ids)
	return ids
}

// numbered returns events with sequence numbers from first.
func numbered(first int64, n int) []parley.Event {
	list := make([]parley.Event, n)
	for i := range list {
		list[i] = parley.NewEvent(parley.EventDTMF, Now(), parley.DTMFData{Digit: fmt.Sprint(i)})
		list[i].Seq = first + int64(i)
	}
	return list
}

func events(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c := Conversation(t, st, agent)
	add := func(events []parley.Event) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.AppendEvents(ctx, agent.OrgID, c.ID, 0, events)
		})
	}
	all := numbered(1, 200) // several INSERTs
	same(t, add(nil), nil, nil)
	same(t, add(all[:150]), nil, nil)
	same(t, add(all[150:]), nil, nil)
	got, err := st.ListEvents(t.Context(), agent.OrgID, c.ID, 0, 0)
	same(t, err, got, all)
	got, err = st.ListEvents(t.Context(), agent.OrgID, c.ID, 10, 5)
	same(t, err, got, all[10:15])
	got, err = st.ListEvents(t.Context(), agent.OrgID, c.ID, 200, 5)
	same(t, err, got, []parley.Event{})
	hole := numbered(201, 3)
	hole[2].Seq = 205
	if err := add(hole); err == nil || errors.Is(err, store.ErrFenced) {
		t.Errorf("a hole inside the append: %v", err)
	}
	epoch, last, err := st.FindPosition(t.Context(), agent.OrgID, c.ID)
	same(t, err, []int64{epoch, last}, []int64{0, 200})
}

func epochs(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	c := Conversation(t, st, agent)
	add := func(epoch, seq int64) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.AppendEvents(ctx, agent.OrgID, c.ID, epoch, numbered(seq, 2))
		})
	}
	raise := func() (epoch, last int64) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			epoch, last, err = tx.RaiseEpoch(ctx, agent.OrgID, c.ID)
			return err
		})
		return epoch, last
	}
	same(t, add(0, 1), nil, nil)
	epoch, last := raise()
	same(t, nil, []int64{epoch, last}, []int64{1, 2})
	for name, err := range map[string]error{
		"older epoch": add(0, 3), "epoch to come": add(2, 3), "overlap": add(1, 2), "gap": add(1, 4),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s: %v, want ErrFenced", name, err)
		}
	}
	same(t, add(1, 3), nil, nil)
	got, err := st.ListEvents(t.Context(), agent.OrgID, c.ID, 0, 0)
	same(t, err, len(got), 4)

	// Every taker gets an epoch of its own.
	var mu sync.Mutex
	taken := map[int64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			epoch, _ := raise()
			mu.Lock()
			defer mu.Unlock()
			taken[epoch] = true
		})
	}
	wg.Wait()
	same(t, nil, len(taken), 8)
}

func runs(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	c, at := Conversation(t, st, agent), Now()
	run := store.Run{ID: parley.NewID(), OrgID: agent.OrgID, ConversationID: c.ID, Owner: "p1", Attempt: 1, Status: store.RunRunning, LeaseUntil: at.Add(time.Minute),
		StartedAt: at, AfterSeq: 3, MessageSeq: 5, Replaces: "r", ClientScope: "visitor", ClientMessageID: "m1"}
	create := func(r store.Run) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateRun(ctx, agent.OrgID, r) })
	}
	same(t, create(run), nil, nil)
	got, err := st.FindRun(t.Context(), agent.OrgID, run.ID)
	same(t, err, got, run)
	got, err = st.FindClientRun(t.Context(), agent.OrgID, "visitor", "m1")
	same(t, err, got, run)
	second := run
	second.ID, second.ClientMessageID, second.AfterSeq = parley.NewID(), "m2", 6
	wantCode(t, "second run", create(second), parley.CodeConflict)

	renew := func(r store.Run, until time.Time) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.RenewRun(ctx, agent.OrgID, r, until) })
	}
	same(t, renew(run, at.Add(2*time.Minute)), nil, nil)
	other := run
	other.Owner = "p2"
	wantCode(t, "renewing for another process", renew(other, at), parley.CodeNotFound)
	got, err = st.FindRun(t.Context(), agent.OrgID, run.ID)
	same(t, err, got.LeaseUntil, at.Add(2*time.Minute))

	finish := func(id string, end store.RunEnd) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.FinishRun(ctx, agent.OrgID, id, store.RunFailed, at, end)
		})
	}
	end := store.RunEnd{MessageID: "m", ErrorType: "unavailable", ErrorText: "Sorry.", Lost: true}
	same(t, finish(run.ID, end), nil, nil)
	got, err = st.FindRun(t.Context(), agent.OrgID, run.ID)
	same(t, err, []any{got.Status, got.EndedAt, got.RunEnd}, []any{store.RunFailed, &at, end})
	wantCode(t, "finishing twice", finish(run.ID, end), parley.CodeNotFound)
	wantCode(t, "renewing what is over", renew(run, at), parley.CodeNotFound)
	same(t, create(second), nil, nil)
	newest, err := st.FindNewestRun(t.Context(), agent.OrgID, c.ID)
	same(t, err, newest.ID, second.ID)
	again := run
	again.ID = parley.NewID()
	wantCode(t, "a client's id again", create(again), parley.CodeConflict)
}

// lostRuns: the runs of a dead process are found, and taken over by one other.
func lostRuns(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	now := Now()
	var all []store.Run
	for i := range 3 {
		r := store.Run{ID: parley.NewID(), OrgID: agent.OrgID, ConversationID: Conversation(t, st, agent).ID, Owner: "dead", Attempt: 1, Status: store.RunRunning,
			StartedAt: now, LeaseUntil: now.Add(time.Hour)}
		if i == 0 {
			r.Owner = "alive"
		}
		all = append(all, r)
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateRun(ctx, agent.OrgID, r) })
	}
	expired := func() int {
		found, err := st.ListExpiredRuns(t.Context(), time.Now(), 10)
		same(t, err, nil, nil)
		return len(found)
	}
	same(t, nil, expired(), 0)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.ExpireRuns(ctx, "dead")
		same(t, err, n, int64(2))
		return err
	})
	same(t, nil, expired(), 2)
	adopt := func(id string) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.AdoptRun(ctx, agent.OrgID, id, "heir", now.Add(time.Hour))
		})
	}
	wantCode(t, "adopting a run that is held", adopt(all[0].ID), parley.CodeNotFound)
	won := race(4, func() error { return adopt(all[1].ID) }, func(err error) { wantCode(t, "late heir", err, parley.CodeNotFound) })
	same(t, nil, won, 1)
	got, err := st.FindRun(t.Context(), agent.OrgID, all[1].ID)
	same(t, err, []any{got.Owner, got.Attempt}, []any{"heir", 2})

	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.StopRun(ctx, agent.OrgID, all[1].ID) })
	ids, err := st.ListStoppedRuns(t.Context(), "heir")
	same(t, err, ids, []string{all[1].ID})
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExpireRuns(ctx, "")
		return err
	})
	same(t, nil, expired(), 3)
}

// chunks: only the owner adds to a run, each chunk once, and they go some time after its end.
func chunks(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	run := store.Run{ID: parley.NewID(), OrgID: agent.OrgID, ConversationID: Conversation(t, st, agent).ID, Owner: "p", Attempt: 1, Status: store.RunRunning, LeaseUntil: Now()}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateRun(ctx, agent.OrgID, run) })
	add := func(run store.Run, chunks ...store.Chunk) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.AppendChunks(ctx, agent.OrgID, run, chunks) })
	}
	first, second := store.Chunk{Seq: 1, Text: "Wörd"}, store.Chunk{Seq: 2, Text: "s", Type: "tool.started", Data: `{"id":"a"}`}
	add(run, first, second)
	add(run, store.Chunk{Seq: 2, Text: "doubled"})
	stranger := run
	stranger.Attempt = 2
	add(stranger, store.Chunk{Seq: 3, Text: "fenced"})
	got, err := st.ListChunks(t.Context(), agent.OrgID, run.ID, 0, 0)
	same(t, err, got, []store.Chunk{first, second})
	got, err = st.ListChunks(t.Context(), agent.OrgID, run.ID, 1, 1)
	same(t, err, got, []store.Chunk{second})

	ended := Now()
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.FinishRun(ctx, agent.OrgID, run.ID, store.RunCompleted, ended, store.RunEnd{})
	})
	add(run, store.Chunk{Seq: 3, Text: "too late"})
	sweep := func(before time.Time, want int) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			n, err := tx.SweepChunks(ctx, before)
			same(t, err, n, want)
			return err
		})
	}
	sweep(ended, 0)
	got, err = st.ListChunks(t.Context(), agent.OrgID, run.ID, 0, 0)
	same(t, err, len(got), 2)
	sweep(ended.Add(time.Second), 1)
	got, err = st.ListChunks(t.Context(), agent.OrgID, run.ID, 0, 0)
	same(t, err, len(got), 0)
	sweep(ended.Add(time.Second), 0)
}

func runRace(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentChat)
	c := Conversation(t, st, agent)
	won := race(8, func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateRun(ctx, agent.OrgID, store.Run{ID: parley.NewID(), ConversationID: c.ID, Owner: "p",
				Status: store.RunRunning, LeaseUntil: Now().Add(time.Hour)})
		})
	}, func(err error) { wantCode(t, "loser", err, parley.CodeConflict) })
	same(t, nil, won, 1)
}

// race calls f n times at once, counts the winners and shows the losers' errors.
func race(n int, f func() error, lost func(error)) (won int) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			lost(err)
		}
	}
	return won
}
