package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"parley"
	"parley/internal/store"
)

// benchData is a database for the server and its copy for the bare handlers.
type benchData struct {
	key       string   // API key
	ids       []string // of the agents
	parleyEnv []string
	bareEnv   []string
	drop      func() error
}

// database is one of the two kinds.
type database struct {
	name string
	make func(ctx context.Context, dir string) (benchPlace, error)
}

// benchPlace is where the server's empty database and its copy are.
type benchPlace struct {
	store, bare store.Options
	copy        func(ctx context.Context) error // while nobody uses the first
	drop        func() error
}

var databases = []database{{"sqlite", sqlitePlace}, {"postgres", postgresPlace}}

// errAbsent says why a database cannot be measured here.
type errAbsent struct{ error }

// Unwrap lets errors.Is see through.
func (e errAbsent) Unwrap() error { return e.error }

// prepare makes the server's database, with its first key and the agents, and the copy.
func (db database) prepare(ctx context.Context, b bench, dir string) (data benchData, err error) {
	place, err := db.make(ctx, dir)
	if err != nil {
		return data, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, place.drop())
		}
	}()
	_, _ = fmt.Fprintf(b.progress, "%s: making %d agents\n", db.name, b.Agents)
	data.key, data.drop = secret("load"), place.drop
	data.parleyEnv = []string{
		"PARLEY_DATA=" + filepath.Join(dir, "data"), "PARLEY_DATABASE_URL=" + place.store.URL, "PARLEY_LOG=info",
		"PARLEY_SECRET_KEY_FILE=" + filepath.Join(dir, "secret.keys"),
		"PARLEY_BOOTSTRAP_KEY=" + data.key, "PARLEY_RATE_LIMIT=60000000",
	}
	first := &server{key: data.key} // makes the schema, the organization and the key
	if err := first.launch(ctx, filepath.Join(dir, "first"), data.parleyEnv, b.binary, "serve"); err != nil {
		return data, err
	}
	if err := first.stop(); err != nil {
		return data, err
	}
	orgID := ""
	if orgID, data.ids, err = seed(ctx, place.store, b.Agents); err != nil {
		return data, err
	}
	if err := place.copy(ctx); err != nil {
		return data, fmt.Errorf("copying the database: %w", err)
	}
	data.bareEnv = []string{"BARE_ORG=" + orgID, "BARE_PATH=" + place.bare.Path, "BARE_URL=" + place.bare.URL}
	return data, nil
}

// seed adds agents to the default organization.
func seed(ctx context.Context, o store.Options, n int) (orgID string, ids []string, err error) {
	st, err := store.Open(ctx, o)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	org, err := st.FindOrganization(ctx, parley.DefaultOrganizationName)
	if err != nil {
		return "", nil, err
	}
	for len(ids) < n {
		err := st.Write(ctx, func(tx *store.Tx) error {
			for range min(500, n-len(ids)) {
				a := benchAgent(org.ID, fmt.Sprintf("Reception of branch %d", len(ids)))
				ids = append(ids, a.ID)
				if err := tx.CreateAgent(ctx, org.ID, a); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return "", nil, err
		}
	}
	return org.ID, ids, nil
}

// benchAgent is the agent that a POST of postRoute makes.
func benchAgent(orgID, name string) parley.Agent {
	now, config := time.Now().UTC().Truncate(time.Microsecond), parley.DefaultVoiceConfig()
	return parley.Agent{
		ID: parley.NewID(), OrgID: orgID, Name: name, Type: parley.AgentVoice, Status: parley.AgentActive,
		Model: parley.DefaultVoiceModel, Instructions: benchInstructions, Voice: &config,
		ToolIDs: []string{}, PhoneNumbers: []string{}, CreatedAt: now, UpdatedAt: now, Revision: 1,
	}
}

func sqlitePlace(_ context.Context, dir string) (benchPlace, error) {
	data, twin := filepath.Join(dir, "data"), filepath.Join(dir, "twin")
	return benchPlace{
		store: store.Options{Path: filepath.Join(data, "parley.db")}, bare: store.Options{Path: filepath.Join(twin, "parley.db")},
		copy: func(context.Context) error { return os.CopyFS(twin, os.DirFS(data)) },
		drop: func() error { return nil }, // with the folder
	}, nil
}

// postgresPlace uses the server of the tests: PARLEY_TEST_POSTGRES_URL, by default root@127.0.0.1:5432.
func postgresPlace(ctx context.Context, _ string) (place benchPlace, err error) {
	const preset = "postgres://root@127.0.0.1:5432/postgres?sslmode=disable"
	server := cmp.Or(os.Getenv("PARLEY_TEST_POSTGRES_URL"), preset)
	address, err := url.Parse(server)
	if err != nil {
		return place, errors.New("PARLEY_TEST_POSTGRES_URL is not a URL")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return place, errors.New("PARLEY_TEST_POSTGRES_URL is not a PostgreSQL address")
	}
	if err := admin.PingContext(ctx); err != nil {
		return place, errors.Join(errAbsent{fmt.Errorf("no PostgreSQL answers (set PARLEY_TEST_POSTGRES_URL): %w", err)}, admin.Close())
	}
	name := "parley_load_" + strings.ToLower(secret("")[:16])
	twin := name + "_bare"
	at := func(name string) store.Options {
		u := *address
		u.Path = "/" + name
		return store.Options{URL: u.String()}
	}
	place = benchPlace{
		store: at(name), bare: at(twin),
		copy: func(ctx context.Context) error {
			_, err := admin.ExecContext(ctx, `CREATE DATABASE `+twin+` TEMPLATE `+name)
			return err
		},
		drop: func() error { // also when the run was interrupted
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			var errs []error
			for _, n := range []string{name, twin} {
				_, err := admin.ExecContext(ctx, `DROP DATABASE IF EXISTS `+n+` WITH (FORCE)`)
				errs = append(errs, err)
			}
			return errors.Join(append(errs, admin.Close())...)
		},
	}
	if _, err := admin.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE template0`); err != nil {
		return place, errors.Join(fmt.Errorf("making a database: %w", err), admin.Close())
	}
	return place, nil
}
