package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
)

// ChaosOptions are the weather at both sockets and the calls in it.
type ChaosOptions struct {
	Carrier, Upstream Weather
	Model             model.Options // Brain and OnMessage are the rehearsal's
	Calls             int           // at once
	// Storm is how long sockets are cut. Then, in calmer weather, every caller who is still there asks once more and
	// must be answered.
	Storm time.Duration
}

// ChaosReport says how the calls came through.
type ChaosReport struct {
	Saved, Ended      int // calls that were answered in the end; calls that were ended by the bridge, with a notice and a reason
	Resumed, Redialed int // streams that came back; sessions of the model that were replaced
	Carrier, Upstream Fate
	Reasons           map[string]int // of the ends, on record
	Faults            []string       // what must not be
	PhoneLate         time.Duration
}

const (
	answerLimit = 20 * time.Second // for a caller to be answered in the end, whatever has happened
	recordLimit = 15 * time.Second // from the caller's end to a closed record
	callLimit   = time.Minute      // nothing that the bridge promises lets a call of these last so long
)

// chaos is a rehearsal under way.
type chaos struct {
	opt               ChaosOptions
	house             *House
	carrier, upstream *Proxy
	calmAt            time.Time

	mu     sync.Mutex
	report ChaosReport
}

// Chaos holds calls in bad weather and judges how they end. An error means that there was nothing to judge.
func Chaos(ctx context.Context, opt ChaosOptions) (report ChaosReport, err error) {
	c := &chaos{opt: opt, report: ChaosReport{Reasons: map[string]int{}}}
	between := func(p **Proxy, w Weather) func(string) (string, error) {
		return func(target string) (string, error) {
			var err error
			if *p, err = NewProxy(target, w); err != nil {
				return "", err
			}
			return (*p).Address(), nil
		}
	}
	opt.Model.Brain, opt.Model.OnMessage = &speaker{}, c.watch
	c.house, err = NewHouse(ctx, Options{Model: opt.Model, Carrier: between(&c.carrier, opt.Carrier), Upstream: between(&c.upstream, opt.Upstream)})
	defer func() {
		for _, p := range []*Proxy{c.carrier, c.upstream} {
			if p != nil {
				err = errors.Join(err, p.Close())
			}
		}
	}()
	if err != nil {
		return c.report, err
	}
	c.calmAt = time.Now().Add(opt.Storm)
	calm := time.AfterFunc(opt.Storm, func() {
		c.carrier.Calm()
		c.upstream.Calm()
	})
	defer calm.Stop()
	var calls sync.WaitGroup
	for n := range opt.Calls {
		calls.Go(func() {
			if err := c.call(ctx, n); err != nil {
				c.fault("call %d: %v", n, err)
			}
		})
	}
	calls.Wait()
	c.nothingLeft()
	if logs := c.house.Logs(); strings.Contains(logs, "panic") {
		c.fault("the bridge panicked: %s", logs)
	}
	return c.report, c.house.Close()
}

func (c *chaos) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Faults = append(c.report.Faults, fmt.Sprintf(format, args...))
}

// speaker answers with lines of different length.
type speaker struct{}

var spokenLines = []string{
	"We open at nine in the morning.",
	"Yes.",
	"We open at nine in the morning on every day but Sunday, and we close at six in the evening.",
}

// Reply implements model.Brain.
func (*speaker) Reply(t model.Turn) model.Reply {
	if t.HasOutput || t.Number%4 != 2 || len(t.Tools) == 0 {
		return model.Say(spokenLines[(t.Number+len(t.Messages))%len(spokenLines)])
	}
	return model.CallTool("current_time", `{"timezone":"Europe/Helsinki"}`)
}

// innocent are the model's complaints that are no fault of ours: a response that ended while its cancellation was
// under way, an item that the model has not made yet.
var innocent = []string{"response_cancel_not_active"}

// watch looks for complaints of the model.
func (c *chaos) watch(conn *model.Conn, dir model.Direction, raw []byte) {
	if dir != model.ToClient || !strings.HasPrefix(string(raw[:min(len(raw), 32)]), `{`) || len(raw) > 4096 || !strings.Contains(string(raw), `"error"`) {
		return
	}
	var m struct {
		Type  string
		Error struct{ Type, Code, Message string }
	}
	if json.Unmarshal(raw, &m) == nil && m.Type == "error" && !slices.Contains(innocent, m.Error.Code) {
		c.fault("the model complained to %s: %s %s: %s", conn.Model(), m.Error.Type, m.Error.Code, m.Error.Message)
	}
}

// program is what a caller does: he asks until the storm is over, and then once more.
func (c *chaos) program(n int) []phone.Step {
	said := speech.Say("What time do you open tomorrow morning?").ULaw
	steps := []phone.Step{phone.Wait(time.Duration(n%20) * 100 * time.Millisecond)}
	over := func([]byte) bool { return time.Now().Before(c.calmAt) }
	for i := range 2 {
		steps = append(steps, phone.Say(said), phone.WaitUpTo(6*time.Second))
		if i == 1 && n%3 == 0 { // he interrupts
			steps = append(steps, phone.Wait(700*time.Millisecond))
			continue
		}
		steps = append(steps, phone.WaitForSilence(800*time.Millisecond, time.Minute))
	}
	steps = append(steps, phone.Play(over))
	return append(steps, phone.Say(said), phone.WaitUpTo(6*time.Second), phone.WaitForSilence(time.Second, time.Minute), // a stream may be on its way back
		phone.Say(said), phone.WaitForAgent(answerLimit), phone.WaitForSilence(time.Second, time.Minute), phone.Hangup())
}

// call is one call from its beginning to its record.
func (c *chaos) call(ctx context.Context, n int) error {
	number, err := c.house.Agent(ctx, fmt.Sprintf("chaos-%d", n), func(a *parley.Agent) {
		if n%2 == 0 {
			a.Voice.Greeting = "Hello, this is Ada. How can I help you?"
		}
		a.ToolIDs = []string{"current_time"}
	})
	if err != nil {
		return err
	}
	live, err := c.house.Dial(ctx, number, phone.Options{Program: c.program(n), MaxDuration: callLimit, RetryDelay: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	report := live.Wait(ctx)
	if report == nil || ctx.Err() != nil {
		return fmt.Errorf("it did not end: %w", ctx.Err())
	}
	conv, events, err := c.house.Record(ctx, number, recordLimit)
	if err != nil {
		return fmt.Errorf("ended by %s (%s): %w", report.EndedBy, tale(events), err)
	}
	c.judge(n, report, conv, events)
	return nil
}

// carriersOwn are the complaints of the phone that the weather has caused: sockets that could not be opened, or broke.
var carriersOwn = []int{31901, 31902, 31920, 31921, 31924}

// ends are the reasons for which the bridge may end a call in such weather. Each is told to the caller.
var ends = []string{parley.EndCarrierLost, parley.EndModelUnavailable}

// judge compares what the phone saw with what is on record.
func (c *chaos) judge(n int, r *phone.Report, conv parley.Conversation, events []parley.Event) {
	fault := func(format string, args ...any) {
		c.fault("call %d (%s; ended by %q after %v, heard %q): %s", n, tale(events), r.EndedBy, r.Duration.Round(time.Millisecond), r.Notices, fmt.Sprintf(format, args...))
	}
	for _, v := range r.Violations {
		if !slices.Contains(carriersOwn, v.Code) {
			fault("protocol violation %s at %v", v, v.At)
		}
	}
	if r.GaveUp != "" || r.EndedBy == "max duration" {
		fault("it hung: %s", r.GaveUp)
	}
	saved := r.EndedBy == "caller"
	switch {
	case saved && conv.EndReason != parley.EndCallerHangup:
		fault("the caller hung up, and the record says %q", conv.EndReason)
	case !saved && (!slices.Contains(ends, conv.EndReason) || len(r.Notices) == 0):
		fault("the bridge ended it without a word or a reason: %q", conv.EndReason)
	}
	for i, e := range events {
		if e.Seq != int64(i+1) {
			fault("the log has %d after %d", e.Seq, i)
			break
		}
	}
	resumed, redialed, ended := 0, 0, ""
	for _, e := range events {
		var d struct{ Reason string }
		switch e.Type {
		case parley.EventStreamStarted:
			resumed++
		case parley.EventModelRedialed:
			redialed++
		case parley.EventConversationEnded:
			_ = json.Unmarshal(e.Data, &d)
			ended = d.Reason
		}
	}
	if ended != conv.EndReason || ended == "" {
		fault("the log says that it ended by %q, the row %q", ended, conv.EndReason)
	}
	if streams := len(r.Streams); resumed > streams {
		fault("%d streams on record of %d", resumed, streams)
	}
	for _, problem := range inconsistent(parley.Project(events)) {
		fault("the transcript: %s", problem)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if saved {
		c.report.Saved++
	} else {
		c.report.Ended++
	}
	c.report.Reasons[conv.EndReason]++
	c.report.Resumed += max(0, resumed-1)
	c.report.Redialed += redialed
	c.report.PhoneLate = max(c.report.PhoneLate, r.Late)
}

// inconsistent looks for what a transcript cannot say.
func inconsistent(rec parley.Record) (problems []string) {
	seen := map[string]bool{}
	for _, t := range rec.ToolCalls {
		if seen[t.ID] {
			problems = append(problems, "tool call "+t.ID+" ran twice")
		}
		seen[t.ID] = true
		if t.Result == nil {
			problems = append(problems, "tool call "+t.ID+" has no result")
		}
	}
	words := func(s string) int { return len(strings.Fields(s)) }
	for _, m := range rec.Messages {
		if m.Role == "assistant" && m.HeardText != nil && words(*m.HeardText) > words(m.Text) {
			problems = append(problems, fmt.Sprintf("more was heard (%q) than said (%q)", *m.HeardText, m.Text))
		}
	}
	return problems
}

// tale is what a log says of losses and the end, for a report of faults.
func tale(events []parley.Event) string {
	var out []string
	for _, e := range events {
		switch e.Type {
		case parley.EventStreamStarted, parley.EventStreamDetached, parley.EventModelLost, parley.EventModelRedialed, parley.EventReopened,
			parley.EventError, parley.EventEndRequested, parley.EventConversationEnded:
			out = append(out, e.At.Format("05.000 ")+e.Type+strings.ReplaceAll(string(e.Data), `"`, ""))
		}
	}
	return cmp.Or(strings.Join(out, " "), "no log")
}

// nothingLeft looks for what the calls have left behind, and notes what the proxies did.
func (c *chaos) nothingLeft() {
	var carrier, upstream int
	for deadline := time.Now().Add(recordLimit); ; time.Sleep(20 * time.Millisecond) {
		c.report.Carrier, carrier = c.carrier.Fate()
		c.report.Upstream, upstream = c.upstream.Fate()
		if carrier == 0 && upstream == 0 || time.Now().After(deadline) {
			break
		}
	}
	if carrier+upstream+len(c.house.Model.Conns()) > 0 {
		c.fault("sockets are left: %d of the carrier, %d of the model", carrier, upstream)
	}
	for _, state := range []parley.CallState{parley.CallRinging, parley.CallLive, parley.CallDetached, parley.CallTransferring} {
		calls, err := c.house.Store.ListStaleCalls(context.Background(), state, time.Now().Add(time.Hour), 100)
		if err != nil {
			c.fault("listing calls: %v", err)
		}
		for _, left := range calls {
			c.fault("call %s is still %s", left.To, state)
		}
	}
}
