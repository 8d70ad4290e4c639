package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// slowPace is how fast slow calls begin and end: a hundred in a second.
const slowPace = 10 * time.Millisecond

// The phases of the second part, in their order.
const (
	phaseAlone = iota
	phaseBegin
	phaseWait
	phaseEnd
	phases
)

var phaseNames = [phases]string{"alone", "slow calls begin", "slow calls wait", "slow calls end"}

// besidePhase is what others saw in one phase.
type besidePhase struct {
	Name    string  `json:"name"`
	Slow    int     `json:"slowCalls"` // that waited at once, at most
	Seconds float64 `json:"seconds"`
	First   spread  `json:"firstToken"` // of chats without tools
	Turn    spread  `json:"turn"`
	Up      spread  `json:"voiceAddedUp"` // of phone calls
	Down    spread  `json:"voiceAddedDown"`
	CPU     float64 `json:"cpu"` // of the server, in processors
}

// besideRun is the state of the second part.
type besideRun struct {
	*toolRig
	phase atomic.Int32
	mu    sync.Mutex
	first [phases][]time.Duration
	turn  [phases][]time.Duration
}

// measureBeside holds chats and calls without tools, first alone, then beside many slow tool calls.
func (r *toolRig) measureBeside(ctx context.Context) ([]besidePhase, error) {
	b := &besideRun{toolRig: r}
	callers, err := b.callers(ctx)
	if err != nil {
		return nil, err
	}
	voices, err := voices()
	if err != nil {
		return nil, err
	}
	talking, stop := context.WithCancel(ctx)
	defer stop()
	var others sync.WaitGroup
	for i := range r.Others {
		others.Go(func() { b.talk(talking, time.Duration(i)*7*time.Millisecond) })
	}
	out := make([]besidePhase, phases)
	var slow sync.WaitGroup
	calls := pass{options: options{Calls: r.Calls, Duration: r.Duration}, voices: voices}
	for phase := range phases {
		b.phase.Store(int32(phase))
		out[phase], err = b.during(phase, func() error {
			switch phase {
			case phaseBegin:
				return b.begin(ctx, &slow)
			case phaseEnd:
				return b.end(ctx, &slow)
			}
			return b.hold(ctx, calls, callers[phase])
		})
		if err != nil {
			return nil, err
		}
	}
	stop()
	others.Wait()
	for i := range out {
		out[i].First, out[i].Turn = spreadOf(b.first[i]), spreadOf(b.turn[i])
		var heard result
		heard.collect(callers[i])
		out[i].Up, out[i].Down = heard.Up, heard.Down
	}
	return out, ctx.Err()
}

// callers makes those of the two phases that last.
func (b *besideRun) callers(ctx context.Context) (all [phases][]*caller, err error) {
	for _, phase := range []int{phaseAlone, phaseWait} {
		for i := range b.Calls {
			c := &caller{index: i, model: fmt.Sprintf("load-%d-%04d", phase, i)}
			if err := b.known.add(ctx, b.server, c); err != nil {
				return all, err
			}
			all[phase] = append(all[phase], c)
		}
	}
	return all, nil
}

// hold lasts as long as the calls do.
func (b *besideRun) hold(ctx context.Context, calls pass, callers []*caller) error {
	done := time.After(b.Duration)
	if err := calls.hold(ctx, b.server, callers, b.Duration); err != nil {
		return err
	}
	for _, c := range callers {
		for _, f := range c.faults() {
			b.fault("a call beside: %s", f)
		}
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// during runs a phase and reads the meters around it.
func (b *besideRun) during(phase int, work func() error) (p besidePhase, err error) {
	before, err := b.server.cpu()
	if err != nil {
		return p, err
	}
	began := time.Now()
	p.Name, p.Slow = phaseNames[phase], int(b.waiting.Load())
	if err := work(); err != nil {
		return p, err
	}
	p.Slow = max(p.Slow, int(b.waiting.Load()))
	took := time.Since(began)
	after, err := b.server.cpu()
	p.Seconds, p.CPU = round(took.Seconds(), 1), round(float64(after-before)/float64(took), 3)
	return p, err
}

// begin opens the slow chats and returns when all their tools wait.
func (b *besideRun) begin(ctx context.Context, slow *sync.WaitGroup) error {
	for i := range b.Slow {
		slow.Go(func() {
			id := fmt.Sprintf("trip-9%06d", i)
			if a, err := b.ask(ctx, b.slow, "Look up "+id, ""); err != nil || a.text != "done "+id {
				b.fault("a slow chat: %q %v", a.text, err)
			}
		})
		select {
		case <-time.After(slowPace):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return poll(ctx, func() error {
		if n := b.waiting.Load(); n < int64(b.Slow) {
			return fmt.Errorf("only %d of %d slow tools were asked", n, b.Slow)
		}
		return nil
	})
}

// end lets the slow tools answer one after another, as they were asked.
func (b *besideRun) end(ctx context.Context, slow *sync.WaitGroup) error {
	for range b.Slow {
		select {
		case <-b.release:
			time.Sleep(slowPace)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	slow.Wait()
	return nil
}

// talk is one chat without tools: turn after turn, each counted to the phase in which it began.
func (b *besideRun) talk(ctx context.Context, after time.Duration) {
	select {
	case <-time.After(after):
	case <-ctx.Done():
	}
	for n, conversation := 0, ""; ctx.Err() == nil; n++ {
		if n%turnsTogether == 0 {
			conversation = ""
		}
		phase := b.phase.Load()
		a, err := b.ask(ctx, b.plain, "Tell me something.", conversation)
		if ctx.Err() != nil {
			return
		}
		if err != nil || a.text != answerText {
			b.fault("a chat beside: %d characters, %v", len(a.text), errors.Join(err))
			return
		}
		conversation = a.conversation
		b.mu.Lock()
		b.first[phase] = append(b.first[phase], a.first)
		b.turn[phase] = append(b.turn[phase], a.whole)
		b.mu.Unlock()
	}
}
