package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// benchOptions are the flags of `api`: it measures GET /api/v1/agents/{id} and POST /api/v1/agents of the real
// server, with authentication, rate limiting (raised) and the access log on, beside bare handlers in a process of
// their own over a copy of the database. Rounds of all of them take turns, so that a machine that becomes slower
// does so for all; ratios are the median over the rounds.
type benchOptions struct {
	Clients int           `name:"clients" default:"8" help:"Connections at once, each with one request at a time."`
	Rounds  int           `name:"rounds" default:"5" help:"How often each subject has its turn."`
	Round   time.Duration `name:"round" default:"2s" help:"Length of a turn."`
	Agents  int           `name:"agents" default:"10000" help:"Agents in the database at first."`
	Only    string        `name:"only" enum:",sqlite,postgres" default:"" help:"Measure one database: sqlite or postgres."`
	JSON    bool          `name:"json" help:"Print one JSON object instead of the table."`
	Keep    bool          `name:"keep" help:"Keep data and logs and say where they are."`
}

// Validate checks the numbers; kong calls it.
func (o benchOptions) Validate() error {
	switch {
	case o.Clients < 1 || o.Clients > 1000:
		return errors.New("--clients must be 1 to 1000")
	case o.Rounds < 1 || o.Rounds > 1000:
		return errors.New("--rounds must be 1 to 1000")
	case o.Round < 100*time.Millisecond || o.Round > time.Hour:
		return errors.New("--round must be 100ms to 1h")
	case o.Agents < 1 || o.Agents > 1_000_000:
		return errors.New("--agents must be 1 to 1000000")
	}
	return nil
}

// Run measures and prints.
func (o benchOptions) Run(ctx context.Context) error {
	return o.run(ctx, os.Stdout, os.Stderr)
}

func (o benchOptions) run(ctx context.Context, out, progress io.Writer) (err error) {
	w, err := openWorkshop(ctx, progress, o.Keep)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	b := bench{benchOptions: o, binary: w.binary, progress: progress}
	r := newBenchReport(o)
	for _, db := range databases {
		if o.Only != "" && o.Only != db.name {
			continue
		}
		rows, err := b.database(ctx, db, filepath.Join(w.dir, db.name))
		var absent errAbsent
		if errors.As(err, &absent) {
			r.Notes = append(r.Notes, fmt.Sprintf("%s was not measured: %v", db.name, absent))
			continue
		}
		if err != nil {
			return fmt.Errorf("measuring on %s: %w", db.name, err)
		}
		r.Rows = append(r.Rows, rows...)
	}
	if o.JSON {
		return writeJSON(out, r)
	}
	return r.table(out)
}

// bench is a run of `api`.
type bench struct {
	benchOptions
	binary   string // of the server
	progress io.Writer
}

// subject is something that answers both routes.
type subject struct {
	name   string
	server *server
	path   string // of the agents
}

// database measures all subjects on one database.
func (b bench) database(ctx context.Context, db database, dir string) (rows []benchRow, err error) {
	data, err := db.prepare(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, data.drop()) }()
	parley := &server{key: data.key}
	if err := parley.launch(ctx, filepath.Join(dir, "parley"), data.parleyEnv, b.binary, "serve"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, parley.stop()) }()
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	bare := &server{}
	if err := bare.launch(ctx, filepath.Join(dir, "bare"), data.bareEnv, self, "bare"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	subjects := []subject{{subjectParley, parley, "/api/v1/agents"}, {subjectStore, bare, "/store/agents"}, {subjectBare, bare, "/bare/agents"}}
	for _, r := range []route{getRoute(data.ids), postRoute()} {
		measured, err := b.route(ctx, db.name, r, subjects)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		rows = append(rows, measured...)
	}
	return rows, nil
}

// route lets the subjects take turns. The first turn of each warms it up and is not counted.
func (b bench) route(ctx context.Context, db string, r route, subjects []subject) ([]benchRow, error) {
	_, _ = fmt.Fprintf(b.progress, "%s, %s: %d rounds of %v for each of %d\n", db, r.name, b.Rounds, b.Round, len(subjects))
	all := make([][]turn, len(subjects))
	for n := range b.Rounds + 1 {
		for i := range subjects {
			i = (i + n) % len(subjects) // nobody is always the first
			t, err := b.turn(ctx, r, subjects[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			if n > 0 {
				all[i] = append(all[i], t)
			}
		}
	}
	rows := make([]benchRow, len(subjects))
	for i, s := range subjects {
		rows[i] = newBenchRow(db, r.name, s.name, all[i], all[len(all)-1])
	}
	return rows, nil
}
