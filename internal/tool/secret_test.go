package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"parley"
	"parley/internal/egress"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// TestAStoredSecretLeavesOnlyWithTheRequest: the target gets the value, and what it echoes comes back masked to the
// model, to people, to the operator and to the log. A secret that is missing is told to the operator by name.
func TestAStoredSecretLeavesOnlyWithTheRequest(t *testing.T) {
	t.Parallel()
	const canary = "canary-5ec2e7-stored"
	got := make(chan string, 1)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"youSent":%q}`, r.Header.Get("Authorization"))
	}))
	defer target.Close()
	st := storetest.SQLite(t)
	org := storetest.Organization(t, st).ID
	ring, err := secret.OpenRing(filepath.Join(t.TempDir(), "keys"), true)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := egress.New(egress.Options{Allow: []string{"127.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	made := storetest.NewTool(org, "Look up").Tool
	made.HTTP = &parley.HTTPTool{Method: "GET", URL: target.URL + "/x", TimeoutSeconds: 5, Headers: map[string]string{"Authorization": "Bearer {{secret.SHOP}}"}}
	sealed, err := Seal(ring, made)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateTool(ctx, org, sealed) })
	var log strings.Builder
	r := New(Options{Store: st, Ring: ring, Egress: gate, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	run := func() string {
		res := r.Run(t.Context(), Call{OrgID: org, Name: made.FunctionName, Offered: r.Tools(t.Context(), org, []string{made.ID})})
		detail, err := json.Marshal(res.Detail)
		if err != nil {
			t.Fatal(err)
		}
		all := res.Output + res.Plain + string(detail) + log.String()
		if strings.Contains(all, canary) {
			t.Errorf("the secret is shown: %s", all)
		}
		return all
	}
	if all := run(); !strings.Contains(all, "SHOP") {
		t.Errorf("a missing secret is not named: %s", all)
	}
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error {
		_, _, err := tx.PutSecret(ctx, org, "SHOP", ring.Seal(store.SecretAAD(org, "SHOP"), []byte(canary)), storetest.Now())
		return err
	})
	all := run()
	select {
	case sent := <-got:
		if sent != "Bearer "+canary || !strings.Contains(all, parley.Mask) {
			t.Errorf("sent %q, answered %s", sent, all)
		}
	default:
		t.Errorf("nothing was sent: %s", all)
	}
}
