package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
)

const (
	soakHeapBound = 4 << 20          // bytes that the heap in use may grow by: what the runtime and the database's pool keep varies by less
	soakSettle    = 75 * time.Second // for a call whose caller vanished: the bridge waits a minute for him
	soakLongLeast = time.Minute      // of a long call
	soakWarm      = 2                // short calls of each caller before anything is measured
)

// soakOptions are the flags of `soak`.
type soakOptions struct {
	Calls  int `name:"calls" default:"2000" help:"Short calls, of a few seconds, one after another."`
	Long   int `name:"long" default:"20" help:"Long calls, which go on as long as there are short ones, and a minute at least."`
	AtOnce int `name:"at-once" default:"60" help:"Short calls at once."`

	Profile string `name:"profile" type:"path" placeholder:"DIR" help:"Write heap profiles of before and after there; compare them with go tool pprof -diff_base."`
}

// Validate checks the numbers; kong calls it.
func (o soakOptions) Validate() error {
	if o.Calls < 1 || o.Long < 0 || o.Long > 200 || o.AtOnce < 1 || o.AtOnce > 500 {
		return errors.New("--calls must be 1 or more, --long 0 to 200 and --at-once 1 to 500")
	}
	return nil
}

// holding is what the server holds when it is idle.
type holding struct {
	standing
	Heap int64 // bytes in use after a collection
	RSS  int64
}

// soak is a run under way.
type soak struct {
	soakOptions
	s      *server
	agents []string // one of each short caller, then those of the long ones
	words  []byte
	voices [][]byte

	next   atomic.Int64
	mu     sync.Mutex
	faults map[string]int
}

// soakBrain answers short callers with a word or two.
type soakBrain struct{}

// Reply implements model.Brain.
func (soakBrain) Reply(t model.Turn) model.Reply {
	if strings.HasPrefix(t.Conn.Model(), "long") {
		return brain{}.Reply(t)
	}
	return model.Say("Hello, you have reached Parley.")
}

// Run makes the calls and compares what the server holds before and after them.
func (o soakOptions) Run(ctx context.Context) (err error) {
	w, err := openWorkshop(ctx, io.Discard, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	m, err := model.Start(model.Options{Brain: soakBrain{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	debug, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	s := newServer()
	s.debug = "http://" + debug
	env := append(s.env(w.dir, m.BaseURL(), m.Key()), "PARLEY_DEBUG_LISTEN="+debug)
	if o.Profile != "" { // what stays of a call is small: every kibibyte is looked at
		env = append(env, "GODEBUG=memprofilerate=1024")
	}
	if err := s.launch(ctx, w.dir, env, w.binary, "serve"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	k := &soak{soakOptions: o, s: s, faults: map[string]int{}, words: speech.Say("What time do you open?").ULaw}
	return k.run(ctx, os.Stdout)
}

func (k *soak) run(ctx context.Context, out io.Writer) (err error) {
	if k.voices, err = voices(); err != nil {
		return err
	}
	for i := range k.AtOnce + k.Long {
		name := fmt.Sprintf("short-%d", i)
		if i >= k.AtOnce {
			name = fmt.Sprintf("long-%d", i-k.AtOnce)
		}
		id, err := k.s.createAgent(ctx, name, true)
		if err != nil {
			return err
		}
		k.agents = append(k.agents, id)
	}
	k.hold(ctx, soakWarm*k.AtOnce, 0, 0)
	before, err := k.settled(ctx, nil)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%-8s %s\n", "before", before)
	if err := k.profile(ctx, "before"); err != nil {
		return err
	}
	began := time.Now()
	k.hold(ctx, k.Calls, k.Long, soakLongLeast)
	took := time.Since(began)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	busy, err := k.s.rss()
	if err != nil {
		return errors.Join(err, errors.New(k.s.tail()))
	}
	after, err := k.settled(ctx, &before)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%-8s %s\n", "after", after)
	if err := k.profile(ctx, "after"); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%d short calls, %d at once, and %d long ones in %v: %.1f short calls/s; RSS at the end of the calls %.1f MiB; the heap grew by %.2f MiB (at most %d); the server logged %d lines\n",
		k.Calls, k.AtOnce, k.Long, took.Round(time.Second), float64(k.Calls)/took.Seconds(), mib(busy), mib(after.Heap-before.Heap), soakHeapBound>>20, k.s.logLines())
	return k.verdict(before, after, out)
}

// verdict says what was wrong.
func (k *soak) verdict(before, after holding, out io.Writer) error {
	bad := len(k.faults) > 0
	for f, n := range k.faults {
		_, _ = fmt.Fprintf(out, "fault: %d times: %s\n", n, f)
	}
	if !after.within(before.standing) {
		bad = true
		_, _ = fmt.Fprintf(out, "fault: left over: before %+v, after %+v\n", before.standing, after.standing)
	}
	if after.Heap-before.Heap > soakHeapBound {
		bad = true
		_, _ = fmt.Fprintf(out, "fault: the heap grew by %d bytes\n", after.Heap-before.Heap)
	}
	if bad {
		_, _ = fmt.Fprintln(out, k.s.tail())
		return errFaults
	}
	return nil
}

// hold makes the short calls, so many at once, and beside them the long ones.
func (k *soak) hold(ctx context.Context, short, long int, least time.Duration) {
	var shorts, longs sync.WaitGroup
	over := make(chan struct{})
	for i := range long {
		longs.Go(func() { k.long(ctx, k.agents[k.AtOnce+i], over) })
	}
	began := time.Now()
	k.next.Store(0)
	for i := range k.AtOnce {
		shorts.Go(func() {
			for ctx.Err() == nil {
				n := int(k.next.Add(1))
				if n > short {
					return
				}
				k.short(ctx, n, k.agents[i])
			}
		})
	}
	shorts.Wait()
	if long > 0 {
		select {
		case <-time.After(time.Until(began.Add(least))):
		case <-ctx.Done():
		}
	}
	close(over)
	longs.Wait()
}

// short is a caller with one question. Every fourth hangs up in the middle of the answer, every tenth vanishes from the
// network without a goodbye.
func (k *soak) short(ctx context.Context, n int, agentID string) {
	steps := []phone.Step{phone.Say(k.words), phone.WaitForAgent(patience)}
	switch {
	case n%10 == 0:
		steps = append(steps, phone.Vanish())
	case n%4 == 0:
		steps = append(steps, phone.Wait(300*time.Millisecond), phone.Hangup())
	default:
		steps = append(steps, phone.WaitForSilence(500*time.Millisecond, longest), phone.Hangup())
	}
	live, err := k.dial(ctx, agentID, steps)
	if err != nil {
		k.fault(err.Error())
		return
	}
	k.judge(live.Wait(ctx))
}

// long is a caller who asks again and again until the others are done.
func (k *soak) long(ctx context.Context, agentID string, over <-chan struct{}) {
	var steps []phone.Step
	for i := range 1000 {
		steps = append(steps, phone.Say(k.voices[i%len(k.voices)]), phone.WaitForAgent(patience), phone.WaitForSilence(pause, longest))
	}
	live, err := k.dial(ctx, agentID, steps)
	if err != nil {
		k.fault(err.Error())
		return
	}
	select {
	case <-over:
		live.Hangup()
	case <-live.Done():
		k.fault("a long call ended before its caller hung up")
	}
	k.judge(live.Wait(ctx))
}

func (k *soak) dial(ctx context.Context, agentID string, steps []phone.Step) (*phone.Call, error) {
	return phone.Dial(ctx, phone.Options{
		WebhookURL: k.s.url + "/twilio/voice", StatusCallbackURL: k.s.url + "/twilio/status",
		AccountSID: k.s.accountSID, AuthToken: k.s.authToken,
		To: "client:agent-" + agentID, ExtraForm: url.Values{"ParleyTest": {"true"}},
		Program: steps, MaxDuration: time.Hour,
	})
}

func (k *soak) judge(r *phone.Report) {
	switch {
	case r == nil:
		return // interrupted
	case r.EndedBy != "caller" || r.GaveUp != "":
		k.fault(fmt.Sprintf("ended by %s %s %v", r.EndedBy, r.GaveUp, r.Failure))
	case r.ViolationCount > 0:
		k.fault("protocol violation " + r.Violations[0].String())
	}
}

func (k *soak) fault(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults[text]++
}

// settled waits until the server holds no more than before (nil: until it has held the same for some seconds) or the time
// for that is over, and returns what it holds.
func (k *soak) settled(ctx context.Context, before *holding) (h holding, err error) {
	same, last := 0, standing{}
	for deadline := time.Now().Add(soakSettle); ; {
		if h.standing, err = k.s.standing(ctx); err != nil {
			return h, err
		}
		if same++; h.standing != last {
			same, last = 0, h.standing
		}
		if before != nil && h.within(before.standing) || before == nil && same >= 30 || time.Now().After(deadline) {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return h, ctx.Err()
		}
	}
	return h, k.memory(ctx, &h)
}

// memory reads the memory after a collection. What finalizers and pools let go is gone after the second one.
func (k *soak) memory(ctx context.Context, h *holding) (err error) {
	collect := *k.s
	collect.url = k.s.debug
	for range 3 {
		if _, err := collect.get(ctx, "/debug/pprof/heap?gc=1"); err != nil {
			return err
		}
	}
	page, err := k.s.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	heap, err := gauge(page, "go_memstats_heap_alloc_bytes")
	if err != nil {
		return err
	}
	h.Heap = int64(heap)
	h.RSS, err = k.s.rss()
	return err
}

// profile writes the heap's profile, when that is wanted.
func (k *soak) profile(ctx context.Context, name string) error {
	if k.Profile == "" {
		return nil
	}
	debug := *k.s
	debug.url = k.s.debug
	raw, err := debug.get(ctx, "/debug/pprof/heap")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(k.Profile, name+".heap"), raw, 0o600)
}

// String says it in a line.
func (h holding) String() string {
	return fmt.Sprintf("heap in use %.2f MiB, RSS %.1f MiB, %d goroutines, %d descriptors (%d sockets)", mib(h.Heap), mib(h.RSS), h.Goroutines, h.Files, h.Sockets)
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
