package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"
)

// voiceOptions are the flags of `voice`: what the bridge itself adds and costs, beside a minimal relay in the
// same run on the same processor. The model echoes what the caller says after 20 ms, so that a frame passes the
// bridge twice and its way can be timed. Phones and models are one process on another processor (voice_rig.go).
type voiceOptions struct {
	Calls    []int         `name:"calls" default:"15,50,100" help:"Calls at once; each number is measured on its own."`
	Duration time.Duration `name:"duration" default:"20s" help:"How long frames are measured."`
	Clears   time.Duration `name:"clears" default:"10s" help:"How long answers are then interrupted; 0s = not at all."`
	Rounds   int           `name:"rounds" default:"3" help:"How often both have their turn."`
	Core     int           `name:"core" default:"0" help:"Processor of the server and the relay; the load generator has the next one."`
	Only     string        `name:"only" enum:",parley,relay" default:"" help:"Measure one alone: parley or relay."`
	JSON     bool          `name:"json" help:"Print one JSON object instead of the tables."`
	Keep     bool          `name:"keep" help:"Keep the server's data and logs and say where they are."`
	Profile  string        `name:"profile" placeholder:"DIR" help:"Write CPU and heap profiles of both there; taking them costs CPU time."`
	Race     bool          `name:"race" help:"Build the server with the race detector; figures then mean nothing."`
}

// Validate checks the numbers; kong calls it.
func (o voiceOptions) Validate() error {
	switch {
	case slices.ContainsFunc(o.Calls, func(n int) bool { return n < 1 || n > 2000 }):
		return errors.New("--calls must be 1 to 2000")
	case o.Duration < time.Second || o.Duration > 4*time.Minute: // an answer of five minutes is the longest that a call holds
		return errors.New("--duration must be 1s to 4m")
	case o.Clears < 0 || o.Clears > 4*time.Minute:
		return errors.New("--clears must be 0s to 4m")
	case o.Rounds < 1 || o.Rounds > 100:
		return errors.New("--rounds must be 1 to 100")
	case o.Core < 0 || o.Core >= runtime.NumCPU():
		return fmt.Errorf("--core must be 0 to %d", runtime.NumCPU()-1)
	}
	return nil
}

// subjectRelay is what the server, subjectParley, is compared with.
const subjectRelay = "relay"

// Run measures and prints.
func (o voiceOptions) Run(ctx context.Context) error {
	return judged(o.run(ctx, os.Stdout, os.Stderr))
}

func (o voiceOptions) run(ctx context.Context, out, progress io.Writer) (ok bool, err error) {
	var flags []string
	if o.Race {
		flags = append(flags, "-race")
	}
	w, err := openWorkshop(ctx, progress, o.Keep, flags...)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	v := voiceBench{voiceOptions: o, dir: w.dir, binary: w.binary}
	if v.self, err = os.Executable(); err != nil {
		return false, fmt.Errorf("finding this program: %w", err)
	}
	if v.voices, err = voices(); err != nil {
		return false, err
	}
	if err := pinSelf((o.Core + 1) % runtime.NumCPU()); err != nil {
		return false, err
	}
	r := newVoiceReport(o)
	for _, calls := range o.Calls {
		for round := range o.Rounds {
			for _, subject := range []string{subjectRelay, subjectParley} {
				if o.Only != "" && o.Only != subject {
					continue
				}
				_, _ = fmt.Fprintf(progress, "%d calls, round %d of %d: %s\n", calls, round+1, o.Rounds, subject)
				m, err := v.measure(ctx, subject, calls, round)
				if err != nil {
					return false, fmt.Errorf("%s with %d calls: %w", subject, calls, err)
				}
				r.add(calls, subject, m)
			}
		}
	}
	r.finish()
	if o.JSON {
		return r.OK, writeJSON(out, r)
	}
	return r.OK, r.table(out)
}
