// Package storetest opens real databases for tests and holds the conformance suite of package store. It must
// be imported by tests only.
package storetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the administrator's connection

	"parley"
	"parley/internal/store"
)

// openTimeout is long because the packages' tests share two cores and one PostgreSQL.
const openTimeout = 60 * time.Second

// Each runs test on a fresh SQLite database and on a fresh PostgreSQL database, as parallel subtests.
func Each(t *testing.T, test func(t *testing.T, st *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, SQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Postgres(t))
	})
}

// SQLite opens a fresh SQLite database in t's temporary folder and closes it at the end.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, store.Options{Path: filepath.Join(t.TempDir(), "parley.db")})
}

// Postgres opens a fresh PostgreSQL database and drops it at the end.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	return PostgresAt(t, PostgresURL(t))
}

// PostgresAt opens a database that PostgresURL made, once more or for the first time.
func PostgresAt(t testing.TB, address string) *store.Store {
	t.Helper()
	return open(t, store.Options{URL: address})
}

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	st, err := store.Open(ctx, o)
	if err != nil {
		t.Fatalf("opening store: %v", err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("closing store: %v", err)
		}
	})
	return st
}

// PostgresURL creates an empty PostgreSQL database, which is dropped at the end of the test, and returns its
// address. The server is PARLEY_TEST_POSTGRES_URL, by default root@127.0.0.1:5432. When it does not answer,
// the test is skipped, or fails with CI=true.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := cmp.Or(os.Getenv("PARLEY_TEST_POSTGRES_URL"), "postgres://root@127.0.0.1:5432/postgres?sslmode=disable")
	address, err := url.Parse(server)
	if err != nil {
		t.Fatal("PARLEY_TEST_POSTGRES_URL is not a URL")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal("PARLEY_TEST_POSTGRES_URL is not a PostgreSQL address")
	}
	admin.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if err := admin.PingContext(ctx); err != nil {
		_ = admin.Close()
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL does not answer: %v", err)
		}
		t.Skipf("PostgreSQL does not answer (set PARLEY_TEST_POSTGRES_URL): %v", err)
	}
	name := "parley_test_" + strings.ToLower(rand.Text())
	if _, err := admin.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		t.Fatalf("creating test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
		defer cancel()
		if _, err := admin.ExecContext(ctx, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("dropping test database: %v", err)
		}
		_ = admin.Close()
	})
	address.Path = "/" + name
	return address.String()
}

// Write runs fn in one transaction and fails the test when it fails.
func Write(t testing.TB, st *store.Store, fn func(ctx context.Context, tx *store.Tx) error) {
	t.Helper()
	if err := TryWrite(t, st, fn); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// TryWrite runs fn in one transaction and returns its error.
func TryWrite(t testing.TB, st *store.Store, fn func(ctx context.Context, tx *store.Tx) error) error {
	ctx := t.Context()
	return st.Write(ctx, func(tx *store.Tx) error { return fn(ctx, tx) })
}

// Organization creates an organization with a name of its own.
func Organization(t testing.TB, st *store.Store) parley.Organization {
	t.Helper()
	id := parley.NewID()
	o := parley.Organization{ID: id, Name: "Org " + id, Handle: "Org " + id, CreatedAt: Now()}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateOrganization(ctx, o) })
	return o
}

// Agent creates an agent of the type with default configuration.
func Agent(t testing.TB, st *store.Store, orgID string, typ parley.AgentType, numbers ...string) parley.Agent {
	t.Helper()
	a := NewAgent(orgID, typ)
	a.PhoneNumbers = append(a.PhoneNumbers, numbers...)
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, orgID, a) })
	return a
}

// NewAgent returns an agent that is not stored.
func NewAgent(orgID string, typ parley.AgentType) parley.Agent {
	a := parley.Agent{
		ID: parley.NewID(), OrgID: orgID, Name: "Ada", Type: typ, Status: parley.AgentActive,
		Model: parley.DefaultVoiceModel, Instructions: "Be brief.", ToolIDs: []string{"current_time"},
		PhoneNumbers: []string{}, CreatedAt: Now(), UpdatedAt: Now(), Revision: 1,
	}
	if typ == parley.AgentChat {
		c := parley.DefaultChatConfig()
		a.Chat, a.Model = &c, parley.DefaultChatModel
		return a
	}
	c := parley.DefaultVoiceConfig()
	a.Voice = &c
	return a
}

// Conversation creates an active conversation of an agent.
func Conversation(t testing.TB, st *store.Store, a parley.Agent) parley.Conversation {
	t.Helper()
	c := parley.Conversation{
		ID: parley.NewID(), OrgID: a.OrgID, AgentID: a.ID, AgentName: a.Name, Channel: parley.ChannelPhone,
		Status: parley.ConversationActive, Direction: "inbound", From: "+15550100001", To: "+15550100002", StartedAt: Now(),
	}
	if a.Type == parley.AgentChat {
		c.Channel, c.Direction, c.From, c.To = parley.ChannelChat, "", "", ""
	}
	Write(t, st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateConversation(ctx, a.OrgID, c) })
	return c
}

// Now is the current time as the databases keep it: UTC, microseconds.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
