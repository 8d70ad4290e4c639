package auth_test

import (
	"context"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestKeyFormat(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		k := auth.NewKey()
		if len(k) != 57 || !strings.HasPrefix(k, "pk_live_") || !auth.WellFormed(k) || seen[k] {
			t.Fatalf("key %q", k)
		}
		seen[k] = true
		changed := []byte(k)
		changed[20] ^= 1
		if auth.WellFormed(string(changed)) {
			t.Fatalf("key with a changed character passes its checksum: %q", changed)
		}
	}
	if got := hex.EncodeToString(auth.HashKey("abc")); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("HashKey(abc) = %s, want SHA-256 (FIPS 180-2 example)", got)
	}
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// makeKey stores a key with the given text.
func makeKey(t *testing.T, st *store.Store, orgID, text string, change func(*parley.APIKey)) parley.APIKey {
	t.Helper()
	k := auth.Describe(orgID, "test", text, []string{parley.ScopeAgentsRead}, time.Now())
	if change != nil {
		change(&k)
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		return tx.CreateAPIKey(ctx, orgID, k, auth.HashKey(text))
	})
	return k
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		org := storetest.Organization(t, st)
		good, expired, revoked := auth.NewKey(), auth.NewKey(), auth.NewKey()
		plain := "any!printable~text-of-24+"
		odd := "pk_live_" + strings.Repeat("a", 49) // a bootstrap key that looks like ours, with a wrong checksum
		makeKey(t, st, org.ID, good, nil)
		makeKey(t, st, org.ID, plain, nil)
		makeKey(t, st, org.ID, odd, nil)
		past := time.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
		makeKey(t, st, org.ID, expired, func(k *parley.APIKey) { k.ExpiresAt = &past })
		gone := makeKey(t, st, org.ID, revoked, nil)
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			return tx.RevokeAPIKey(ctx, org.ID, gone.ID, time.Now())
		})
		a := auth.New(st, slog.New(slog.DiscardHandler), 600)
		defer a.Close()

		cases := map[string]struct {
			header http.Header
			ok     bool
		}{
			"x-api-key":             {header("X-Api-Key", good), true},
			"bearer":                {header("Authorization", "Bearer "+good), true},
			"bearer, lower case":    {header("Authorization", "bearer "+good), true},
			"both, the same":        {header("X-Api-Key", good, "Authorization", "Bearer "+good), true},
			"both, different":       {header("X-Api-Key", good, "Authorization", "Bearer "+plain), false},
			"twice":                 {header("X-Api-Key", good, "X-Api-Key", plain), false},
			"bootstrap":             {header("X-Api-Key", plain), true},
			"bootstrap, our prefix": {header("X-Api-Key", odd), true},
			"none":                  {header(), false},
			"empty":                 {header("X-Api-Key", ""), false},
			"basic":                 {header("Authorization", "Basic "+good), false},
			"unknown":               {header("X-Api-Key", auth.NewKey()), false},
			"malformed":             {header("X-Api-Key", good[:40]), false},
			"not printable":         {header("X-Api-Key", "a\x01b"), false},
			"too long":              {header("X-Api-Key", strings.Repeat("x", 10_000)), false},
			"expired":               {header("X-Api-Key", expired), false},
			"revoked":               {header("X-Api-Key", revoked), false},
		}
		answers := map[string]bool{}
		for name, c := range cases {
			p, err := a.Authenticate(t.Context(), c.header)
			if c.ok && (err != nil || p.OrgID != org.ID || !p.Can(parley.ScopeAgentsRead) || p.Can(parley.ScopeChat)) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			if !c.ok {
				if parley.ErrorCode(err) != parley.CodeUnauthorized || p.OrgID != "" {
					t.Errorf("%s: %+v, %v, want unauthorized", name, p, err)
				}
				answers[err.Error()] = true
			}
		}
		if len(answers) != 1 {
			t.Errorf("refusals differ: %v", answers)
		}
	})
}

func TestUseIsNotedOffThePath(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	org := storetest.Organization(t, st)
	text := auth.NewKey()
	makeKey(t, st, org.ID, text, nil)
	a := auth.New(st, slog.New(slog.DiscardHandler), 600)
	defer a.Close()
	if _, err := a.Authenticate(t.Context(), header("X-Api-Key", text)); err != nil {
		t.Fatal(err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		keys, _, err := st.ListAPIKeys(deadline, org.ID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if keys[0].LastUsedAt != nil {
			return
		}
		<-tick.C
	}
}

func TestAllowNamesTheScope(t *testing.T) {
	t.Parallel()
	p := parley.Principal{Scopes: []string{parley.ScopeChat}}
	if err := auth.Allow(p, parley.ScopeChat); err != nil {
		t.Error(err)
	}
	if err := auth.Allow(p, parley.ScopeCalls); parley.ErrorCode(err) != parley.CodeForbidden || !strings.Contains(err.Error(), "calls") {
		t.Errorf("Allow = %v", err)
	}
	if err := auth.Allow(parley.Principal{Scopes: []string{parley.ScopeAll}}, parley.ScopeCalls); err != nil {
		t.Error(err)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
