package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// NewTool returns an HTTP tool that is not stored, with columns that look sealed.
func NewTool(orgID, name string) store.SealedTool {
	return store.SealedTool{Headers: []byte{1, 0, 255}, Tool: parley.Tool{
		ID: parley.NewID(), OrgID: orgID, Name: name, FunctionName: parley.FunctionName(name), Description: "Finds an order.",
		Category: "shop", Kind: parley.ToolHTTP, Parameters: json.RawMessage(`{"type":"object"}`), Access: parley.AccessRead,
		HTTP:      &parley.HTTPTool{Method: "GET", URL: "https://shop.example.com/orders", TimeoutSeconds: 10},
		CreatedAt: Now(), UpdatedAt: Now(),
	}}
}

// ownersTool has the same id each time, for the attempts of an intruder.
func ownersTool(orgID string) store.SealedTool {
	t := NewTool(orgID, "Look up order")
	t.ID, t.UpdatedAt = "01900000-0000-7000-8000-000000000001", feedbackAt
	return t
}

func tools(t *testing.T, st *store.Store) {
	org, calls := Organization(t, st), 3
	tool := NewTool(org.ID, "Look up order")
	tool.MaxCalls, tool.Confirm, tool.HTTP.Body, tool.HTTP.ResultPath, tool.Query = &calls, true, json.RawMessage(`{"a":"{{args.a}}"}`), "/x", []byte{7}
	create := func(v store.SealedTool) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, v.OrgID, v) })
	}
	update := func(v store.SealedTool) error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.FindTool(ctx, org.ID, v.ID); err != nil {
				return err
			}
			return tx.UpdateTool(ctx, org.ID, v)
		})
	}
	same(t, create(tool), nil, nil)
	got, err := st.FindTool(t.Context(), org.ID, tool.ID)
	same(t, err, got, tool)
	sealed, err := st.HasSealed(t.Context())
	same(t, err, sealed, true)

	wantCode(t, "taken function name", create(NewTool(org.ID, "look up: order")), parley.CodeConflict)
	wantCode(t, "function name of a built-in tool", create(NewTool(org.ID, "Calculator")), parley.CodeConflict)
	wantCode(t, "function name of one to come", create(NewTool(org.ID, "End call")), parley.CodeConflict)
	same(t, create(NewTool(Organization(t, st).ID, "Look up order")), nil, nil) // names are apart
	other := NewTool(org.ID, "Cancel order")
	same(t, create(other), nil, nil)

	tool.Name, tool.FunctionName, tool.MaxCalls, tool.HTTP.Body, tool.Headers, tool.Query = "Bücher", "books", nil, nil, nil, nil
	tool.UpdatedAt = tool.UpdatedAt.Add(time.Second)
	same(t, update(tool), nil, nil)
	got, err = st.FindTool(t.Context(), org.ID, tool.ID)
	same(t, err, got, tool)
	tool.FunctionName = "cancel_order"
	wantCode(t, "renaming to a taken name", update(tool), parley.CodeConflict)

	unknown := parley.NewID()
	found, err := st.FindTools(t.Context(), org.ID, []string{other.ID, "current_time", unknown, "nope", tool.ID})
	if err != nil || len(found) != 3 || found[other.ID].HTTP.Method != "GET" || found["current_time"].Kind != parley.ToolBuiltin || found[tool.ID].Name != "Bücher" {
		t.Errorf("found %v, %v", found, err)
	}
	builtin, err := st.FindTool(t.Context(), org.ID, "calculator")
	same(t, err, builtin.Name, "Calculator")

	remove := func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteTool(ctx, org.ID, tool.ID) })
	}
	same(t, remove(), nil, nil)
	wantCode(t, "deleting again", remove(), parley.CodeNotFound)
	wantCode(t, "updating a deleted tool", update(tool), parley.CodeNotFound)
	same(t, create(NewTool(org.ID, "Books")), nil, nil) // the name is free again
}

func toolLists(t *testing.T, st *store.Store) {
	org, base := Organization(t, st), Now()
	foreign := NewTool(Organization(t, st).ID, "Foreign")
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, foreign.OrgID, foreign) })
	for i, name := range []string{"Zebra", "STRASSE", "Ärger 100%_", "Dial"} {
		tool := NewTool(org.ID, name)
		tool.ID = fmt.Sprintf("01900000-0000-7000-8000-00000000000%d", i)
		tool.CreatedAt = base.Add(time.Duration(i/2) * time.Second) // two each share a time, so that ties count
		tool.UpdatedAt = base.Add(-time.Duration(i) * time.Second)
		if i == 3 {
			tool.Category = ""
		}
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, org.ID, tool) })
	}
	for _, c := range []struct {
		name  string
		f     parley.ToolFilter
		want  string
		total int
	}{
		{"newest first", parley.ToolFilter{}, "Dial,Ärger 100%_,STRASSE,Zebra,Web Search,Transfer call,Send key tones,Remember,Recall,Leave voicemail,Knowledge search,End call,Current time,Collect input,Calculator", 15},
		{"oldest first", parley.ToolFilter{Ascending: true}, "Calculator,Collect input,Current time,End call,Knowledge search,Leave voicemail,Recall,Remember,Send key tones,Transfer call,Web Search,Zebra,STRASSE,Ärger 100%_,Dial", 15},
		{"updated", parley.ToolFilter{Sort: "updatedAt"}, "Zebra,STRASSE,Ärger 100%_,Dial,Web Search,Transfer call,Send key tones,Remember,Recall,Leave voicemail,Knowledge search,End call,Current time,Collect input,Calculator", 15},
		{"name", parley.ToolFilter{Sort: "name", Ascending: true}, "Calculator,Collect input,Current time,Dial,End call,Knowledge search,Leave voicemail,Recall,Remember,Send key tones,STRASSE,Transfer call,Web Search,Zebra,Ärger 100%_", 15},
		{"page", parley.ToolFilter{Sort: "name", Ascending: true, Limit: 2, Offset: 1}, "Collect input,Current time", 15},
		{"beyond the end", parley.ToolFilter{Limit: 2, Offset: 15}, "", 15},
		{"kind", parley.ToolFilter{Kind: parley.ToolBuiltin}, "Web Search,Transfer call,Send key tones,Remember,Recall,Leave voicemail,Knowledge search,End call,Current time,Collect input,Calculator", 11},
		{"own", parley.ToolFilter{Kind: parley.ToolHTTP, Limit: 1}, "Dial", 4},
		{"category", parley.ToolFilter{Category: "shop"}, "Ärger 100%_,STRASSE,Zebra", 3},
		{"folded search", parley.ToolFilter{Search: "straße"}, "STRASSE", 1},
		{"built-in by search", parley.ToolFilter{Search: "TIME"}, "Current time", 1},
		{"literal search", parley.ToolFilter{Search: "%_"}, "Ärger 100%_", 1},
	} {
		list, total, err := st.ListTools(t.Context(), org.ID, c.f)
		got := []string{}
		for _, tool := range list {
			got = append(got, tool.Name)
		}
		if err != nil || total != c.total || strings.Join(got, ",") != c.want {
			t.Errorf("%s: got %q of %d (%v), want %q of %d", c.name, got, total, err, c.want, c.total)
		}
	}
	fill(t, st, org.ID, parley.MaxTools-4)
	err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateTool(ctx, org.ID, NewTool(org.ID, "One more"))
	})
	wantCode(t, "one tool too many", err, parley.CodeConflict)
	all, total, err := st.ListTools(t.Context(), org.ID, parley.ToolFilter{})
	same(t, err, []int{len(all), total}, []int{parley.MaxTools + len(parley.BuiltinTools()), parley.MaxTools + len(parley.BuiltinTools())})
	ids := make([]string, len(all))
	for i, tool := range all {
		ids[i] = tool.ID
	}
	found, err := st.FindTools(t.Context(), org.ID, ids)
	same(t, err, len(found), len(ids))
}

// fill makes n tools in one transaction.
func fill(t *testing.T, st *store.Store, orgID string, n int) {
	t.Helper()
	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for i := range n {
			if err := tx.CreateTool(ctx, orgID, NewTool(orgID, fmt.Sprintf("Filler %d", i))); err != nil {
				return err
			}
		}
		return nil
	})
}

// toolRace: of two that claim a function name at once, one by a new tool and one by renaming, one wins, and the
// other is told so.
func toolRace(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	existing := NewTool(org.ID, "First")
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, org.ID, existing) })
	existing.FunctionName = "wanted"
	done := make(chan error, 2)
	go func() {
		done <- TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateTool(ctx, org.ID, NewTool(org.ID, "Wanted"))
		})
	}()
	go func() {
		done <- TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
			if _, err := tx.FindTool(ctx, org.ID, existing.ID); err != nil {
				return err
			}
			return tx.UpdateTool(ctx, org.ID, existing)
		})
	}()
	codes := []string{string(parley.ErrorCode(<-done)), string(parley.ErrorCode(<-done))}
	slices.Sort(codes)
	same(t, nil, codes, []string{"", string(parley.CodeConflict)})
}
