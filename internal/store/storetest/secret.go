package storetest

import (
	"context"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
)

func secrets(t *testing.T, st *store.Store) {
	org, other := Organization(t, st), Organization(t, st)
	at := Now()
	put := func(orgID, name, value string) (v parley.Secret, created bool) {
		Write(t, st, func(ctx context.Context, tx *store.Tx) (err error) {
			v, created, err = tx.PutSecret(ctx, orgID, name, []byte(value), at)
			return err
		})
		return v, created
	}
	if any, err := st.HasSealed(t.Context()); any || err != nil {
		t.Errorf("sealed before: %v, %v", any, err)
	}
	first, created := put(org.ID, "b", "1")
	same(t, nil, created, true)
	same(t, nil, first, parley.Secret{OrgID: org.ID, Name: "b", CreatedAt: at, UpdatedAt: at})
	at = at.Add(time.Second)
	second, created := put(org.ID, "b", "2")
	same(t, nil, created, false)
	first.UpdatedAt = at
	same(t, nil, second, first)
	put(org.ID, "B", "3")
	put(org.ID, "a_", "4")
	put(other.ID, "b", "5")
	if any, err := st.HasSealed(t.Context()); !any || err != nil {
		t.Errorf("sealed: %v, %v", any, err)
	}
	list, err := st.ListSecrets(t.Context(), org.ID)
	same(t, err, len(list), 3)
	same(t, nil, []string{list[0].Name, list[1].Name, list[2].Name}, []string{"B", "a_", "b"}) // by code point
	found, err := st.FindSecret(t.Context(), org.ID, "b")
	same(t, err, found, second)
	values, err := st.LoadSecrets(t.Context(), org.ID, []string{"b", "B", "none"})
	same(t, err, values, map[string][]byte{"b": []byte("2"), "B": []byte("3")})
	remove := func() error {
		return TryWrite(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.DeleteSecret(ctx, org.ID, "b") })
	}
	same(t, remove(), nil, nil)
	wantCode(t, "deleted secret", remove(), parley.CodeNotFound)
	values, err = st.LoadSecrets(t.Context(), other.ID, []string{"b"})
	same(t, err, values, map[string][]byte{"b": []byte("5")})
}

// ownersSecret is the name of a secret, for the attempts of an intruder.
const ownersSecret = "SHOP"

func putSecret(ctx context.Context, tx *store.Tx, orgID, value string) error {
	_, _, err := tx.PutSecret(ctx, orgID, ownersSecret, []byte(value), Now())
	return err
}
