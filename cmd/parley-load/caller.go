package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
)

const (
	startSpread = 2 * time.Second        // calls do not all begin in the same millisecond
	patience    = 15 * time.Second       // of a caller, for an answer to begin
	longest     = 60 * time.Second       // answer
	pause       = 800 * time.Millisecond // of silence that ends an answer; the clips pause for less between words
	bargeIn     = 600 * time.Millisecond // into an answer
)

// callersByModel are callers by the name of their agent's model, for a model that notes what it hears of each.
type callersByModel struct{ callers sync.Map }

// add makes the agent of a caller.
func (k *callersByModel) add(ctx context.Context, s *server, c *caller) (err error) {
	if c.agentID, err = s.createAgent(ctx, c.model, true); err == nil {
		k.callers.Store(c.model, c)
	}
	return err
}

func (k *callersByModel) modelMessage(c *model.Conn, dir model.Direction, raw []byte) {
	if v, ok := k.callers.Load(c.Model()); ok {
		v.(*caller).trace.modelMessage(c, dir, raw)
	}
}

// voices are what callers say: the recordings of the repository.
func voices() ([][]byte, error) {
	files, err := filepath.Glob(filepath.Join("examples", "*.wav"))
	if err != nil || len(files) == 0 {
		return [][]byte{speech.Say("What time do you open tomorrow morning?").ULaw}, err
	}
	var out [][]byte
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("reading what callers say: %w", err)
		}
		wav, err := audio.ReadWAV(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		out = append(out, audio.EncodeULaw(audio.Resample(wav.Samples, wav.Rate, audio.Rate)))
	}
	return out, nil
}

// answers are what the simulated model says, short and long ones in turn. It has recorded clips of them.
var answers = []string{
	"One moment please, I will look that up for you.",
	"Every turn of this call is written to the conversation's log: what you said, what I answered, which tools were called, and how long each answer took.",
	"Hello, you have reached Parley. This is a demonstration agent. How can I help you today?",
	"That is all I can do without a real model. Set an OpenAI key, start the server again, and the same agent will understand you.",
}

// brain answers each turn with the next line; calls begin with different ones.
type brain struct{}

// Reply implements model.Brain.
func (brain) Reply(t model.Turn) model.Reply {
	n := t.Number
	for _, digit := range t.Conn.Model() {
		n += int(digit)
	}
	return model.Say(answers[n%len(answers)])
}

// caller is one simulated caller and the trace of his call.
type caller struct {
	index     int
	model     string // name of the agent's model, which ties the model's connection to this call
	agentID   string
	interrupt bool
	trace     trace
	report    *phone.Report
}

// program is what the caller does: turn by turn until the time is over, which closes over. Before each turn and
// before the end the caller waits until nothing is on its way to him: on a machine that stalls, silence alone
// does not mean that the answer is over, and cutting it off would look like lost frames. If that takes too
// long, audio was lost, and the comparison will say so.
func (c *caller) program(voices [][]byte, length time.Duration, over chan struct{}) []phone.Step {
	var until, waiting time.Time
	ended := false
	gate := func([]byte) bool {
		now := time.Now()
		if until.IsZero() {
			until = now.Add(length)
		}
		if waiting.IsZero() {
			waiting = now
		}
		if ended || !c.interrupt && !c.trace.quiet() && now.Sub(waiting) < patience {
			return true
		}
		waiting = time.Time{}
		if ended = !now.Before(until); ended {
			close(over)
		}
		return ended
	}
	var steps []phone.Step
	next := c.index
	say := func() phone.Step {
		next++
		return phone.Say(voices[next%len(voices)])
	}
	for range 2 + int(length/(2*time.Second)) { // no turn is shorter
		steps = append(steps, phone.Play(gate), say())
		if c.interrupt {
			steps = append(steps, phone.Interrupt(bargeIn, patience), say())
		}
		steps = append(steps, phone.WaitForAgent(patience), phone.WaitForSilence(pause, longest))
	}
	return append(steps, phone.Hangup())
}

// call holds the call from its beginning to its end.
func (c *caller) call(ctx context.Context, s *server, voices [][]byte, length time.Duration) error {
	over := make(chan struct{})
	live, err := phone.Dial(ctx, phone.Options{
		WebhookURL: s.url + "/twilio/voice",
		AccountSID: s.accountSID, AuthToken: s.authToken,
		To:          "client:agent-" + c.agentID,
		ExtraForm:   url.Values{"ParleyTest": {"true"}},
		Program:     c.program(voices, length, over),
		MaxDuration: length + 2*longest,
		OnMessage:   c.trace.phoneMessage,
	})
	if err != nil {
		return err
	}
	select {
	case <-over:
		live.Hangup()
	case <-live.Done():
	}
	<-live.Done()
	c.report = live.Report()
	return nil
}

// faults says everything that is wrong with the call.
func (c *caller) faults() []string {
	var out []string
	r := c.report
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Failure != nil {
		fault("the call failed: %v", r.Failure)
	}
	if r.GaveUp != "" {
		fault("the caller gave up: %s", r.GaveUp)
	}
	if r.EndedBy != "caller" {
		fault("the call was ended by: %s", r.EndedBy)
	}
	for _, n := range r.Notices {
		fault("the caller heard the notice %q", n)
	}
	if len(r.Turns) == 0 {
		fault("the caller never spoke")
	}
	for i, t := range r.Turns {
		if !t.Answered {
			fault("turn %d was not answered", i+1)
		}
	}
	for _, v := range r.Violations {
		fault("protocol violation %s at %v", v, v.At)
	}
	return append(out, c.trace.faults(c.interrupt)...)
}
