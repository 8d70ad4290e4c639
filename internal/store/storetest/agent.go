package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

func agents(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	voice, chat := NewAgent(org.ID, parley.AgentVoice), NewAgent(org.ID, parley.AgentChat)
	language, limit := "fi", 7
	voice.Voice.Language, voice.Voice.Speed, voice.PhoneNumbers = &language, 1.25, []string{"+15550100001", "+15550100002"}
	chat.Chat.DailyMessageLimit, chat.Chat.AllowedDomains, chat.ToolIDs = &limit, []string{"example.com"}, []string{"b", "a"}
	for _, a := range []parley.Agent{voice, chat} {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, org.ID, a) })
		got, err := st.FindAgent(t.Context(), org.ID, a.ID)
		same(t, err, got, a)
		orgID, err := st.FindAgentOrganization(t.Context(), a.ID)
		same(t, err, orgID, org.ID)
	}
	err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, org.ID, voice) })
	wantCode(t, "same agent again", err, parley.CodeConflict)

	changed := voice
	config := *voice.Voice
	config.Greeting, config.Language = "Hei", nil
	changed.Voice, changed.Name, changed.Status, changed.Model = &config, "Ödön", parley.AgentInactive, "m"
	changed.Instructions, changed.ToolIDs, changed.PhoneNumbers = "new", []string{}, []string{"+15550100002", "+15550100003"}
	changed.UpdatedAt = voice.UpdatedAt.Add(time.Second)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		if _, err := tx.FindAgent(ctx, org.ID, voice.ID); err != nil {
			return err
		}
		return tx.UpdateAgent(ctx, org.ID, changed)
	})
	got, err := st.FindAgent(t.Context(), org.ID, voice.ID)
	changed.Revision = 2
	same(t, err, got, changed)

	remove := func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, org.ID, voice.ID, Now()) })
	}
	conv := Conversation(t, st, changed)
	same(t, remove(), nil, nil)
	wantCode(t, "deleting again", remove(), parley.CodeNotFound)
	_, err = st.FindAgent(t.Context(), org.ID, voice.ID)
	wantCode(t, "finding a deleted agent", err, parley.CodeNotFound)
	_, err = st.FindAgentOrganization(t.Context(), voice.ID)
	wantCode(t, "dialing a deleted agent", err, parley.CodeNotFound)
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateAgent(ctx, org.ID, changed) })
	wantCode(t, "updating a deleted agent", err, parley.CodeNotFound)
	stays, err := st.FindConversation(t.Context(), org.ID, conv.ID)
	same(t, err, stays.AgentName, changed.Name)
	number, err := st.FindPhoneNumber(t.Context(), "+15550100003")
	same(t, err, number.AgentID, "")

	deleted, err := st.FindDeletedAgent(t.Context(), org.ID, voice.ID)
	same(t, err, []any{deleted.Name, deleted.Status, deleted.DeletedAt != nil}, []any{changed.Name, changed.Status, true})

	var back parley.Agent
	restore := func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			back, err = tx.RestoreAgent(ctx, org.ID, voice.ID, Now())
			return err
		})
	}
	same(t, restore(), nil, nil)
	same(t, nil, []any{back.Status, back.DeletedAt == nil, back.PhoneNumbers, back.Revision}, []any{parley.AgentInactive, true, []string{}, int64(4)})
	wantCode(t, "restoring again", restore(), parley.CodeConflict)
	_, err = st.FindDeletedAgent(t.Context(), org.ID, voice.ID)
	wantCode(t, "finding it among the deleted", err, parley.CodeNotFound)
}

func agentLists(t *testing.T, st *store.Store) {
	org, base := Organization(t, st), Now()
	Agent(t, st, Organization(t, st).ID, parley.AgentVoice) // another tenant's
	// Two share a creation time, so that ties count. Sorted by name: Zebra < straße < ärger < Émile by code
	// point after folding.
	names := []string{"Zebra", "STRASSE 7", "Ärger", "100%_\\x", "émile"}
	ids := sortedIDs(len(names))
	for i, name := range names {
		a := NewAgent(org.ID, parley.AgentVoice)
		if i%2 == 1 {
			a = NewAgent(org.ID, parley.AgentChat)
			a.Status = parley.AgentInactive
		} else {
			a.PhoneNumbers = []string{fmt.Sprintf("+1555010%d", i)}
		}
		a.ID, a.Name = ids[i], name
		a.CreatedAt = base.Add(time.Duration(i/2) * time.Second)
		a.UpdatedAt = base.Add(-time.Duration(i) * time.Second)
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, org.ID, a) })
	}
	deleted := Agent(t, st, org.ID, parley.AgentVoice)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteAgent(ctx, org.ID, deleted.ID, Now()) })

	for _, c := range []struct {
		name  string
		f     parley.AgentFilter
		want  []int
		total int
	}{
		{"newest first", parley.AgentFilter{}, []int{4, 3, 2, 1, 0}, 5},
		{"oldest first", parley.AgentFilter{Sort: "createdAt", Ascending: true}, []int{0, 1, 2, 3, 4}, 5},
		{"updated", parley.AgentFilter{Sort: "updatedAt"}, []int{0, 1, 2, 3, 4}, 5},
		{"name", parley.AgentFilter{Sort: "name", Ascending: true}, []int{3, 1, 0, 2, 4}, 5},
		{"page", parley.AgentFilter{Limit: 2, Offset: 1}, []int{3, 2}, 5},
		{"beyond the end", parley.AgentFilter{Limit: 2, Offset: 9}, []int{}, 5},
		{"type", parley.AgentFilter{Type: parley.AgentChat}, []int{3, 1}, 2},
		{"status", parley.AgentFilter{Status: parley.AgentActive, Limit: 1}, []int{4}, 3},
		{"folded search", parley.AgentFilter{Search: "straße"}, []int{1}, 1},
		{"folded search beyond ASCII", parley.AgentFilter{Search: "ÉMIL"}, []int{4}, 1},
		{"literal search", parley.AgentFilter{Search: "%_\\"}, []int{3}, 1},
		{"no wildcard", parley.AgentFilter{Search: "z%a"}, []int{}, 0},
		{"nothing", parley.AgentFilter{Search: "nobody"}, []int{}, 0},
	} {
		page, err := st.ListAgents(t.Context(), org.ID, c.f)
		got := []string{}
		for _, a := range page.Agents {
			got = append(got, a.Name)
			if a.Type == parley.AgentVoice && len(a.PhoneNumbers) != 1 {
				t.Errorf("%s: %s has numbers %q", c.name, a.Name, a.PhoneNumbers)
			}
		}
		want := []string{}
		for _, i := range c.want {
			want = append(want, names[i])
		}
		if err != nil || page.Total != c.total || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %q of %d (%v), want %q of %d", c.name, got, page.Total, err, want, c.total)
		}
	}
	all, err := st.ListAgents(t.Context(), org.ID, parley.AgentFilter{IncludeDeleted: true, Search: "ada"})
	if err != nil || all.Total != 1 || all.Agents[0].ID != deleted.ID || all.Agents[0].DeletedAt == nil {
		t.Errorf("with deleted: %+v, %v", all, err)
	}
}

// undoneAgents checks that an agent whose creation or renaming was rolled back is neither counted nor found.
func undoneAgents(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	kept, undone := NewAgent(org.ID, parley.AgentChat), NewAgent(org.ID, parley.AgentChat)
	kept.Name, undone.Name = "Kept", "Undone"
	failure := errors.New("failed on purpose")
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateAgent(ctx, org.ID, kept); err != nil {
			return err
		}
		renamed := kept
		renamed.Name = "Renamed"
		err := tx.Savepoint(ctx, func() error {
			return errors.Join(tx.CreateAgent(ctx, org.ID, undone), tx.UpdateAgent(ctx, org.ID, renamed), failure)
		})
		if !errors.Is(err, failure) {
			return err
		}
		return nil
	})
	for search, want := range map[string]int{"kept": 1, "ept": 1, "undone": 0, "renamed": 0, "": 1} {
		page, err := st.ListAgents(t.Context(), org.ID, parley.AgentFilter{Search: search})
		same(t, err, page.Total, want)
	}
}

func phoneNumbers(t *testing.T, st *store.Store) {
	const number = "+15550100009"
	org, other := Organization(t, st), Organization(t, st)
	_, err := st.FindPhoneNumber(t.Context(), number)
	wantCode(t, "unknown number", err, parley.CodeNotFound)
	holder := Agent(t, st, org.ID, parley.AgentVoice, number)
	found, err := st.FindPhoneNumber(t.Context(), number)
	same(t, err, []string{found.OrgID, found.Number, found.AgentID}, []string{org.ID, number, holder.ID})

	take := func(orgID string) error {
		a := NewAgent(orgID, parley.AgentVoice)
		a.PhoneNumbers = []string{number}
		err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, orgID, a) })
		if err != nil {
			_, lost := st.FindAgent(t.Context(), orgID, a.ID)
			wantCode(t, "agent of a failed create", lost, parley.CodeNotFound)
		}
		return err
	}
	same2, foreign := take(org.ID), take(other.ID)
	wantCode(t, "number of another agent", same2, parley.CodeConflict)
	wantCode(t, "number of another organization", foreign, parley.CodeConflict)
	if same2 != nil && foreign != nil && same2.Error() != foreign.Error() {
		t.Errorf("the texts tell organizations apart: %q, %q", same2, foreign)
	}
	holder.PhoneNumbers = []string{}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateAgent(ctx, org.ID, holder) })
	wantCode(t, "released number of another organization", take(other.ID), parley.CodeConflict)
	wantCode(t, "released number of the same organization", take(org.ID), "")
}
