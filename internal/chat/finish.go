package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/store"
)

// What a visitor reads when a turn fails. Providers' texts stay in the log.
const (
	sayUnavailable = "The assistant cannot answer right now. Please try again in a moment."
	sayInterrupted = "The answer broke off. Please try again."
	sayTooLong     = "The answer took too long. Please try again."
	sayRestarting  = "The server is restarting. Please send your message again in a moment."
	sayIncomplete  = "The answer is incomplete."
	sayInternal    = "Something went wrong on our side. Please try again."
)

// finish puts the end of the turn on record and then tells the readers. It has its own deadline: the turn's
// may be what ended it.
func (t *turn) finish(failure error) {
	status := StatusCompleted
	var toVisitor *parley.Error
	switch {
	case errors.Is(failure, errStopped):
		status = StatusStopped
	case failure != nil:
		status = StatusFailed
		toVisitor = t.explain(failure)
	}
	t.saver.save()
	text := t.run.answer()
	if status == StatusCompleted {
		t.run.add(EventMessageCompleted, MessageData{MessageID: t.answerID, Text: text})
	}
	if t.firstText > 0 {
		t.fact(parley.EventTurnLatency, parley.TurnLatencyData{
			ItemID: t.run.UserMessageID, FirstByteMs: ms(t.firstByte), ResponseMs: ms(t.firstText),
		})
	}
	end := store.RunEnd{MessageID: t.answerID}
	if toVisitor != nil {
		end.ErrorType, end.ErrorText = string(toVisitor.Code), toVisitor.Message
	}
	if err := t.settle(status, end); err != nil {
		t.logger().Error("the end of a chat turn could not be recorded", slog.Any("error", err))
		if status != StatusFailed {
			status, toVisitor = StatusFailed, &parley.Error{Code: parley.CodeInternal, Message: sayInternal, Cause: err}
		}
	}
	t.conclude(status, text, toVisitor)
}

// settle commits the end: the last event, the conversation's summary and the release of the run, together. A
// visitor who has seen run.completed can send the next message at once.
func (t *turn) settle(status string, end store.RunEnd) error {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	summary := summarize(t.conv.Summary, t.tail, t.events)
	t.result.Usage = parley.Project(t.events).Usage
	w := t.writer.Load()
	defer w.Close()
	return w.Intent(ctx, parley.EventRunCompleted, parley.RunData{RunID: t.run.ID, Status: status},
		func(ctx context.Context, tx *store.Tx) error {
			conv, err := tx.FindConversation(ctx, t.run.OrgID, t.conv.ID) // first: take locks in this order, too
			if err != nil {
				return err
			}
			if err := tx.FinishRun(ctx, t.run.OrgID, t.run.ID, store.RunStatus(status), time.Now(), end); err != nil {
				return fmt.Errorf("ending the run: %w", err)
			}
			conv.Summary, conv.Simulated = summary, conv.Simulated || t.endpoint.Simulated
			return tx.UpdateConversation(ctx, t.run.OrgID, conv)
		})
}

// conclude ends the run for its readers.
func (t *turn) conclude(status, text string, failure *parley.Error) {
	t.result.ConversationID, t.result.RunID, t.result.Status = t.conv.ID, t.run.ID, status
	t.result.Text, t.result.MessageID, t.result.Simulated = text, t.answerID, t.endpoint.Simulated
	t.run.over(time.Now(), t.result, failure)
}

// explain records why a turn failed, for the operator, and returns what the visitor may know.
func (t *turn) explain(failure error) *parley.Error {
	where, typ, say := "session", "internal", sayInternal
	code := parley.CodeUnavailable
	provider, isProvider := errors.AsType[*openai.ChatError](failure)
	incomplete, isIncomplete := errors.AsType[*incompleteError](failure)
	switch {
	case isProvider:
		where, typ, say = "model", string(provider.Kind), sayUnavailable
		if provider.Kind == openai.ChatInterrupted {
			say = sayInterrupted
		}
	case isIncomplete:
		where, typ, say = "model", incomplete.reason, sayIncomplete
	case errors.Is(failure, errNoAnswer):
		where, typ, say = "model", "no_answer", sayUnavailable
	case errors.Is(failure, errDeadline):
		typ, say = "deadline", sayTooLong
	case errors.Is(failure, errClosing):
		typ, say = "server_stopped", sayRestarting
	case errors.Is(failure, errLost), errors.Is(failure, store.ErrFenced):
		typ, say = "lost", sayInterrupted
	default:
		code = parley.CodeInternal
	}
	message := failure.Error()
	if code == parley.CodeInternal {
		message = "internal error, see the server's log" // it may name files, addresses or SQL
	}
	t.fact(parley.EventError, parley.ErrorData{Where: where, Type: typ, Message: message})
	t.logger().Warn("chat turn failed", slog.String("where", where), slog.String("type", typ), slog.Any("error", failure))
	return &parley.Error{Code: code, Message: say, Cause: failure}
}
