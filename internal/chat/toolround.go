package chat

import (
	"context"
	"encoding/json"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/tool"
)

// toolJob is one tool call of a round.
type toolJob struct {
	call    tool.Call
	started parley.ToolStartedData
	run     bool // the guard lets it
	result  tool.Result
}

// runTools runs the calls of one message and returns their results in the order of the calls: side by side, but two
// calls of one tool that changes something after each other. Every call gets a result, whatever happens.
func (t *turn) runTools(ctx context.Context, calls []openai.ChatToolCall) ([]openai.ChatMessage, error) {
	jobs := make([]*toolJob, len(calls))
	sub := t.visitorSub(ctx)
	for i, c := range calls {
		jobs[i] = &toolJob{call: tool.Call{
			OrgID: t.run.OrgID, ConversationID: t.conv.ID, AgentID: t.agent.ID, CallID: c.ID,
			Name: c.Name, Arguments: json.RawMessage(c.Arguments), Offered: t.tools, Page: t.page,
			VisitorSub: sub, ContactID: parley.VisitorContact(t.run.OrgID, t.agent.ID, sub),
		}}
	}
	for waiting := jobs; len(waiting) > 0; {
		var now []*toolJob
		now, waiting = t.decide(waiting)
		if err := t.startTools(ctx, now); err != nil {
			return nil, err
		}
		t.runRound(ctx, now)
	}
	results := make([]openai.ChatMessage, len(jobs))
	for i, j := range jobs {
		results[i] = openai.ChatMessage{Role: "tool", ToolCallID: j.call.CallID, Text: j.result.Output}
	}
	return results, ctx.Err()
}

// decide asks the guard about calls; later are those that have to wait for others among them.
func (t *turn) decide(jobs []*toolJob) (now, later []*toolJob) {
	for _, j := range jobs {
		d := t.guard.Decide(j.call, 0, time.Now())
		if d.Verdict == tool.Wait {
			later = append(later, j)
			continue
		}
		j.started, j.run, j.result = d.Started, d.Verdict == tool.Run, d.Result
		j.call.Arguments = d.Arguments
		now = append(now, j)
	}
	return now, later
}

// runRound runs calls side by side and waits for all of them.
func (t *turn) runRound(ctx context.Context, jobs []*toolJob) {
	done := make(chan *toolJob, len(jobs)) // a place for each: nobody waits to report
	slots := make(chan struct{}, parallelCalls)
	for _, j := range jobs {
		if !j.run {
			done <- j
			continue
		}
		go func() {
			slots <- struct{}{}
			j.result = t.s.o.Tools.Run(ctx, j.call)
			<-slots
			done <- j
		}()
	}
	for range jobs {
		t.toolDone(<-done) // Run returns at its timeout at the latest
	}
}

// startTools commits that the calls start, all in one transaction, before any of them does, and tells the readers.
func (t *turn) startTools(ctx context.Context, jobs []*toolJob) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	for i, j := range jobs {
		if i < len(jobs)-1 {
			t.fact(parley.EventToolStarted, j.started)
		} else if err := t.intent(ctx, parley.EventToolStarted, j.started); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		t.run.add(EventToolStarted, ToolData{ID: j.call.CallID, Name: j.call.Name})
	}
	t.saver.save()
	return nil
}

// toolDone records a result. Together the results of a turn are bounded: the model must have room to answer.
func (t *turn) toolDone(j *toolJob) {
	room := max(maxToolBytes-t.toolBytes, 1000)
	j.result.Output = tool.Fit(j.result.Output, room)
	t.toolBytes += len(j.result.Output)

	d := t.guard.Done(j.call, j.result)
	t.fact(parley.EventToolCompleted, d)
	if c := t.s.o.Counts; c != nil {
		c.Count(parley.ChannelChat, d)
	}
	t.run.add(EventToolCompleted, ToolData{ID: j.call.CallID, Name: j.call.Name})
	t.saver.save()
	t.result.ToolCalls = append(t.result.ToolCalls, parley.ToolCall{
		ID: d.CallID, Name: d.Name, Arguments: j.started.Arguments, Result: &d.Result, Outcome: d.Outcome, Ms: d.Ms,
		At: time.Now().UTC().Truncate(time.Microsecond), ToolID: d.ToolID, Kind: d.Kind, Detail: d.Detail,
	})
}
