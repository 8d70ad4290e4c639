package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
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

// answer asks the model until it answers in words, running the tools it asks for in between. A panic is a
// failed turn, not a dead server.
func (t *turn) answer(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.logger().Error("chat turn panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	if t.tail, err = readTail(ctx, t.s.o.Store, t.run.OrgID, t.conv.ID, t.row.AfterSeq, t.budget); err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	if err = t.meetGuard(ctx); err != nil {
		return fmt.Errorf("reading the tools' history: %w", err)
	}
	t.messages = []openai.ChatMessage{{Role: "user", Text: t.message}}
	for {
		noTools := t.rounds == maxRounds-1 || t.guard.Exhausted()
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
		}, t.text(ctx))
		if err := t.committed(ctx); err != nil {
			return a, err
		}
		t.listen()
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
	if i := slices.IndexFunc(before, func(e parley.Event) bool { return e.Seq >= t.row.MessageSeq }); i >= 0 {
		before = before[:i] // the message is answered again: it is in t.messages
	}
	return slices.Concat(instructions, historyMessages(before, t.budget), t.messages)
}

// text hands the model's words to the run's readers, once the message is committed. Between the texts of two rounds
// stands an empty line.
func (t *turn) text(ctx context.Context) func(string) {
	first := true
	return func(s string) {
		if first {
			if t.committed(ctx) != nil {
				return
			}
			first = false
			if t.firstText == 0 {
				t.firstText = time.Since(t.began)
			} else {
				s = betweenRounds + s
			}
		}
		s = storable(s)
		t.run.addText(s)
		t.saver.said(s)
	}
}

// storable replaces what a database cannot keep. It changes no number of characters that a client may have counted.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// record writes what one request to the model brought, whole or broken off.
func (t *turn) record(a openai.ChatAnswer, err error) {
	t.saver.save() // the log's text is never ahead of the chunks
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
		a.Text = storable(a.Text)
		t.answerID = parley.NewID()
		t.fact(parley.EventMessageAssistant, parley.MessageAssistantData{
			ItemID: t.answerID, ResponseID: a.ID, Text: a.Text, Complete: err == nil && a.Complete(),
		})
		if err == nil && a.Complete() {
			t.guard.Asked(t.answerID, a.Text, time.Now())
		}
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
