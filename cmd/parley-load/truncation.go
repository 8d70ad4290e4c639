package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"parley/internal/rehearsal"
)

// truncationOptions are the flags of `truncation`.
type truncationOptions struct {
	Interruptions int           `name:"interruptions" default:"1000" help:"How many answers callers try to cut off; further ones may finish."`
	Calls         int           `name:"calls" default:"50" help:"Calls at once."`
	Delay         time.Duration `name:"delay" default:"0s" help:"Network delay between phone and server, each way."`
	Jitter        time.Duration `name:"jitter" default:"0s" help:"Added at random to each message's delay, at most."`
	Seed          uint64        `name:"seed" default:"1" help:"Of the random moments."`
}

// Validate checks the numbers; kong calls it.
func (o truncationOptions) Validate() error {
	if o.Calls < 1 || o.Calls > 500 || o.Interruptions < o.Calls || o.Interruptions > 1500 {
		return errors.New("--calls must be 1 to 500 and --interruptions between it and 1500")
	}
	return nil
}

// Run compares what the model was told of answers that were cut off with what the phones played.
func (o truncationOptions) Run(ctx context.Context) error {
	r, err := rehearsal.Truncation(ctx, rehearsal.TruncationOptions{Interruptions: o.Interruptions, Calls: o.Calls, Delay: o.Delay, Jitter: o.Jitter, Seed: o.Seed})
	if err != nil {
		return err
	}
	e := r.Errors(.5, .9, .99, 1)
	_, _ = fmt.Fprintf(os.Stdout, "%d answers cut off, %d played to their end, %v each way (jitter %v)\n", len(r.Told), r.Finished, o.Delay, o.Jitter)
	_, _ = fmt.Fprintf(os.Stdout, "error of what the model was told: p50 %d, p90 %d, p99 %d, max %d ms; refused %d; the phones' clock was up to %v late\n",
		e[0], e[1], e[2], e[3], len(r.Refused), r.PhoneLate.Round(time.Millisecond))
	if len(r.Seams) > 0 {
		_, _ = fmt.Fprintf(os.Stdout, "answers that went on after a pause for nothing, heard twice (+) or missing (-), ms: %v\n", r.Seams)
	}
	for _, f := range append(r.Refused, r.Faults...) {
		_, _ = fmt.Fprintln(os.Stdout, "fault:", f)
	}
	if len(r.Refused)+len(r.Faults) > 0 {
		return errFaults
	}
	return nil
}
