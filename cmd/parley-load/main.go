// Command parley-load measures what the server costs. `voice` measures what the bridge adds to a frame and costs,
// beside a relay that only copies frames (voice.go). `api` measures reading and creating agents beside a bare
// handler that asks the same of the same database (bench.go). `chat` holds many streamed chats beside a bare reverse proxy
// (chat.go). `calls`, the default, measures what a live call
// costs: it starts the real server in a process of its own, holds
// many calls at once through the simulated phone and the simulated model, and prints the latency that the
// server adds, the CPU time and the memory of a call. It does so twice: with the database as it is, and with
// 5 ms added to every commit.
//
//	go run ./cmd/parley-load voice [--calls 15,50,100] [--duration 20s] [--clears 10s] [--rounds 3] [--json]
//	go run ./cmd/parley-load api [--clients 8] [--rounds 5] [--round 2s] [--agents 10000] [--json]
//	go run ./cmd/parley-load chat [--streams 100,500,5000] [--duration 20s] [--first-token 0s] [--json]
//	go run ./cmd/parley-load tools [--chats 4] [--tool-time 0s] [--slow 1000] [--others 20] [--calls 10] [--duration 10s] [--json]
//	go run ./cmd/parley-load soak [--calls 2000] [--long 20] [--at-once 60]
//	go run ./cmd/parley-load [calls] [--calls 100] [--duration 30s] [--interrupt] [--json] [--keep]
//
// Run it in the repository, on Linux (it reads /proc). It exits with 1 when something was wrong that must never
// be wrong, however slow the machine is: a call failed, a byte of audio was lost or changed, either protocol was
// violated, the record has a gap, or a goroutine, socket or file descriptor was left. Times are printed and
// never judged.
//
// Phones, model and server share this machine's processors. "Phones late" says how late the phones' own 20 ms
// clock was at worst: where it is not small, the latencies show an overloaded machine, not the server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// options are the command's flags.
type options struct {
	Calls     int           `name:"calls" default:"100" help:"Calls at once."`
	Duration  time.Duration `name:"duration" default:"30s" help:"How long callers go on speaking; the turn under way then is finished."`
	Interrupt bool          `name:"interrupt" help:"Add a pass in which every fourth caller interrupts each answer."`
	JSON      bool          `name:"json" help:"Print one JSON object instead of the table."`
	Keep      bool          `name:"keep" help:"Keep the server's data and logs and say where they are."`
	Delay     time.Duration `name:"commit-delay" default:"5ms" help:"Added to every commit in the second pass."`
}

// Validate checks the numbers; kong calls it.
func (o options) Validate() error {
	switch {
	case o.Calls < 1 || o.Calls > 5000:
		return errors.New("--calls must be 1 to 5000")
	case o.Duration < time.Second || o.Duration > time.Hour:
		return errors.New("--duration must be 1s to 1h")
	case o.Delay < 0 || o.Delay > time.Second:
		return errors.New("--commit-delay must be 0s to 1s")
	}
	return nil
}

// commands are what can be measured.
type commands struct {
	Calls      options           `cmd:"" default:"withargs" help:"What a live call costs."`
	Voice      voiceOptions      `cmd:"" help:"What the bridge adds to a frame and costs, beside a minimal relay."`
	Truncation truncationOptions `cmd:"" help:"Whether the model is told of a cut-off answer what the phone really played."`
	Opening    openingOptions    `cmd:"" help:"Whether what callers say while the model is dialed reaches it."`
	API        benchOptions      `cmd:"" name:"api" help:"Reading and creating agents, beside a bare handler."`
	Chat       chatOptions       `cmd:"" help:"What a streamed chat costs, beside a bare reverse proxy."`
	Proxy      proxyOptions      `cmd:"" name:"sse-proxy" hidden:"" help:"The proxy that chat starts."`
	Relay      relayOptions      `cmd:"" hidden:"" help:"The relay that voice starts."`
	Bare       bareOptions       `cmd:"" hidden:"" help:"The bare handlers that api starts."`
	Tools      toolsOptions      `cmd:"" help:"What a tool call adds to the tool's own time, and whether slow tools are felt by others."`
	Soak       soakOptions       `cmd:"" help:"Whether thousands of calls leave memory, goroutines and descriptors where they were."`
}

// errFaults ends the process with 1; the report has said why.
var errFaults = errors.New("something was wrong that must never be wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	line := kong.Parse(&commands{}, kong.Name("parley-load"), kong.Description("Measure what the server costs."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	err := line.Run()
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "parley-load:", err)
		os.Exit(1)
	}
}

// Run measures calls.
func (o options) Run(ctx context.Context) error {
	return judged(run(ctx, o, os.Stdout, os.Stderr))
}

// run makes all passes and prints the report. It reports whether every pass was faultless; an error means that
// there was nothing to measure.
func run(ctx context.Context, opt options, out, progress io.Writer) (ok bool, err error) {
	w, err := openWorkshop(ctx, progress, opt.Keep)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	callers, err := voices()
	if err != nil {
		return false, err
	}
	passes := []pass{{Name: "as it is"}, {Name: fmt.Sprintf("commits +%v", opt.Delay), delay: opt.Delay}}
	if opt.Interrupt {
		passes = append(passes, pass{Name: "interrupting", interrupt: true})
	}
	var results []result
	for i, p := range passes {
		p.options, p.binary, p.voices = opt, w.binary, callers
		p.dir = filepath.Join(w.dir, fmt.Sprintf("pass-%d", i+1))
		_, _ = fmt.Fprintf(progress, "pass %d of %d, %s: %d calls for %v\n", i+1, len(passes), p.Name, opt.Calls, opt.Duration)
		r, err := p.run(ctx)
		if err != nil {
			return false, fmt.Errorf("pass %q: %w", p.Name, err)
		}
		results = append(results, r)
	}
	r := newReport(opt, results)
	if opt.JSON {
		return r.OK, writeJSON(out, r)
	}
	return r.OK, r.table(out)
}
