// Command parley runs and administers a Parley server. One file per subcommand; a subcommand turns flags
// into configuration, opens what it needs, runs, and closes it again.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"parley"
)

// commands are the subcommands of the contract.
type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run everything in one process. Works without any configuration."`
	Key     keyCmd     `cmd:"" help:"Create, list and revoke API keys."`
	Org     orgCmd     `cmd:"" help:"Create and list organizations."`
	Secrets secretsCmd `cmd:"" help:"Rotate the key that seals credentials."`
	Call    callCmd    `cmd:"" help:"Place a simulated phone call to a running server."`
	Migrate migrateCmd `cmd:"" help:"Bring the database up to date and exit (serve does it too)."`
	Prices  pricesCmd  `cmd:"" help:"Print the prices that usage is billed with, in the form of a price file."`
	OpenAPI openapiCmd `cmd:"" name:"openapi" help:"Print the OpenAPI 3.1 document."`
	Version versionCmd `cmd:"" help:"Print versions."`
}

func main() {
	ctx, stop := untilSignal()
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// oneSignal is how long signals count as one: timeout(1) and some supervisors signal a process and at once its
// group again, which must not cut off the drain that the first asked for.
const oneSignal = 200 * time.Millisecond

// untilSignal returns a context that the first SIGINT or SIGTERM ends. Then the default comes back, so that a
// second signal stops the process at once.
func untilSignal() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			stop()
			<-time.After(oneSignal)
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, stop
}

// streams are where a command writes: results to out, everything else to err.
type streams struct{ out, err io.Writer }

// exitPanic carries kong's wish to exit out of its parser.
type exitPanic int

// run executes one command line and returns the exit code: 0 done, 1 failed, 2 wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(exitPanic)
			if !ok {
				panic(p)
			}
			code = int(c)
		}
	}()
	parser, err := kong.New(&commands{},
		kong.Name("parley"), kong.Description("Agents that answer phone calls and website chats."),
		kong.Writers(stdout, stderr), kong.Exit(func(c int) { panic(exitPanic(c)) }),
		kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{out: stdout, err: stderr}),
	)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "parley:", err)
		return 1
	}
	line, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "parley:", err)
		_, _ = fmt.Fprintln(stderr, "Run parley --help for the commands and parley serve --help for the settings.")
		return 2
	}
	if err := line.Run(); err != nil {
		_, _ = fmt.Fprintln(stderr, "parley:", plain(err))
		return 1
	}
	return 0
}

// plain is an error as a person at the terminal should read it.
func plain(err error) string {
	if e, ok := errors.AsType[*parley.Error](err); ok && e.Cause == nil {
		return e.Message
	}
	return err.Error()
}
