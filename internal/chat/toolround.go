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
	call    openai.ChatToolCall
	refusal string // why it is not run; the model reads it as the result
	result  tool.Result
}

// runTools runs the calls of one message side by side and returns their results in the order of the calls.
// That they start is committed before any of them does; every call gets a result, whatever happens.
func (t *turn) runTools(ctx context.Context, calls []openai.ChatToolCall) ([]openai.ChatMessage, error) {
	jobs := make([]*toolJob, len(calls))
	for i, c := range calls {
		jobs[i] = &toolJob{call: c, refusal: t.refuse(c)}
	}
	if err := t.startTools(ctx, calls); err != nil {
		return nil, err
	}

	done := make(chan *toolJob, len(jobs)) // a place for each: nobody waits to report
	slots := make(chan struct{}, parallelCalls)
	for _, j := range jobs {
		if j.refusal != "" {
			j.result = tool.Result{Output: j.refusal, Outcome: tool.OutcomeError}
			done <- j
			continue
		}
		go func() {
			slots <- struct{}{}
			j.result = t.s.o.Tools.Run(ctx, tool.Call{
				OrgID: t.run.OrgID, ConversationID: t.conv.ID, AgentID: t.agent.ID, CallID: j.call.ID,
				Name: j.call.Name, Arguments: json.RawMessage(j.call.Arguments), Offered: t.tools,
				Page: t.page,
			})
			<-slots
			done <- j
		}()
	}
	for range jobs {
		t.toolDone(<-done) // Run returns at its timeout at the latest
	}

	results := make([]openai.ChatMessage, len(jobs))
	for i, j := range jobs {
		results[i] = openai.ChatMessage{Role: "tool", ToolCallID: j.call.ID, Text: j.result.Output}
	}
	return results, ctx.Err()
}

// refuse says why a call is not run: too many in this turn, or the same one again and again.
func (t *turn) refuse(c openai.ChatToolCall) string {
	t.calls++
	key := c.Name + "\x00" + c.Arguments
	t.same[key]++
	switch {
	case t.calls > maxCalls:
		return "Not run: too many tool calls for one message. Answer with what you have."
	case t.same[key] > maxSameCall:
		return "Not run: this same call was made three times already. Use those results."
	}
	return ""
}

// startTools commits that the calls start, all in one transaction, and tells the readers.
func (t *turn) startTools(ctx context.Context, calls []openai.ChatToolCall) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	for i, c := range calls {
		d := parley.ToolStartedData{CallID: c.ID, Name: c.Name, Arguments: recordedArguments(c.Arguments)}
		if i < len(calls)-1 {
			t.fact(parley.EventToolStarted, d)
		} else if err := t.intent(ctx, parley.EventToolStarted, d); err != nil {
			return err
		}
	}
	for _, c := range calls {
		t.run.add(EventToolStarted, ToolData{ID: c.ID, Name: c.Name})
	}
	t.saver.save()
	return nil
}

// toolDone records a result. Together the results of a turn are bounded: the model must have room to answer.
func (t *turn) toolDone(j *toolJob) {
	room := max(maxToolBytes-t.toolBytes, 1000)
	j.result.Output = tool.Cut(j.result.Output, room)
	t.toolBytes += len(j.result.Output)

	t.fact(parley.EventToolCompleted, parley.ToolCompletedData{
		CallID: j.call.ID, Name: j.call.Name, Result: j.result.Output, Outcome: j.result.Outcome, Ms: ms(j.result.Duration),
	})
	t.run.add(EventToolCompleted, ToolData{ID: j.call.ID, Name: j.call.Name})
	t.saver.save()
	output := j.result.Output
	t.result.ToolCalls = append(t.result.ToolCalls, parley.ToolCall{
		ID: j.call.ID, Name: j.call.Name, Arguments: recordedArguments(j.call.Arguments), Result: &output,
		Outcome: j.result.Outcome, Ms: ms(j.result.Duration), At: time.Now().UTC().Truncate(time.Microsecond),
	})
}
