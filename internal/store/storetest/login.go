package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

// logins: a login is found by its hash with its key as it is now, until it expires or is ended; of many, the newest
// ones stay.
func logins(t *testing.T, st *store.Store) {
	org, now := Organization(t, st), Now()
	key := parley.APIKey{ID: parley.NewID(), Name: "Laptop", Scopes: []string{parley.ScopeAgentsRead}, CreatedAt: now}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAPIKey(ctx, org.ID, key, []byte("key")) })
	begin := func(hash string, at time.Time, life time.Duration) {
		t.Helper()
		Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.CreateLogin(ctx, org.ID, store.Login{Hash: []byte(hash), KeyID: key.ID, CreatedAt: at, ExpiresAt: at.Add(life)})
		})
	}
	lives := func(hash string, at time.Time) bool {
		t.Helper()
		k, o, err := st.FindLoginHolder(t.Context(), []byte(hash), at)
		if err == nil && (k.ID != key.ID || k.OrgID != org.ID || len(k.Scopes) != 1 || o.ID != org.ID) {
			t.Errorf("%s belongs to %+v of %+v", hash, k, o)
		}
		if err != nil && !parley.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	begin("first", now, time.Hour)
	if !lives("first", now) || !lives("first", now.Add(time.Hour-time.Microsecond)) || lives("first", now.Add(time.Hour)) || lives("none", now) {
		t.Error("a login lives for its time, and no other does")
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.RevokeAPIKey(ctx, org.ID, key.ID, now) })
	if k, _, err := st.FindLoginHolder(t.Context(), []byte("first"), now); err != nil || k.Live(now) {
		t.Errorf("the key of a login is %+v, %v, want as it is now: revoked", k, err)
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteLogin(ctx, org.ID, []byte("first")) })
	if lives("first", now) {
		t.Error("a login that was ended lives")
	}
	begin("short", now, time.Second)
	for i := range 25 {
		begin(fmt.Sprint(i), now.Add(time.Duration(i+2)*time.Second), time.Hour)
	}
	for hash, want := range map[string]bool{"short": false, "0": false, "4": false, "5": true, "24": true} {
		if lives(hash, now) != want {
			t.Errorf("of many logins, %s lives: %v", hash, !want)
		}
	}
}
