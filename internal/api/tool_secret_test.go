package api_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const canary = "canary-5ec2e7"

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

// TestCredentialsOfAToolAreNeverShown plants credentials and looks for them in every answer, in the log and in
// the database as it lies on the disk or in the tables.
func TestCredentialsOfAToolAreNeverShown(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		st := open(t, store.Options{Path: filepath.Join(dir, "parley.db")})
		plantCanary(t, st)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("files %q, %v", files, err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lookForCanary(t, filepath.Base(file), string(raw))
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := storetest.PostgresURL(t)
		plantCanary(t, open(t, store.Options{URL: url}))
		db, err := sql.Open("pgx", url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, table := range []string{"tool", "agent", "audit_entry", "idempotency"} {
			var rows string
			if err := db.QueryRowContext(t.Context(), `SELECT COALESCE(string_agg(x::text, ' '), '') FROM `+table+` x`).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			lookForCanary(t, table, rows)
		}
	})
}

func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func lookForCanary(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, canary) || strings.Contains(text, hex.EncodeToString([]byte(canary))) {
		t.Errorf("%s holds the credential in clear: %.300s", where, text)
	}
}

func plantCanary(t *testing.T, st *store.Store) {
	t.Helper()
	var logged lockedBuffer
	h := newHouseWith(t, st, houseOptions{logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	send := func(want int, r request) answer {
		a := h.do(t, r)
		if a.status != want {
			t.Errorf("%s %s = %d %s, want %d", r.method, r.path, a.status, a.body, want)
		}
		lookForCanary(t, r.method+" "+r.path, string(a.body))
		return a
	}
	made := send(201, request{method: "POST", path: tools, body: `{"name":"A","description":"D","kind":"http","http":{"method":"GET","url":"https://a.example.com/x",
		"headers":{"X-API-Key":"` + canary + `","X-Other":"Bearer ` + canary + `","Authorization":"Bearer {{secret.A}}","X-Plain":"shown"},"query":{"access_token":"` + canary + `","q":"shown"}}}`})
	for at, want := range map[string]string{"headers.X-API-Key": "••••", "headers.X-Other": "••••", "query.access_token": "••••",
		"headers.Authorization": "Bearer {{secret.A}}", "headers.X-Plain": "shown", "query.q": "shown"} {
		if got := made.text("data.http." + at); got != want {
			t.Errorf("%s is shown as %q, want %q", at, got, want)
		}
	}
	id := made.text("data.id")
	path := tools + "/" + id
	send(200, request{method: "GET", path: path})
	send(200, request{method: "GET", path: tools})
	agent := send(201, request{method: "POST", path: "/api/v1/agents", body: `{"name":"A","type":"voice","toolIds":["` + id + `"]}`})
	send(200, request{method: "GET", path: "/api/v1/agents/" + agent.text("data.id")})
	send(200, request{method: "GET", path: "/api/v1/agents"})

	// The masks sent back keep the values; without a mask the rest of the set is gone.
	send(200, request{method: "PATCH", path: path, body: `{"http":{"headers":{"x-api-key":"••••"},"timeoutSeconds":5}}`})
	sealed, err := st.FindTool(t.Context(), h.org.ID, id)
	if err != nil || len(sealed.Headers) == 0 || len(sealed.Query) == 0 || len(sealed.HTTP.Headers) != 0 {
		t.Fatalf("stored: %+v, %v", sealed, err)
	}
	if a := send(200, request{method: "GET", path: path}); a.text("data.http.headers.x-api-key") != "••••" || a.at("data.http.headers.X-Plain") != nil || a.text("data.http.query.access_token") != "••••" {
		t.Errorf("after the patch: %s", a.body)
	}
	send(200, request{method: "PATCH", path: path, body: `{"http":{"headers":{"x-api-key":"` + canary + `-2"}}}`})
	if a := send(200, request{method: "GET", path: "/api/v1/audit-log?resourceId=" + id}); a.text("data.entries.0.changes.0.field") != "http.headers.x-api-key" || a.text("data.entries.0.changes.0.after") != "•••• (new)" {
		t.Errorf("the audit log does not tell that a credential changed: %s", a.body)
	}
	// Refusals do not quote what they refuse.
	send(400, request{method: "PATCH", path: path, body: `{"http":{"url":"https://evil.example.com/"}}`})
	send(400, request{method: "PATCH", path: path, body: `{"http":{"url":"https://a.example.com/?api_key=` + canary + `"}}`})
	send(400, request{method: "PATCH", path: path, body: `{"http":{"url":"https://u:` + canary + `@a.example.com/"}}`})
	send(400, request{method: "PATCH", path: path, body: `{"http":{"headers":{"Authorization":"` + canary + `\r\nX: y"}}}`})
	send(400, request{method: "PATCH", path: path, body: `{"http":{"headers":{"Authorization":"` + canary + ` {{oops}}"}}}`})

	// A row that does not open is an error of the server that tells nothing.
	sealed.Headers = append([]byte(nil), sealed.Headers...)
	sealed.Headers[len(sealed.Headers)-1] ^= 1
	storetest.Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.UpdateTool(ctx, h.org.ID, sealed) })
	if a := send(500, request{method: "GET", path: path}); a.text("error.type") != string(parley.CodeInternal) {
		t.Errorf("altered row: %s", a.body)
	}
	logged.Lock()
	defer logged.Unlock()
	if logged.Len() == 0 {
		t.Error("nothing was logged")
	}
	lookForCanary(t, "the log", logged.String())
}
