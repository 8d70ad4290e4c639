package tool

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"parley"
)

// guardRig is a guard whose record is kept, so that another one can be made from it.
type guardRig struct {
	*Guard
	events []parley.Event
	now    time.Time
}

func newGuardRig(l Limits, tools ...parley.Tool) *guardRig {
	r := &guardRig{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	r.Guard = NewGuard(l, Consent{Words: true}, tools, func(d parley.ToolConfirmationData) { r.put(parley.EventToolConfirmation, d) })
	return r
}

func (r *guardRig) put(typ string, data any) {
	r.events = append(r.events, parley.NewEvent(typ, r.now, data))
}

// call decides about a call and, when it may run, runs it.
func (r *guardRig) call(name, arguments string) string {
	c := Call{CallID: fmt.Sprint("c", len(r.events)), Name: name, Arguments: json.RawMessage(arguments)}
	d := r.Decide(c, 0, r.now)
	if d.Verdict == Wait {
		return "wait"
	}
	r.put(parley.EventToolStarted, d.Started)
	res := d.Result
	if d.Verdict == Run {
		res = Result{Output: "x", Outcome: OutcomeOK, Duration: time.Minute}
	}
	r.put(parley.EventToolCompleted, r.Done(c, res))
	return d.Started.Refused
}

func (r *guardRig) says(text string) {
	r.put(parley.EventMessageUser, parley.MessageUserData{Text: text})
	r.Spoke()
	r.Answered("u", text, false, r.now)
}

// restart is the same conversation in another process.
func (r *guardRig) restart() {
	before := r.Guard
	r.Guard = NewGuard(before.limits, before.how, before.offered, before.record)
	r.Restore(r.events)
}

var (
	lookup = parley.Tool{ID: "l", FunctionName: "lookup", Kind: parley.ToolHTTP, Access: parley.AccessRead}
	pay    = parley.Tool{ID: "p", FunctionName: "pay", Kind: parley.ToolHTTP, Access: parley.AccessWrite, Confirm: true}
)

func TestGuardCountsSurviveARestart(t *testing.T) {
	two := 2
	limited := lookup
	limited.MaxCalls = &two
	for name, c := range map[string]struct {
		limits Limits
		tool   parley.Tool
		runs   int
		want   string
	}{
		"calls":    {Limits{Calls: 4}, lookup, 4, refusedCalls},
		"time":     {Limits{Time: 3 * time.Minute}, lookup, 3, refusedTime},
		"the tool": {Limits{}, limited, 2, refusedTool},
		"the turn": {Limits{TurnCalls: 5}, lookup, 5, refusedTurn},
	} {
		t.Run(name, func(t *testing.T) {
			r := newGuardRig(c.limits, c.tool)
			for i := range c.runs {
				if got := r.call("lookup", fmt.Sprintf(`{"n":%d}`, i)); got != "" {
					t.Fatalf("call %d: %s", i, got)
				}
				r.restart()
			}
			if got := r.call("lookup", `{}`); got != c.want {
				t.Errorf("refused as %q, want %q", got, c.want)
			}
		})
	}
}

func TestGuardBreaksLoops(t *testing.T) {
	r := newGuardRig(Limits{}, lookup)
	for _, arguments := range []string{`{"a":1,"b":2}`, `{ "b":2, "a":1 }`, `{"b":2,"a":1}`} {
		if got := r.call("lookup", arguments); got != "" {
			t.Fatal(got)
		}
	}
	if got := r.call("lookup", `{"a":1,"b":2}`); got != refusedSame {
		t.Errorf("the fourth is %q", got)
	}
	r.says("again, please")
	if got := r.call("lookup", `{"a":1,"b":2}`); got != "" {
		t.Errorf("in the next turn: %q", got)
	}
}

func TestConfirmation(t *testing.T) {
	const q = "Shall I pay 5?"
	steps := map[string]func(*guardRig){
		"call": func(r *guardRig) { r.call("pay", `{"n":5}`) }, "other": func(r *guardRig) { r.call("pay", `{"n":6}`) },
		"ask": func(r *guardRig) { r.Asked("a", q, r.now) }, "claim": func(r *guardRig) { r.Asked("a", "The user agreed.", r.now) },
		"yes": func(r *guardRig) { r.says("yes") }, "no": func(r *guardRig) { r.says("no") }, "what": func(r *guardRig) { r.says("what?") },
		"reminder": func(r *guardRig) { r.Distracted("a") }, "later": func(r *guardRig) { r.now = r.now.Add(6 * time.Minute) },
		"much later": func(r *guardRig) { r.now = r.now.Add(time.Hour) }, "retry": func(r *guardRig) { r.Withdraw() },
		"one": func(r *guardRig) { r.Pressed("k", "1#", r.now) }, "two": func(r *guardRig) { r.Pressed("k", "2", r.now) },
	}
	for _, c := range []struct {
		steps []string
		runs  bool
	}{
		{[]string{"call", "ask", "yes"}, true},
		{[]string{"call", "ask", "one"}, true},
		{[]string{"call", "ask", "two"}, false},
		{[]string{"call", "ask", "no"}, false},
		{[]string{"call", "ask", "what"}, false},
		{[]string{"call", "ask", "what", "yes"}, false},
		{[]string{"call", "ask", "what", "ask", "yes"}, true},
		{[]string{"call", "ask", "yes", "yes"}, true},
		{[]string{"call", "ask", "yes", "no"}, false},
		{[]string{"call", "ask", "yes", "what"}, false},
		{[]string{"call", "yes"}, false},
		{[]string{"call", "yes", "ask"}, false},
		{[]string{"call", "claim", "yes"}, false},
		{[]string{"ask", "yes"}, false},
		{[]string{"yes", "call", "ask"}, false},
		{[]string{"call", "ask", "yes", "call"}, false},
		{[]string{"other", "ask", "yes"}, false},
		{[]string{"call", "other", "ask", "yes"}, false},
		{[]string{"call", "ask", "other", "yes"}, false},
		{[]string{"call", "ask", "reminder", "yes"}, false},
		{[]string{"call", "ask", "yes", "later"}, false},
		{[]string{"call", "ask", "later", "yes"}, true},
		{[]string{"call", "ask", "much later", "yes"}, false},
		{[]string{"call", "ask", "retry", "yes"}, false},
		{[]string{"call", "ask", "no", "yes"}, false},
	} {
		for _, restarts := range []bool{false, true} {
			r := newGuardRig(Limits{}, pay)
			for _, s := range c.steps {
				steps[s](r)
				if restarts {
					r.restart()
				}
			}
			if got := r.call("pay", ` {"n": 5} `); (got == "") != c.runs {
				t.Errorf("%v (restarts %v): %q", c.steps, restarts, got)
			}
		}
	}
}

func TestWriteCallsOfOneToolFollowEachOther(t *testing.T) {
	write := lookup
	write.Access = parley.AccessWrite
	r := newGuardRig(Limits{}, write)
	first := Call{CallID: "1", Name: "lookup", Arguments: json.RawMessage(`{"n":1}`)}
	if d := r.Decide(first, 0, r.now); d.Verdict != Run {
		t.Fatalf("%+v", d)
	}
	if got := r.call("lookup", `{"n":2}`); got != "wait" {
		t.Errorf("beside it: %q", got)
	}
	r.Done(first, Result{Outcome: OutcomeOK})
	if got := r.call("lookup", `{"n":2}`); got != "" {
		t.Errorf("after it: %q", got)
	}
}
