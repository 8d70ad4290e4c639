package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/internal/sim/phone"
)

// callView prints a call as it happens: what the phone hears, and, with a key, the words of the record.
type callView struct {
	out   io.Writer
	json  bool
	clips []clip

	mu    sync.Mutex
	call  *phone.Call
	begun time.Time
	said  int  // turns of the caller
	spoke bool // the agent has spoken since
}

func newCallView(out io.Writer, asJSON bool, clips []clip) *callView {
	return &callView{out: out, json: asJSON, clips: clips, begun: time.Now()}
}

func (v *callView) dialing(call *phone.Call, to, address string) {
	v.mu.Lock()
	v.call = call
	v.mu.Unlock()
	v.line("call", "dialing %s at %s", to, address)
}

// line prints one line: seconds since dialing, who, what.
func (v *callView) line(who, format string, args ...any) {
	if v.json {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, _ = fmt.Fprintf(v.out, "%6.1fs  %-7s  %s\n", time.Since(v.begun).Seconds(), who, fmt.Sprintf(format, args...))
}

// event shows what the phone reports.
func (v *callView) event(e phone.Event) {
	switch e.Kind {
	case phone.EventAnswered:
		v.line("call", "answered")
	case phone.EventAgentSpeaks:
		v.agentSpeaks()
	case phone.EventCallerSpeaks:
		v.mu.Lock()
		name := v.clips[min(v.said, len(v.clips)-1)].name
		v.said++
		v.spoke = false
		v.mu.Unlock()
		v.line("you", "say %s", name)
	case phone.EventCleared:
		v.line("agent", "falls silent, %s of its speech dropped", e.Text)
	case phone.EventNotice:
		v.line("notice", "“%s”", e.Text)
	case phone.EventDialed:
		v.line("call", "transferred to %s", e.Text)
	case phone.EventViolation:
		v.line("problem", "%s", e.Text)
	}
}

// agentSpeaks shows that the agent begins, once for each turn, and how long the caller waited for it.
func (v *callView) agentSpeaks() {
	v.mu.Lock()
	call, first := v.call, !v.spoke
	v.spoke = true
	v.mu.Unlock()
	if call == nil || !first {
		return
	}
	if turns := call.Turns(); len(turns) > 0 && turns[len(turns)-1].Answered {
		v.line("agent", "answers after %d ms", turns[len(turns)-1].Latency.Milliseconds())
		return
	}
	v.line("agent", "speaks")
}

// words shows an entry of the conversation's log.
func (v *callView) words(e parley.Event) {
	switch e.Type {
	case parley.EventModelConnected:
		var d parley.ModelConnectedData
		if json.Unmarshal(e.Data, &d) == nil && d.Simulated {
			v.line("call", "%s", d.Notice)
		}
	case parley.EventMessageUser:
		var d parley.MessageUserData
		if json.Unmarshal(e.Data, &d) == nil && !d.Failed {
			v.line("you", "“%s”", d.Text)
		}
	case parley.EventMessageAssistant:
		var d parley.MessageAssistantData
		if json.Unmarshal(e.Data, &d) == nil && d.Text != "" {
			v.line("agent", "“%s”", d.Text)
		}
	case parley.EventMessageHeard:
		var d parley.MessageHeardData
		if json.Unmarshal(e.Data, &d) == nil && d.Interrupted {
			v.line("agent", "was interrupted; heard was: “%s”", d.HeardText)
		}
	case parley.EventToolCompleted:
		var d parley.ToolCompletedData
		if json.Unmarshal(e.Data, &d) == nil {
			v.line("tool", "%s: %s after %d ms", d.Name, d.Outcome, d.Ms)
		}
	case parley.EventError:
		var d parley.ErrorData
		if json.Unmarshal(e.Data, &d) == nil {
			v.line("problem", "%s: %s", d.Where, d.Message)
		}
	}
}

// end prints the summary, or with --json the result.
func (v *callView) end(r callResult) error {
	if v.json {
		return json.NewEncoder(v.out).Encode(r)
	}
	v.line("call", "ended by %s", r.EndedBy)
	latency := "no answer"
	if r.LatencyMs.Max != nil {
		latency = fmt.Sprintf("answers after %d ms (median), %d ms (longest)", *r.LatencyMs.P50, *r.LatencyMs.Max)
	}
	_, err := fmt.Fprintf(v.out, "\n%.1f s, %s, %s; heard %.1f s of speech, %s, %s\n", r.Seconds, count(len(r.Turns), "turn"), latency,
		r.HeardSeconds, count(r.Underruns, "hole"), count(len(r.Violations), "protocol violation"))
	if r.ConversationID != "" {
		_, _ = fmt.Fprintf(v.out, "conversation %s\n", r.ConversationID)
	}
	if r.SavedTo != "" {
		_, _ = fmt.Fprintf(v.out, "saved %s (mono, 8 kHz)\n", r.SavedTo)
	}
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// How often and how long the record is read.
const (
	pollEvery   = 300 * time.Millisecond
	recordLimit = 5 * time.Second // after the call, until its end is on record
)

// follow waits for the end of the call and meanwhile reads its record, which it returns; nil without a key.
func follow(ctx context.Context, call *phone.Call, api *callAPI, show *callView) []parley.Event {
	if api == nil {
		show.line("call", "pass --key to see the words")
		<-call.Done()
		return nil
	}
	var events []parley.Event
	var failed string
	read := func() (ended bool) {
		id := call.Parameter("conversationId")
		if id == "" {
			return false
		}
		after := int64(0)
		if n := len(events); n > 0 {
			after = events[n-1].Seq
		}
		fresh, err := api.events(ctx, id, after)
		if err != nil && ctx.Err() == nil && failed != err.Error() {
			failed = err.Error()
			show.line("problem", "cannot read the record: %s", strings.TrimSpace(failed))
		}
		for _, e := range fresh {
			show.words(e)
			ended = (ended || e.Type == parley.EventConversationEnded) && e.Type != parley.EventReopened
		}
		events = append(events, fresh...)
		return ended
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ended := read()
		select {
		case <-call.Done():
			if ended || len(events) > 0 && events[len(events)-1].Type == parley.EventConversationEnded || call.Parameter("conversationId") == "" {
				return events
			}
			last := time.After(recordLimit)
			for !read() {
				select {
				case <-tick.C:
				case <-last:
					return events
				case <-ctx.Done():
					return events
				}
			}
			return events
		case <-tick.C:
		}
	}
}
