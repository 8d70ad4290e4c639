package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// Run is the conformance suite: what every database behind the store must do. open returns a fresh store.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	t.Helper()
	cases := []struct {
		name string
		run  func(t *testing.T, st *store.Store)
	}{
		{"organizations", organizations},
		{"credentials", credentials},
		{"settings", settings},
		{"API keys", apiKeys},
		{"logins", logins},
		{"agents", agents},
		{"agent lists", agentLists},
		{"undone agents", undoneAgents},
		{"phone numbers", phoneNumbers},
		{"phone numbers of their own", ownNumbers},
		{"lists of phone numbers", numberLists},
		{"one claim of two wins", numberRace},
		{"numbers and agents change together", numberAgentRace},
		{"tools", tools},
		{"tool lists", toolLists},
		{"one function name of two wins", toolRace},
		{"notes", notes},
		{"documents", documents},
		{"searches in documents", documentSearch},
		{"secrets", secrets},
		{"conversations", conversations},
		{"conversation lists", conversationLists},
		{"events", events},
		{"epochs", epochs},
		{"calls", calls},
		{"call owners", callOwners},
		{"processes", processes},
		{"stream tokens", streamTokens},
		{"one attach of two wins", attachRace},
		{"test calls", testCalls},
		{"runs", runs},
		{"one run of two wins", runRace},
		{"lost runs", lostRuns},
		{"chunks", chunks},
		{"page calls", pageCalls},
		{"visitor sessions", visitorSessions},
		{"visitors", visitors},
		{"identity secrets", identitySecrets},
		{"message counts", messageCounts},
		{"feedback", feedback},
		{"the sweep of visitors", visitorSweep},
		{"transactions", transactions},
		{"no lost update", lostUpdate},
		{"counters under load", countersUnderLoad},
		{"text that one database could not store", badText},
		{"tenants are apart", tenants},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

func organizations(t *testing.T, st *store.Store) {
	a, b := Organization(t, st), Organization(t, st)
	byID, err := st.FindOrganization(t.Context(), a.ID)
	same(t, err, byID, a)
	byName, err := st.FindOrganization(t.Context(), b.Name)
	same(t, err, byName, b)
	all, err := st.ListOrganizations(t.Context())
	same(t, err, all, []parley.Organization{a, b})
	_, err = st.FindOrganization(t.Context(), "nobody")
	wantCode(t, "unknown organization", err, parley.CodeNotFound)
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateOrganization(ctx, parley.Organization{ID: parley.NewID(), Name: a.Name, CreatedAt: Now()})
	})
	wantCode(t, "taken name", err, parley.CodeConflict)
}

func credentials(t *testing.T, st *store.Store) {
	org := Organization(t, st)
	none, err := st.FindCredentials(t.Context(), org.ID)
	same(t, err, none, store.SealedCredentials{})
	sealed, err := st.HasSealed(t.Context())
	same(t, err, sealed, false)
	own := store.SealedCredentials{TwilioAccountSID: "AC1", TwilioAuthToken: []byte{0, 1, 255}, OpenAIKey: []byte("k")}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetCredentials(ctx, org.ID, own) })
	got, err := st.FindCredentials(t.Context(), org.ID)
	same(t, err, got, own)
	sealed, err = st.HasSealed(t.Context())
	same(t, err, sealed, true)
}

func settings(t *testing.T, st *store.Store) {
	_, err := st.FindSetting(t.Context(), "fingerprint")
	wantCode(t, "unknown setting", err, parley.CodeNotFound)
	for _, value := range []string{"one", "two"} {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetSetting(ctx, "fingerprint", value) })
		got, err := st.FindSetting(t.Context(), "fingerprint")
		same(t, err, got, value)
	}
}

func apiKeys(t *testing.T, st *store.Store) {
	org, at := Organization(t, st), Now()
	expires := at.Add(time.Hour)
	hash := bytes.Repeat([]byte{7}, 32)
	k := parley.APIKey{ID: parley.NewID(), OrgID: org.ID, Name: "ci", Prefix: "pk_abc", Last4: "wxyz", Scopes: []string{"chat"}, CreatedAt: at, ExpiresAt: &expires}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAPIKey(ctx, org.ID, k, hash) })
	got, err := st.FindAPIKeyByHash(t.Context(), hash)
	same(t, err, got, k)
	_, err = st.FindAPIKeyByHash(t.Context(), hash[:31])
	wantCode(t, "unknown hash", err, parley.CodeNotFound)
	twin := k
	twin.ID = parley.NewID()
	err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAPIKey(ctx, org.ID, twin, hash) })
	wantCode(t, "same key again", err, parley.CodeConflict)

	touch := func(at time.Time) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.TouchAPIKey(ctx, org.ID, k.ID, at) })
	}
	touch(at)
	touch(at.Add(59 * time.Second)) // too soon to be worth a write
	got, err = st.FindAPIKeyByHash(t.Context(), hash)
	same(t, err, got.LastUsedAt, &at)
	later := at.Add(time.Minute)
	touch(later)
	got, err = st.FindAPIKeyByHash(t.Context(), hash)
	same(t, err, got.LastUsedAt, &later)

	for _, when := range []time.Time{at, later} { // the first revocation counts
		Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.RevokeAPIKey(ctx, org.ID, k.ID, when) })
	}
	list, total, err := st.ListAPIKeys(t.Context(), org.ID, 0, 0)
	if err != nil || total != 1 || len(list) != 1 || list[0].RevokedAt == nil || !list[0].RevokedAt.Equal(at) || list[0].Live(at) {
		t.Errorf("after revoking: %+v, %v", list, err)
	}
	n, err := st.CountAPIKeys(t.Context())
	same(t, err, n, 1)
}

func transactions(t *testing.T, st *store.Store) {
	ctx := t.Context()
	before := st.Stats().Commits
	err := TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.SetSetting(ctx, "half", "made"); err != nil {
			return err
		}
		if v, err := tx.FindSetting(ctx, "half"); err != nil || v != "made" {
			t.Errorf("a transaction does not see its own write: %q, %v", v, err)
		}
		return parley.Errorf(parley.CodeInvalid, "no")
	})
	wantCode(t, "failed transaction", err, parley.CodeInvalid)
	_, err = st.FindSetting(ctx, "half")
	wantCode(t, "rolled back write", err, parley.CodeNotFound)

	Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		for _, key := range []string{"kept", "undone", "kept too"} {
			err := tx.Savepoint(ctx, func() error {
				if err := tx.SetSetting(ctx, key, "x"); err != nil {
					return err
				}
				if key == "undone" {
					// a statement that fails, not only a function: PostgreSQL would refuse all that follow
					return tx.CreateAPIKey(ctx, parley.NewID(), parley.APIKey{ID: parley.NewID()}, []byte("h"))
				}
				return nil
			})
			if (err != nil) != (key == "undone") {
				t.Errorf("%s: %v", key, err)
			}
		}
		return nil
	})
	for key, code := range map[string]parley.Code{"kept": "", "undone": parley.CodeNotFound, "kept too": ""} {
		_, err := st.FindSetting(ctx, key)
		wantCode(t, key, err, code)
	}

	func() {
		defer func() { _ = recover() }()
		_ = st.Write(ctx, func(*store.Tx) error { panic("in a transaction") })
	}()
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetSetting(ctx, "after", "panic") })
	if n := st.Stats().Commits - before; n != 2 {
		t.Errorf("%d commits were counted, want 2", n)
	}
	if err := st.Ping(ctx); err != nil {
		t.Error(err)
	}
}

func badText(t *testing.T, st *store.Store) {
	for _, text := range []string{"nul\x00", "half a rune\xc3"} {
		_, err := st.FindOrganization(t.Context(), text)
		wantCode(t, "reading", err, parley.CodeInvalid)
		err = TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetSetting(ctx, "k", text) })
		wantCode(t, "writing", err, parley.CodeInvalid)
	}
	const odd = `quote ' dollar $1 ?1 percent % back\slash 漢字 🎉`
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.SetSetting(ctx, odd, odd) })
	got, err := st.FindSetting(t.Context(), odd)
	same(t, err, got, odd)
}

// same checks a result without an error.
func same(t *testing.T, err error, got, want any) {
	t.Helper()
	if err != nil {
		t.Errorf("unexpected error: %v", err)
		return
	}
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func wantCode(t *testing.T, what string, err error, code parley.Code) {
	t.Helper()
	if got := parley.ErrorCode(err); got != code {
		t.Errorf("%s: error code %q (%v), want %q", what, got, err, code)
	}
}
