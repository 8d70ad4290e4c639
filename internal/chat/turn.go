package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"parley"
	"parley/internal/openai"
)

// simulatedNotice stands in the log of every conversation that the built-in model answered.
const simulatedNotice = "Parley's built-in simulated model answered: no OpenAI key is configured. Its texts are examples, not the work of a language model."

// betweenRounds stands between the texts of two requests to the model: one answer to the visitor.
const betweenRounds = "\n\n"

// errPanic is the failure of a turn that met a bug of ours.
var errPanic = errors.New("the turn panicked")

// incompleteError says that the model stopped at a limit or a filter.
type incompleteError struct{ reason string }

func (e *incompleteError) Error() string {
	return "the model ended its answer early: " + e.reason
}

// errNoAnswer says that the model ended without a word.
var errNoAnswer = errors.New("the model gave no answer")

// work is the life of a turn.
func (t *turn) work(ctx context.Context) {
	defer t.s.release(t)
	defer t.run.cancel(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, t.s.o.Deadline, errDeadline)
	defer cancel()
	if err := t.accept(ctx); err != nil {
		t.accepted <- err
		t.abandon(err)
		return
	}
	t.accepted <- nil
	err := t.answer(ctx)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	t.finish(err)
}

// accept puts the message on record before anything happens because of it: three events, one commit.
func (t *turn) accept(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	if t.created {
		t.fact(parley.EventConversationStarted, parley.ConversationStartedData{
			Channel: parley.ChannelChat, Direction: t.conv.Direction, AgentID: t.agent.ID, AgentName: t.agent.Name,
			Model: t.agent.Model, Test: t.conv.Test,
		})
	}
	started := parley.RunData{RunID: t.run.ID, Replaces: t.replaces.ID}
	if t.replaces.ID != "" {
		return t.intent(ctx, parley.EventRunStarted, started) // its message is on record
	}
	t.fact(parley.EventRunStarted, started)
	return t.intent(ctx, parley.EventMessageUser, parley.MessageUserData{ItemID: t.run.UserMessageID, Text: t.message})
}

// answer asks the model until it answers in words, running the tools it asks for in between. A panic is a
// failed turn, not a dead server.
func (t *turn) answer(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.logger().Error("chat turn panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	if t.tail, err = readTail(ctx, t.s.o.Store, t.run.OrgID, t.conv.ID, t.conv.LastSeq, t.budget); err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	t.messages = []openai.ChatMessage{{Role: "user", Text: t.message}}
	for {
		noTools := t.rounds == maxRounds-1 || t.calls >= maxCalls
		a, err := t.ask(ctx, noTools)
		if err != nil {
			return err
		}
		if len(a.ToolCalls) == 0 || noTools {
			if a.Text == "" {
				return errNoAnswer
			}
			return nil
		}
		t.messages = append(t.messages, openai.ChatMessage{Role: "assistant", Text: a.Text, ToolCalls: a.ToolCalls})
		results, err := t.runTools(ctx, a.ToolCalls)
		if err != nil {
			return err
		}
		t.messages = append(t.messages, results...)
	}
}

// ask gets one message of the model and records it. When the history is longer than the model can read, it
// is halved and the model is asked again: nothing has been generated then.
func (t *turn) ask(ctx context.Context, noTools bool) (openai.ChatAnswer, error) {
	t.rounds++
	for {
		a, err := t.s.o.Model.Complete(ctx, openai.ChatRequest{
			Endpoint: t.endpoint, Model: t.agent.Model, Messages: t.prompt(), Tools: t.tools, NoTools: noTools,
		}, t.text())
		e, _ := errors.AsType[*openai.ChatError](err)
		if e != nil && e.Code == openai.ChatContextLength && a.FirstByte == 0 && t.budget > 1000 {
			t.budget /= 2
			continue
		}
		t.record(a, err)
		if err == nil && !a.Complete() {
			err = &incompleteError{a.FinishReason}
		}
		return a, err
	}
}

// prompt is everything the model reads: instructions, what was said before, this turn.
func (t *turn) prompt() []openai.ChatMessage {
	var instructions []openai.ChatMessage
	if t.agent.Instructions != "" {
		instructions = []openai.ChatMessage{{Role: "system", Text: t.agent.Instructions}}
	}
	before := t.tail.events
	if t.replaces.ID != "" { // the message that is answered again is in t.messages
		i, _ := slices.BinarySearchFunc(before, t.replaces.MessageSeq, func(e parley.Event, seq int64) int { return cmp.Compare(e.Seq, seq) })
		before = before[:i]
	}
	return slices.Concat(instructions, historyMessages(before, t.budget), t.messages)
}

// text hands the model's words to the run's readers. Between the texts of two rounds stands an empty line.
func (t *turn) text() func(string) {
	first := true
	return func(s string) {
		if first {
			first = false
			if t.firstText == 0 {
				t.firstText = time.Since(t.began)
			} else {
				s = betweenRounds + s
			}
		}
		t.run.addText(s)
	}
}

// record writes what one request to the model brought, whole or broken off.
func (t *turn) record(a openai.ChatAnswer, err error) {
	if a.FirstByte > 0 && t.firstByte == 0 {
		t.firstByte = a.FirstByte
		if !t.tail.connected(t.endpoint.Simulated) {
			d := parley.ModelConnectedData{Model: t.agent.Model, Ms: ms(a.FirstByte), Simulated: t.endpoint.Simulated}
			if d.Simulated {
				d.Notice = simulatedNotice
			}
			t.fact(parley.EventModelConnected, d)
		}
	}
	if a.Text != "" {
		t.answerID = parley.NewID()
		t.fact(parley.EventMessageAssistant, parley.MessageAssistantData{
			ItemID: t.answerID, ResponseID: a.ID, Text: a.Text, Complete: err == nil && a.Complete(),
		})
	}
	if a.Usage != nil {
		t.fact(parley.EventUsage, t.s.o.Bill.Response(t.agent.Model, a.ID, *a.Usage, t.endpoint.Simulated))
	}
}

// fact appends an event that need not be waited for.
func (t *turn) fact(typ string, data any) {
	t.events = append(t.events, parley.NewEvent(typ, time.Now(), data))
	t.writer.Load().Fact(typ, data)
}

// intent appends an event, with all before it, and waits for the commit.
func (t *turn) intent(ctx context.Context, typ string, data any) error {
	t.events = append(t.events, parley.NewEvent(typ, time.Now(), data))
	return t.writer.Load().Intent(ctx, typ, data)
}

func (t *turn) logger() *slog.Logger {
	return t.s.log.With(slog.String("org_id", t.run.OrgID), slog.String("conversation_id", t.conv.ID), slog.String("run_id", t.run.ID))
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
