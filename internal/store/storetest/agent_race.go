package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"parley"
	"parley/internal/store"
)

// lostUpdate changes one agent in many transactions at once: the agent's own columns, and its numbers, which
// are rows of another table and must be read after the agent's lock is held.
func lostUpdate(t *testing.T, st *store.Store) {
	agent := Agent(t, st, Organization(t, st).ID, parley.AgentVoice)
	const writers = 20
	var next atomic.Int64
	race(writers, func() error {
		number := fmt.Sprintf("+1555010%04d", next.Add(1))
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			a, err := tx.FindAgent(ctx, agent.OrgID, agent.ID)
			if err != nil {
				return err
			}
			a.Instructions += "x"
			a.PhoneNumbers = append(a.PhoneNumbers, number)
			return tx.UpdateAgent(ctx, agent.OrgID, a)
		})
	}, func(err error) { t.Error(err) })
	got, err := st.FindAgent(t.Context(), agent.OrgID, agent.ID)
	same(t, err, []int{len(got.Instructions) - len(agent.Instructions), len(got.PhoneNumbers), int(got.Revision)},
		[]int{writers, writers, writers + 1})
}

// countersUnderLoad creates, changes and deletes agents of one organization at once; the totals of lists stay
// exact and no transaction is lost to a deadlock.
func countersUnderLoad(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	shared := Agent(t, st, org.ID, parley.AgentChat)
	const writers = 16
	var next atomic.Int64
	race(writers, func() error {
		n := next.Add(1)
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			own := NewAgent(org.ID, parley.AgentVoice)
			if err := tx.CreateAgent(ctx, org.ID, own); err != nil {
				return err
			}
			a, err := tx.FindAgent(ctx, org.ID, shared.ID)
			if err != nil {
				return err
			}
			a.Status = []parley.AgentStatus{parley.AgentActive, parley.AgentInactive, parley.AgentTraining}[n%3]
			if err := tx.UpdateAgent(ctx, org.ID, a); err != nil || n%4 != 0 {
				return err
			}
			return tx.DeleteAgent(ctx, org.ID, own.ID, Now())
		})
	}, func(err error) { t.Error(err) })
	final, err := st.FindAgent(t.Context(), org.ID, shared.ID)
	same(t, err, final.Revision, int64(writers+1))
	for f, want := range map[parley.AgentFilter]int{
		{}: writers - writers/4 + 1, {IncludeDeleted: true}: writers + 1, {Type: parley.AgentVoice}: writers - writers/4,
		{Type: parley.AgentChat}: 1, {Type: parley.AgentChat, Status: final.Status}: 1,
		{Type: parley.AgentVoice, Status: parley.AgentTraining, IncludeDeleted: true}: 0,
	} {
		page, err := st.ListAgents(t.Context(), org.ID, f)
		same(t, err, []int{page.Total, len(page.Agents)}, []int{want, want})
	}
}
