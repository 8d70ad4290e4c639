package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// ownersNumber is the owner's number that an intruder is after.
func ownersNumber() parley.PhoneNumber {
	return parley.PhoneNumber{ID: "01900000-0000-7000-8000-000000000002", Number: "+15550100097", Source: parley.NumberManual, CreatedAt: Now()}
}

// newNumber returns a number that is not stored.
func newNumber(orgID, number, agentID string) parley.PhoneNumber {
	now := Now()
	return parley.PhoneNumber{ID: parley.NewID(), OrgID: orgID, Number: number, AgentID: agentID, Source: parley.NumberManual,
		Setup: parley.NumberSetup{State: parley.SetupUnknown}, CreatedAt: now, UpdatedAt: now, Revision: 1}
}

func addNumber(t *testing.T, st *store.Store, n parley.PhoneNumber) error {
	t.Helper()
	return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.AddNumber(ctx, n.OrgID, n) })
}

// changeNumber does what change asks for, as the API does.
func changeNumber(t *testing.T, st *store.Store, orgID, id, wanted string, change func(*parley.PhoneNumber)) error {
	t.Helper()
	return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		before, err := tx.HoldNumber(ctx, orgID, id, wanted)
		if err != nil {
			return err
		}
		after := before
		after.UpdatedAt = after.UpdatedAt.Add(time.Second)
		change(&after)
		return tx.UpdateNumber(ctx, orgID, before, after)
	})
}

func ownNumbers(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	voice, chat := Agent(t, st, org.ID, parley.AgentVoice), Agent(t, st, org.ID, parley.AgentChat)
	n := newNumber(org.ID, "+15550100001", "")
	n.Label, n.CarrierSID, n.Source = "Straße", "PN1", parley.NumberTwilio
	same(t, addNumber(t, st, n), 0, 0)
	got, err := st.FindNumber(t.Context(), org.ID, n.ID)
	same(t, err, got, n)

	assign := func(agent string) error {
		return changeNumber(t, st, org.ID, n.ID, agent, func(n *parley.PhoneNumber) { n.AgentID = agent })
	}
	wantCode(t, "chat agent", assign(chat.ID), parley.CodeInvalid)
	wantCode(t, "unknown agent", assign(parley.NewID()), parley.CodeNotFound)
	same(t, assign(voice.ID), 0, 0)
	got, err = st.FindNumber(t.Context(), org.ID, n.ID)
	same(t, err, []any{got.AgentID, got.AgentName, got.Revision, got.Setup.State}, []any{voice.ID, voice.Name, int64(2), parley.SetupUnknown})
	agent, err := st.FindAgent(t.Context(), org.ID, voice.ID)
	same(t, err, []any{agent.PhoneNumbers, agent.Revision}, []any{[]string{n.Number}, int64(2)})

	wantCode(t, "another agent while one has it", assign(Agent(t, st, org.ID, parley.AgentVoice).ID), parley.CodeConflict)
	at := Now()
	tried := parley.NumberSetup{State: parley.SetupConfigured, Message: "ok", At: &at}
	for revision, want := range map[int64]bool{1: false, 2: true} { // what was told of an old revision is no longer true
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			noted, err := tx.SetNumberSetup(ctx, org.ID, n.ID, revision, "", tried)
			same(t, err, noted, want)
			return nil
		})
	}
	same(t, changeNumber(t, st, org.ID, n.ID, "", func(n *parley.PhoneNumber) { n.Label = "Desk" }), 0, 0)
	got, err = st.FindNumber(t.Context(), org.ID, n.ID)
	same(t, err, []any{got.Label, got.Setup, got.CarrierSID, got.Revision}, []any{"Desk", tried, "PN1", int64(3)})
	same(t, assign(""), 0, 0)
	got, err = st.FindNumber(t.Context(), org.ID, n.ID)
	same(t, err, []any{got.AgentID, got.Setup}, []any{"", parley.NumberSetup{State: parley.SetupUnknown}})

	same(t, assign(voice.ID), 0, 0)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, org.ID, voice.ID, Now()) })
	got, err = st.FindNumber(t.Context(), org.ID, n.ID)
	same(t, err, got.AgentID, "")
	wantCode(t, "deleted agent", assign(voice.ID), parley.CodeNotFound)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		n, err := tx.HoldNumber(ctx, org.ID, n.ID, "")
		return errors.Join(err, tx.DeleteNumber(ctx, org.ID, n, Now()))
	})
	_, err = st.FindNumber(t.Context(), org.ID, n.ID)
	wantCode(t, "deleted number", err, parley.CodeNotFound)

	full := NewAgent(org.ID, parley.AgentVoice)
	for i := range parley.MaxAgentNumbers {
		full.PhoneNumbers = append(full.PhoneNumbers, fmt.Sprintf("+1555020%04d", i))
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, org.ID, full) })
	wantCode(t, "one number too many", addNumber(t, st, newNumber(org.ID, "+15550209999", full.ID)), parley.CodeConflict)
}

func numberLists(t *testing.T, st *store.Store) {
	org, other := Organization(t, st), Organization(t, st)
	agent := Agent(t, st, org.ID, parley.AgentVoice)
	var all []string
	for i := range 5 {
		n := newNumber(org.ID, fmt.Sprintf("+155501000%02d", i), "")
		n.CreatedAt = Now().Add(time.Duration(i) * time.Second)
		if i%2 == 1 {
			n.AgentID = agent.ID
		}
		if i == 3 {
			n.Label = "Straße"
		}
		same(t, addNumber(t, st, n), 0, 0)
		all = append(all, n.Number)
	}
	same(t, addNumber(t, st, newNumber(other.ID, "+15550200000", "")), 0, 0)
	for name, c := range map[string]struct {
		filter parley.NumberFilter
		want   []string
		total  int
	}{
		"all":        {parley.NumberFilter{}, all, 5},
		"page":       {parley.NumberFilter{Limit: 2, Offset: 1}, all[1:3], 5},
		"beyond":     {parley.NumberFilter{Limit: 2, Offset: 9}, nil, 5},
		"agent":      {parley.NumberFilter{AgentID: agent.ID}, []string{all[1], all[3]}, 2},
		"unassigned": {parley.NumberFilter{Unassigned: true, Search: "00000"}, all[:1], 1},
		"label":      {parley.NumberFilter{Search: "STRASSE"}, all[3:4], 1},
		"wildcard":   {parley.NumberFilter{Search: "%"}, nil, 0},
	} {
		found, total, err := st.ListNumbers(t.Context(), org.ID, c.filter)
		var got []string
		for _, n := range found {
			got = append(got, n.Number)
		}
		if err != nil || total != c.total || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v of %d, %v; want %v of %d", name, got, total, err, c.want, c.total)
		}
	}
	holders, err := st.FindNumberHolders(t.Context(), org.ID, []string{all[1], "+15550200000", "+15550300000"})
	same(t, err, len(holders), 2)
	same(t, nil, []any{holders[all[1]].AgentID, holders["+15550200000"]}, []any{agent.ID, store.NumberHolder{}})
}

// numberRace lets two organizations, in all the ways there are, claim the same number at once: exactly one gets it.
func numberRace(t *testing.T, st *store.Store) {
	a, b := Organization(t, st), Organization(t, st)
	agent := Agent(t, st, b.ID, parley.AgentVoice)
	for round := range 10 {
		number := fmt.Sprintf("+1555010%04d", round)
		claims := []func() error{
			func() error { return addNumber(t, st, newNumber(a.ID, number, "")) },
			func() error { return addNumber(t, st, newNumber(b.ID, number, agent.ID)) },
			func() error {
				own := NewAgent(a.ID, parley.AgentVoice)
				own.PhoneNumbers = []string{number}
				own.Name = "late" // with the number that its own organization may have got by hand: not for another's
				return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, a.ID, own) })
			},
		}
		if round%2 == 0 {
			claims = claims[:2]
		} else {
			claims = claims[1:]
		}
		done := make(chan error, len(claims))
		for _, claim := range claims {
			go func() { done <- claim() }()
		}
		var texts []string
		won := 0
		for range claims {
			if err := <-done; err == nil {
				won++
			} else {
				wantCode(t, "the loser", err, parley.CodeConflict)
				texts = append(texts, err.Error())
			}
		}
		if won != 1 || len(texts) != 1 || texts[0] != errInUse(number) {
			t.Errorf("%d claims of %s won, the others heard %q", won, number, texts)
		}
	}
}

func errInUse(number string) string {
	return "The phone number " + number + " is already in use. Release it from its agent first, or give another."
}

// numberAgentRace changes agents with their numbers and numbers with their agents at once: no deadlock is left to the
// caller, and in the end both sides tell the same.
func numberAgentRace(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	agents := []parley.Agent{Agent(t, st, org.ID, parley.AgentVoice), Agent(t, st, org.ID, parley.AgentVoice)}
	var numbers []parley.PhoneNumber
	for i := range 3 {
		n := newNumber(org.ID, fmt.Sprintf("+155501000%02d", i), "")
		same(t, addNumber(t, st, n), 0, 0)
		numbers = append(numbers, n)
	}
	var next atomic.Int64
	race(24, func() error {
		i := int(next.Add(1))
		agent, n := agents[i%2], numbers[i%3]
		if i%4 < 2 {
			wanted := []string{agent.ID, ""}[i%2]
			err := changeNumber(t, st, org.ID, n.ID, wanted, func(n *parley.PhoneNumber) { n.AgentID = wanted })
			if parley.IsConflict(err) {
				return nil
			}
			return err
		}
		err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			a, err := tx.FindAgent(ctx, org.ID, agent.ID)
			if err != nil {
				return err
			}
			a.PhoneNumbers = []string{n.Number}
			return tx.UpdateAgent(ctx, org.ID, a)
		})
		if parley.IsConflict(err) {
			return nil
		}
		return err
	}, func(err error) { t.Error(err) })
	for _, agent := range agents {
		a, err := st.FindAgent(t.Context(), org.ID, agent.ID)
		if err != nil {
			t.Fatal(err)
		}
		of, _, err := st.ListNumbers(t.Context(), org.ID, parley.NumberFilter{AgentID: agent.ID})
		var have []string
		for _, n := range of {
			have = append(have, n.Number)
		}
		slices.Sort(have)
		same(t, err, fmt.Sprint(have), fmt.Sprint(a.PhoneNumbers))
	}
}
