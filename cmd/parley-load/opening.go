package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"parley/internal/rehearsal"
)

// openingOptions are the flags of `opening`.
type openingOptions struct {
	Calls   int           `name:"calls" default:"200" help:"How many calls."`
	AtOnce  int           `name:"at-once" default:"50" help:"Calls at once."`
	MaxWait time.Duration `name:"max-wait" default:"3s" help:"How long the model takes to accept a connection, at most."`
	Seed    uint64        `name:"seed" default:"1" help:"Of the waits."`
}

// Validate checks the numbers; kong calls it.
func (o openingOptions) Validate() error {
	if o.Calls < 1 || o.Calls > 4000 || o.AtOnce < 1 || o.AtOnce > 500 || o.MaxWait <= 0 || o.MaxWait > 10*time.Second {
		return errors.New("--calls must be 1 to 4000, --at-once 1 to 500 and --max-wait at most 10s")
	}
	return nil
}

// Run lets callers speak while the model's session is being opened, and counts what does not arrive.
func (o openingOptions) Run(ctx context.Context) error {
	r, err := rehearsal.Opening(ctx, rehearsal.OpeningOptions{Calls: o.Calls, AtOnce: o.AtOnce, MaxWait: o.MaxWait, Seed: o.Seed})
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(os.Stdout, "%d calls, the model took up to %v to accept: %d of %d frames lost\n", r.Calls, o.MaxWait, r.Lost, r.Frames)
	for _, f := range r.Faults {
		_, _ = fmt.Fprintln(os.Stdout, "fault:", f)
	}
	if len(r.Faults) > 0 {
		return errFaults
	}
	return nil
}
