package tool

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"parley"
)

// Outcomes of calls that the server did not run.
const (
	OutcomeRefused     = "refused"     // by a limit
	OutcomeUnconfirmed = "unconfirmed" // the person has not agreed, or not yet
)

// Limits of the tool calls of one conversation. Zero members take the defaults.
type Limits struct {
	Calls     int           // that run, in the whole conversation; 200
	Time      time.Duration // that they take, together; 10 min
	TurnCalls int           // asked for in one turn, refused ones included; 20
	SameCall  int           // with the same arguments, that run in one turn; 3
	AtOnce    int           // that run or wait at once; 0 = the caller sees to it
}

// Words of ToolStartedData.Refused.
const (
	refusedTurn        = "turn_calls"
	refusedSame        = "same_call"
	refusedCalls       = "conversation_calls"
	refusedTool        = "tool_calls" // its own maxCallsPerConversation
	refusedTime        = "conversation_time"
	refusedAtOnce      = "at_once"
	refusedUnspoken    = "unspoken" // a transfer that nobody but a tool's result may have wished for
	refusedUnconfirmed = "unconfirmed"
)

// Verdict says what becomes of a call.
type Verdict int

// The verdicts.
const (
	Run    Verdict = iota
	Refuse         // Result is what the model is told
	Wait           // for the person's words, or for another call: ask again
)

// Decision is the guard's word on a call.
type Decision struct {
	Verdict   Verdict
	Started   parley.ToolStartedData // for the record, unless it waits
	Result    Result                 // of a refused call
	Arguments json.RawMessage        // to run it with
	ForWords  bool                   // what is waited for are the person's words
}

// Guard decides before each tool call of one conversation whether it may run: it counts the calls and their time,
// breaks loops, and tracks what the person has agreed to. It knows nothing but what is on the conversation's record
// (Restore) and what it is told. It belongs to one goroutine and never waits.
type Guard struct {
	limits  Limits
	offered []parley.Tool
	how     Consent
	record  func(parley.ToolConfirmationData)

	calls int            // that ran, in the conversation
	tools map[string]int // of them, by the tool's id
	spent time.Duration
	turn  int            // asked for since the person's last word
	same  map[string]int // that ran since then
	taint bool           // a result that strangers may have written came since then

	running   map[string]parley.Tool // by call id
	questions []*question
}

// NewGuard makes the guard of a conversation whose model was offered these tools. record puts a step of a question on
// record; it is called on the guard's goroutine.
func NewGuard(l Limits, how Consent, offered []parley.Tool, record func(parley.ToolConfirmationData)) *Guard {
	or := func(n *int, usual int) {
		if *n <= 0 {
			*n = usual
		}
	}
	or(&l.Calls, 200)
	or(&l.TurnCalls, 20)
	or(&l.SameCall, 3)
	if l.Time <= 0 {
		l.Time = 10 * time.Minute
	}
	return &Guard{
		limits: l, offered: offered, how: how, record: record,
		tools: map[string]int{}, same: map[string]int{}, running: map[string]parley.Tool{},
	}
}

// Decide says whether a call may run now. A call that may is counted: Done has to follow. waiting is how many other
// calls of the conversation run or wait.
func (g *Guard) Decide(c Call, waiting int, now time.Time) Decision {
	arguments, object := canonical(c.Arguments)
	t, known := g.find(c.Name)
	d := Decision{Arguments: c.Arguments, Started: parley.ToolStartedData{
		CallID: c.CallID, Name: c.Name, Arguments: RecordedArguments(string(c.Arguments)), ToolID: t.ID, Kind: t.Kind,
	}}
	key := sameCall(c.Name, arguments)
	if why, say := g.limited(t, key, waiting); why != "" {
		g.turn++
		return d.refuse(why, OutcomeRefused, say)
	}
	if known && t.Access == parley.AccessWrite && g.busy(t) {
		return Decision{Verdict: Wait}
	}
	if known && t.Confirm && object { // what is no object cannot run anyway, and is told so
		d.Arguments = json.RawMessage(arguments)
		switch q := g.agreement(key, now); {
		case q == nil:
			g.turn++
			return d.refuse(refusedUnconfirmed, OutcomeUnconfirmed, g.ask(t, c, key, arguments, now))
		case q.state != parley.ConfirmAgreed:
			return Decision{Verdict: Wait, ForWords: true}
		default:
			g.step(q, parley.ConfirmUsed, "")
		}
	}
	g.turn++
	g.started(t.ID, key)
	g.running[c.CallID] = t
	return d
}

func (d Decision) refuse(why, outcome, say string) Decision {
	d.Verdict, d.Started.Refused = Refuse, why
	d.Result = Result{Output: "Not run: " + say, Outcome: outcome, Detail: Detail{ErrorType: why, Error: say}}
	return d
}

// limited says which limit a call meets, for the record and for the model; "" for none.
func (g *Guard) limited(t parley.Tool, key string, waiting int) (why, say string) {
	switch l := g.limits; {
	case g.turn >= l.TurnCalls:
		return refusedTurn, "too many tool calls for one message. Answer with what you have."
	case g.same[key] >= l.SameCall:
		return refusedSame, fmt.Sprintf("this same call was made %d times already. Use those results.", l.SameCall)
	case t.MaxCalls != nil && g.tools[t.ID] >= *t.MaxCalls:
		return refusedTool, "this tool may not be used any more in this conversation. Go on without it, and tell the person if they wait for it."
	case g.calls >= l.Calls:
		return refusedCalls, "no more tools may be used in this conversation. Answer with what you have."
	case g.spent >= l.Time:
		return refusedTime, "tools have taken too much time in this conversation, so no more may be used. Answer with what you have."
	case l.AtOnce > 0 && waiting >= l.AtOnce:
		return refusedAtOnce, "too many tools are running. Wait for their results."
	case t.ID == parley.ToolTransferCall && g.taint:
		return refusedUnspoken, "the caller has not spoken since a tool answered. Ask the caller whether they want to be connected, and to whom; after their answer call it again."
	}
	return "", ""
}

// busy reports whether a tool that changes something is at work: two such calls follow each other.
func (g *Guard) busy(t parley.Tool) bool {
	for _, r := range g.running {
		if r.FunctionName == t.FunctionName {
			return true
		}
	}
	return false
}

func (g *Guard) find(name string) (parley.Tool, bool) {
	i := slices.IndexFunc(g.offered, func(t parley.Tool) bool { return t.FunctionName == name })
	if i < 0 {
		return parley.Tool{}, false
	}
	return g.offered[i], true
}

func (g *Guard) started(toolID, key string) {
	g.calls++
	g.same[key]++
	if toolID != "" {
		g.tools[toolID]++
	}
}

// Done books the end of a call that ran, and returns what goes on record of it.
func (g *Guard) Done(c Call, r Result) parley.ToolCompletedData {
	t, ok := g.running[c.CallID]
	if ok {
		delete(g.running, c.CallID)
		g.ended(t.Kind, r.Outcome, r.Duration)
	} else {
		t, _ = g.find(c.Name)
	}
	d := parley.ToolCompletedData{
		CallID: c.CallID, Name: c.Name, Result: r.Output, Outcome: r.Outcome, Ms: r.Duration.Milliseconds(), ToolID: t.ID, Kind: t.Kind,
	}
	if r.Detail != (Detail{}) {
		d.Detail = &r.Detail
	}
	return d
}

func (g *Guard) ended(kind parley.ToolKind, outcome string, took time.Duration) {
	g.spent += took
	if kind != parley.ToolBuiltin && outcome != OutcomeUnknownTool {
		g.taint = true
	}
}

// Spoke says that the person has said something, whatever it was: a new turn.
func (g *Guard) Spoke() {
	g.turn, g.taint = 0, false
	clear(g.same)
}

// Exhausted reports whether every further call of this turn would be refused.
func (g *Guard) Exhausted() bool { return g.turn >= g.limits.TurnCalls }

// Restore reads what a conversation's record says of its tools. Events of other types are skipped. Calls that were
// started and not completed count as calls; how long they took nobody knows.
func (g *Guard) Restore(events []parley.Event) {
	for _, e := range events {
		switch e.Type {
		case parley.EventMessageUser:
			g.Spoke()
		case parley.EventToolStarted:
			d := read[parley.ToolStartedData](e)
			g.turn++
			if d.Refused == "" {
				arguments, _ := canonical(d.Arguments)
				g.restart(d, sameCall(d.Name, arguments))
			}
		case parley.EventToolCompleted:
			d := read[parley.ToolCompletedData](e)
			if d.Outcome != OutcomeRefused && d.Outcome != OutcomeUnconfirmed {
				g.ended(d.Kind, d.Outcome, time.Duration(d.Ms)*time.Millisecond)
			}
		case parley.EventToolConfirmation:
			g.recall(read[parley.ToolConfirmationData](e), e.At)
		}
	}
}

// restart books a call that ran before.
func (g *Guard) restart(d parley.ToolStartedData, key string) {
	id := d.ToolID
	if t, ok := g.find(d.Name); id == "" && ok { // records of older versions
		id = t.ID
	}
	g.started(id, key)
	g.drop(key) // its agreement is used up, even if its process died before it could say so
}

// read reads an event's data; our own writer made it, so a failure leaves the zero value.
func read[T any](e parley.Event) T {
	var d T
	_ = json.Unmarshal(e.Data, &d)
	return d
}
