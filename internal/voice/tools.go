package voice

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"parley"
	"parley/internal/leg"
	"parley/internal/tool"
)

// toolbox runs a session's tool calls beside it: audio and interruption go on meanwhile.
type toolbox struct {
	pending  map[string]bool // call ids that run
	seen     map[string]bool // call ids that ran or run: none runs twice
	response string          // the newest response that called one
	waiting  []waitingCall   // of pending: the guard has not decided yet
	before   map[string]bool // items of the agent that were being said when the newest agreement was asked for
	unseen   bool            // results were given that no answer has been asked for yet
	wg       *sync.WaitGroup
	ctx      context.Context // the lifetime of the session's tools, owned by the session
	cancel   context.CancelFunc
}

type toolResult struct {
	call leg.ModelEvent
	res  tool.Result
}

// maxTools bounds the calls that run at once in one call.
const maxTools = 16

func newToolbox() toolbox {
	ctx, cancel := context.WithCancel(context.Background())
	return toolbox{
		pending: map[string]bool{}, seen: map[string]bool{}, before: map[string]bool{}, wg: &sync.WaitGroup{}, ctx: ctx, cancel: cancel,
	}
}

func (t *toolbox) running() int { return len(t.pending) }

// wait cancels what still runs and returns when it has ended.
func (t *toolbox) wait() {
	t.cancel()
	t.wg.Wait()
}

// startTool takes a completed function call.
func (s *Session) startTool(ev leg.ModelEvent) {
	if s.tools.seen[ev.CallID] {
		return
	}
	s.tools.seen[ev.CallID] = true
	s.tools.response = ev.ResponseID
	s.memory.add(ev.ItemID, "", leg.HistoryItem{Kind: leg.HistoryToolCall, CallID: ev.CallID, Name: ev.Text, Arguments: ev.Arguments})
	s.admit(waitingCall{ev: ev}, time.Now())
}

// admit asks the guard about a call. One that it refuses is answered at once.
func (s *Session) admit(w waitingCall, now time.Time) {
	ev := w.ev
	delete(s.tools.pending, ev.CallID)
	call := s.toolCall(ev)
	question := s.guard.Question()
	d := s.guard.Decide(call, s.tools.running(), now)
	s.tools.pending[ev.CallID] = true
	switch d.Verdict {
	case tool.Wait:
		if d.ForWords && !w.forWords {
			w.forWords, w.until = true, now.Add(wordsPatience)
		}
		s.tools.waiting = append(s.tools.waiting, w)
	case tool.Refuse:
		if s.guard.Question() != question {
			s.beforeQuestion()
		}
		s.rec.Fact(parley.EventToolStarted, d.Started)
		s.onToolResult(toolResult{ev, d.Result})
	default:
		call.Arguments = d.Arguments
		s.runCall(ev, call, d.Started)
	}
}

// beforeQuestion remembers what is being said now: it was begun before there was anything to ask.
func (s *Session) beforeQuestion() {
	clear(s.tools.before)
	for _, p := range s.ledger.items {
		s.tools.before[p.recordID()] = true
	}
}

// toolCall is a function call with what the server knows of the caller, whatever the model says.
func (s *Session) toolCall(ev leg.ModelEvent) tool.Call {
	c := s.cfg.Call
	number := parley.OtherParty(s.cfg.Direction, c.From, c.To)
	return tool.Call{
		OrgID: c.OrgID, ConversationID: c.ID, AgentID: s.cfg.Agent.ID,
		CallID: ev.CallID, Name: ev.Text, Arguments: json.RawMessage(ev.Arguments), Offered: s.cfg.Tools,
		CallerNumber: number, ContactID: parley.PhoneContact(c.OrgID, number),
	}
}

// runCall runs a call beside the session. The intent is committed before the tool has any effect.
func (s *Session) runCall(ev leg.ModelEvent, call tool.Call, started parley.ToolStartedData) {
	rec := s.rec // of this stream: the session may get another one
	s.tools.wg.Go(func() {
		ctx := s.tools.ctx
		var res tool.Result
		if err := rec.Intent(ctx, parley.EventToolStarted, started); err != nil {
			res = tool.Result{Output: `{"error":"the tool was not run: its start could not be recorded"}`, Outcome: "error"}
		} else {
			res = s.cfg.RunTool(ctx, call)
		}
		s.news <- &toolResult{ev, res} // capacity maxNews: never blocks
	})
}

// giveResult tells the model a tool's result: now, or with the replay when there is no model at the moment.
func (s *Session) giveResult(callID, output string) {
	s.memory.add("", "", leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: callID, Text: output})
	s.modelSent(s.model.SendToolResult(callID, output))
}

// onToolResult gives a result to the model, which is asked to go on when no other call is open.
func (s *Session) onToolResult(r toolResult) {
	now := time.Now()
	delete(s.tools.pending, r.call.CallID)
	s.control(&r, now)
	s.rec.Fact(parley.EventToolCompleted, s.guard.Done(tool.Call{CallID: r.call.CallID, Name: r.call.Text}, r.res))
	s.giveResult(r.call.CallID, r.res.Output)
	s.tools.unseen = !s.leaves(r)                                                         // who leaves needs no other answer, not to the results before it either
	if r.res.Outcome != tool.OutcomeRefused && r.res.Outcome != tool.OutcomeUnconfirmed { // else nothing has become free
		s.tryWaiting(now)
	}
}

// answerResults asks for an answer to the results of tools when all are there and no further call can come: of several
// calls in one response the first may be done before the last is told.
func (s *Session) answerResults() {
	if s.tools.unseen && s.tools.running() == 0 && !s.seq.busy() {
		s.seq.want(leg.Ask{NoTools: s.guard.Exhausted()}) // a model that only calls tools has to say something now
	}
}
