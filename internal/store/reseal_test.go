package store_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestReseal reaches every sealed value with what it is bound to, and goes on where it was broken off.
func TestReseal(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		const secrets = 450 // several transactions
		agent := storetest.Agent(t, st, storetest.Organization(t, st).ID, parley.AgentChat)
		org, old := agent.OrgID, []byte("old")
		made := storetest.NewTool(org, "Look up")
		made.Headers, made.Query = old, old
		id := store.IdempotencyID{Method: "POST", Route: "/x", Key: "k"}
		storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
			for i := range secrets {
				if _, _, err := tx.PutSecret(ctx, org, fmt.Sprintf("S%d", i), old, time.Now()); err != nil {
					return err
				}
			}
			if err := tx.CreateTool(ctx, org, made); err != nil {
				return err
			}
			if err := tx.SetIdentitySecret(ctx, org, agent.ID, old); err != nil {
				return err
			}
			if _, _, err := tx.ClaimIdempotency(ctx, org, id, store.Claim{Fingerprint: []byte("f"), Sealed: true, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
				return err
			}
			if err := tx.AnswerIdempotency(ctx, org, id, old); err != nil {
				return err
			}
			return tx.SetCredentials(ctx, org, store.SealedCredentials{TwilioAuthToken: old, OpenAIKey: old})
		})
		seen := map[string]bool{}
		renew := func(aad string, sealed []byte) []byte {
			if !bytes.Equal(sealed, old) {
				return nil
			}
			seen[aad] = true
			return []byte("new")
		}
		ctx, kill := context.WithCancel(t.Context())
		first, err := st.Reseal(ctx, func(aad string, sealed []byte) []byte {
			if len(seen) == 300 {
				kill()
			}
			return renew(aad, sealed)
		})
		if err == nil || first >= secrets {
			t.Fatalf("broken off: %d, %v", first, err)
		}
		if _, err := st.Reseal(t.Context(), renew); err != nil {
			t.Fatal(err)
		}
		for _, aad := range []string{store.SecretAAD(org, "S7"), store.ToolAAD(org, "headers", made.ID), store.ToolAAD(org, "query", made.ID),
			store.IdentityAAD(org, agent.ID), store.IdempotencyAAD(org, id), store.CredentialAAD(org, store.ColumnOpenAIKey), store.CredentialAAD(org, store.ColumnTwilioToken)} {
			if !seen[aad] {
				t.Errorf("%s was not reached", aad)
			}
		}
		if n, err := st.Reseal(t.Context(), renew); n != 0 || err != nil || len(seen) != secrets+6 {
			t.Errorf("again: %d, %v, %d values", n, err, len(seen))
		}
		got, err := st.FindTool(t.Context(), org, made.ID)
		values, err2 := st.LoadSecrets(t.Context(), org, []string{"S449"})
		if err != nil || err2 != nil || string(got.Headers) != "new" || string(values["S449"]) != "new" {
			t.Errorf("%s, %q, %v, %v", got.Headers, values, err, err2)
		}
	})
}

// TestSealedColumnsAreListed: a new column of bytes is sealed, and then a rotation must know it, or it is not.
func TestSealedColumnsAreListed(t *testing.T) {
	t.Parallel()
	const known = "agent.identity_secret api_key.hash call.stream_token_hash idempotency.answer idempotency.fingerprint login.hash organization.openai_key " +
		"organization.twilio_auth_token organization.web_search_key secret.sealed tool.headers tool.query visitor_session.hash visitor_session.replaced_hash"
	for column, typ := range schema(t, storetest.SQLite(t), `SELECT m.name || '.' || p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE 'agent_gram%' AND m.name NOT LIKE 'passage_word%'`) {
		if typ == "BLOB" && !strings.Contains(" "+known+" ", " "+column+" ") {
			t.Errorf("%s: add it to sealedColumns if it is sealed, and to this list", column)
		}
	}
}
