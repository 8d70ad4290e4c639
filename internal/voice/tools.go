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
		pending: map[string]bool{}, seen: map[string]bool{}, wg: &sync.WaitGroup{}, ctx: ctx, cancel: cancel,
	}
}

func (t *toolbox) running() int { return len(t.pending) }

// wait cancels what still runs and returns when it has ended.
func (t *toolbox) wait() {
	t.cancel()
	t.wg.Wait()
}

// startTool runs a completed function call. The intent is committed before the tool has any effect.
func (s *Session) startTool(ev leg.ModelEvent) {
	if s.tools.seen[ev.CallID] {
		return
	}
	s.tools.seen[ev.CallID] = true
	s.tools.response = ev.ResponseID
	s.memory.add(ev.ItemID, "", leg.HistoryItem{Kind: leg.HistoryToolCall, CallID: ev.CallID, Name: ev.Text, Arguments: ev.Arguments})
	if s.tools.running() >= maxTools {
		s.giveResult(ev.CallID, `{"error":"too many tools are running; wait for their results"}`)
		return
	}
	s.tools.pending[ev.CallID] = true
	call := tool.Call{
		OrgID: s.cfg.Call.OrgID, ConversationID: s.cfg.Call.ID, AgentID: s.cfg.Agent.ID,
		CallID: ev.CallID, Name: ev.Text, Arguments: json.RawMessage(ev.Arguments), Offered: s.cfg.Tools,
	}
	started := parley.ToolStartedData{CallID: ev.CallID, Name: ev.Text, Arguments: argumentsOnRecord(ev.Arguments)}
	rec := s.rec // of this stream: the session may get another one
	s.tools.wg.Go(func() {
		ctx := s.tools.ctx
		var res tool.Result
		if err := rec.Intent(ctx, parley.EventToolStarted, started); err != nil {
			res = tool.Result{Output: `{"error":"the tool was not run: its start could not be recorded"}`, Outcome: "error"}
		} else {
			res = s.runTool(ctx, call)
		}
		s.news <- &toolResult{ev, res} // capacity maxNews: never blocks
	})
}

// argumentsOnRecord keeps what is not JSON as a string: the record must stay readable.
func argumentsOnRecord(args string) json.RawMessage {
	if json.Valid([]byte(args)) {
		return json.RawMessage(args)
	}
	quoted, _ := json.Marshal(args)
	return quoted
}

// giveResult tells the model a tool's result: now, or with the replay when there is no model at the moment.
func (s *Session) giveResult(callID, output string) {
	s.memory.add("", "", leg.HistoryItem{Kind: leg.HistoryToolResult, CallID: callID, Text: output})
	s.modelSent(s.model.SendToolResult(callID, output))
}

// onToolResult gives a result to the model, which is asked to go on when no other call is open.
func (s *Session) onToolResult(r toolResult) {
	delete(s.tools.pending, r.call.CallID)
	s.control(&r, time.Now())
	s.rec.Fact(parley.EventToolCompleted, parley.ToolCompletedData{
		CallID: r.call.CallID, Name: r.call.Text, Result: r.res.Output, Outcome: r.res.Outcome, Ms: r.res.Duration.Milliseconds(),
	})
	s.giveResult(r.call.CallID, r.res.Output)
	if s.leaves(r) {
		s.tools.unseen = false // nor do the results before it ask for another answer
		return
	}
	s.tools.unseen = true
}

// answerResults asks for an answer to the results of tools when all are there and no further call can come: of several
// calls in one response the first may be done before the last is told.
func (s *Session) answerResults() {
	if s.tools.unseen && s.tools.running() == 0 && !s.seq.busy() {
		s.seq.want(leg.Ask{})
	}
}
