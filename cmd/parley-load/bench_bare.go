package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"parley"
	"parley/internal/store"
)

// bareOptions are those of the hidden subcommand that answers like the server, without being one: the yardstick.
type bareOptions struct {
	Listen string `env:"PARLEY_LISTEN"`
	Org    string `env:"BARE_ORG"`
	Path   string `env:"BARE_PATH"`
	URL    string `env:"BARE_URL"`
}

// Run serves until the context ends.
func (o bareOptions) Run(ctx context.Context) (err error) {
	st, err := store.Open(ctx, store.Options{Path: o.Path, URL: o.URL})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	y, err := newYardstick(ctx, o, st)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, y.close()) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: y.mux(), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// yardstick answers with as little as possible: prepared statements, no middleware.
type yardstick struct {
	org             string
	store           *store.Store
	writer, readers *sql.DB
	find, insert    *sql.Stmt
	config          string
}

// The statements are those of the store for the table agent.
const (
	bareFind = `SELECT id, org_id, name, type, status, model, instructions, config, tool_ids, created_at, updated_at, deleted_at, revision,
	(SELECT string_agg(p.number, ',' ORDER BY p.number) FROM phone_number p WHERE p.org_id = agent.org_id AND p.agent_id = agent.id)
	FROM agent WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	bareInsert = `INSERT INTO agent (id, org_id, type, created_at, name, name_folded, status, model, instructions, config, tool_ids, updated_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
)

// newYardstick opens pools like those of the store: as large, as durable.
func newYardstick(ctx context.Context, o bareOptions, st *store.Store) (*yardstick, error) {
	config, err := json.Marshal(parley.DefaultVoiceConfig())
	if err != nil {
		return nil, err
	}
	y := &yardstick{org: o.Org, store: st, config: string(config)}
	mark := "$"
	if o.URL != "" {
		err = y.openPostgres(o.URL)
	} else {
		mark, err = "?", y.openSQLite(o.Path)
	}
	if err != nil {
		return nil, err
	}
	if y.find, err = y.readers.PrepareContext(ctx, strings.ReplaceAll(bareFind, "$", mark)); err != nil {
		return nil, err
	}
	y.insert, err = y.writer.PrepareContext(ctx, strings.ReplaceAll(bareInsert, "$", mark))
	return y, err
}

func (y *yardstick) openSQLite(path string) (err error) {
	v := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}}
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: v.Encode()}).String()
	if y.writer, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	y.writer.SetMaxOpenConns(1)
	if y.readers, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	y.readers.SetMaxOpenConns(4)
	y.readers.SetMaxIdleConns(4)
	return nil
}

func (y *yardstick) openPostgres(address string) error {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		return errors.New("the address is not a valid postgres:// URL")
	}
	cfg.RuntimeParams["enable_seqscan"], cfg.RuntimeParams["jit"] = "off", "off"
	for _, db := range []**sql.DB{&y.writer, &y.readers} {
		*db = stdlib.OpenDB(*cfg)
		(*db).SetMaxOpenConns(8)
		(*db).SetMaxIdleConns(8)
	}
	return nil
}

func (y *yardstick) close() error {
	return errors.Join(y.find.Close(), y.insert.Close(), y.readers.Close(), y.writer.Close())
}

func (y *yardstick) mux() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		_, _ = fmt.Fprintf(w, "go_memstats_mallocs_total %d\n", s.Mallocs)
	})
	m.HandleFunc("GET /bare/agents/{id}", y.handle(http.StatusOK, y.bareGet))
	m.HandleFunc("POST /bare/agents", y.handle(http.StatusCreated, y.barePost))
	m.HandleFunc("GET /store/agents/{id}", y.handle(http.StatusOK, y.storeGet))
	m.HandleFunc("POST /store/agents", y.handle(http.StatusCreated, y.storePost))
	return m
}

func (y *yardstick) handle(status int, answer func(*http.Request) (bareAgent, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := answer(r)
		var body []byte
		if err == nil {
			body, err = json.Marshal(a)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
}

// bareAgent is the answer. Columns of JSON go out as they are.
type bareAgent struct {
	ID           string          `json:"id"`
	OrgID        string          `json:"-"`
	Name         string          `json:"name"`
	Type         string          `json:"type"`
	Status       string          `json:"status"`
	Model        string          `json:"model"`
	Instructions string          `json:"instructions"`
	Config       json.RawMessage `json:"config"`
	Tools        json.RawMessage `json:"tools"`
	CreatedAt    int64           `json:"createdAt"`
	UpdatedAt    int64           `json:"updatedAt"`
	DeletedAt    *int64          `json:"deletedAt,omitempty"`
	Revision     int64           `json:"-"`
	Numbers      *string         `json:"phoneNumbers"`
}

func (y *yardstick) bareGet(r *http.Request) (a bareAgent, err error) {
	var config, tools string
	err = y.find.QueryRowContext(r.Context(), y.org, r.PathValue("id")).Scan(&a.ID, &a.OrgID, &a.Name, &a.Type, &a.Status, &a.Model,
		&a.Instructions, &config, &tools, &a.CreatedAt, &a.UpdatedAt, &a.DeletedAt, &a.Revision, &a.Numbers)
	a.Config, a.Tools = json.RawMessage(config), json.RawMessage(tools)
	return a, err
}

// readBare reads the body of a POST.
func readBare(r *http.Request) (a bareAgent, err error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return a, err
	}
	err = json.Unmarshal(raw, &a)
	return a, err
}

func (y *yardstick) barePost(r *http.Request) (bareAgent, error) {
	a, err := readBare(r)
	if err != nil {
		return a, err
	}
	now := time.Now().UnixMicro()
	a.ID, a.Status, a.Model, a.Config, a.Tools = parley.NewID(), string(parley.AgentActive), parley.DefaultVoiceModel, json.RawMessage(y.config), json.RawMessage("[]")
	a.CreatedAt, a.UpdatedAt = now, now
	_, err = y.insert.ExecContext(r.Context(), a.ID, y.org, a.Type, now, a.Name, strings.ToLower(a.Name), a.Status, a.Model,
		a.Instructions, y.config, "[]", now)
	return a, err
}
