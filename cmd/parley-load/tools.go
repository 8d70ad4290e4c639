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

// toolsOptions are the flags of `tools`: it measures what the server adds to an HTTP tool's own time, and whether
// many slow tools at once are felt by others. The tools are a server of this program on loopback, the model is the
// simulated one: both note when they are asked and when they have answered.
type toolsOptions struct {
	Chats    int           `name:"chats" default:"4" help:"Chats at once that use a tool in every turn, in the first part."`
	ToolTime time.Duration `name:"tool-time" default:"0s" help:"How long that tool takes."`
	Duration time.Duration `name:"duration" default:"10s" help:"How long each phase is measured."`
	Slow     int           `name:"slow" default:"1000" help:"Chats that wait for a slow tool at once, in the second part."`
	Others   int           `name:"others" default:"20" help:"Chats without tools that go on beside them."`
	Calls    int           `name:"calls" default:"10" help:"Phone calls that go on beside them."`
	JSON     bool          `name:"json" help:"Print one JSON object instead of the table."`
	Keep     bool          `name:"keep" help:"Keep the server's data and logs and say where they are."`
}

// Validate checks the numbers; kong calls it.
func (o toolsOptions) Validate() error {
	switch {
	case o.Chats < 1 || o.Chats > 1000 || o.Others < 1 || o.Others > 1000:
		return errors.New("--chats and --others must be 1 to 1000")
	case o.Slow < 1 || o.Slow > 1000:
		return errors.New("--slow must be 1 to 1000: one organization has at most 1024 connections to a host")
	case o.Calls < 0 || o.Calls > 200:
		return errors.New("--calls must be 0 to 200")
	case o.Duration < time.Second || o.Duration > 20*time.Second:
		return errors.New("--duration must be 1s to 20s: a tool may take 60s at most")
	case o.ToolTime < 0 || o.ToolTime > 10*time.Second:
		return errors.New("--tool-time must be 0s to 10s")
	}
	return nil
}

// Run measures and prints.
func (o toolsOptions) Run(ctx context.Context) error {
	return judged(o.run(ctx, os.Stdout, os.Stderr))
}

func (o toolsOptions) run(ctx context.Context, out, progress io.Writer) (ok bool, err error) {
	w, err := openWorkshop(ctx, progress, o.Keep)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	rig, err := newToolRig(ctx, o, w.binary, filepath.Join(w.dir, "server"))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rig.close()) }()
	var r toolReport
	_, _ = fmt.Fprintf(progress, "%d chats use a tool in every turn for %v\n", o.Chats, o.Duration)
	if r.Adds, err = rig.measureTrips(ctx); err != nil {
		return false, fmt.Errorf("%w\n%s", err, rig.server.tail())
	}
	_, _ = fmt.Fprintf(progress, "%d chats and %d calls without and beside %d slow tool calls\n", o.Others, o.Calls, o.Slow)
	if r.Beside, err = rig.measureBeside(ctx); err != nil {
		return false, fmt.Errorf("%w\n%s", err, rig.server.tail())
	}
	r.finish(rig)
	if o.JSON {
		return r.OK, writeJSON(out, r)
	}
	return r.OK, r.table(out)
}
