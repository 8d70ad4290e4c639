package chat

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
	"parley/internal/tool"
)

// turn is a run at work. Until it is launched its fields belong to whoever accepts its message, then to its goroutine,
// except those that the keeper reads.
type turn struct {
	s        *Service
	run      *Run
	row      store.Run
	agent    parley.Agent
	endpoint openai.Endpoint
	conv     parley.Conversation
	created  bool   // this turn began the conversation
	message  string // the visitor's
	began    time.Time

	life   context.Context //nolint:containedctx // of the run: it ends with cancel
	cancel context.CancelCauseFunc
	work   *work // nil until it is launched
	writer atomic.Pointer[log.Writer]
	leased atomic.Bool // the run's row is committed
	saver  *saver

	tail     tail
	budget   int // bytes of history
	tools    []parley.Tool
	messages []openai.ChatMessage // of this turn, after the history

	events    []parley.Event // of this turn, for the summary
	firstText time.Duration  // from the beginning to the first text out
	firstByte time.Duration  // from the model's first request to its first sign
	rounds    int
	guard     *tool.Guard
	listened  bool            // the guard has heard the message
	visitor   *parley.Visitor // nil until it is looked up
	toolBytes int
	answerID  string // item id of the last assistant message
	result    Result
}

// newTurn makes a turn that does not end with ctx.
func newTurn(ctx context.Context, s *Service, message string) *turn {
	t := &turn{s: s, message: message, began: time.Now()}
	t.life, t.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return t
}

// work is the goroutine of a turn. It begins before the message is committed and shows nothing until then.
type work struct {
	cancel    context.CancelCauseFunc
	accepted  chan struct{} // closed when the message is committed
	retracted chan struct{} // closed when it will not be
	done      chan struct{} // closed with the end of the goroutine
}

// errRetracted ends work on a message that was not accepted.
var errRetracted = errors.New("the message was not accepted")

// launch starts the work.
func (t *turn) launch() {
	ctx, cancel := context.WithCancelCause(t.life)
	w := &work{cancel: cancel, accepted: make(chan struct{}), retracted: make(chan struct{}), done: make(chan struct{})}
	t.work = w
	go func() {
		defer close(w.done)
		defer cancel(nil)
		ctx, stop := context.WithTimeoutCause(ctx, t.s.o.Deadline, errDeadline)
		defer stop()
		err := t.answer(ctx)
		if ctx.Err() != nil && err != nil {
			err = context.Cause(ctx)
		}
		select {
		case <-w.accepted:
			t.finish(err)
			t.cancel(nil)
			t.s.release(t)
		case <-w.retracted: // as if it had never been
		}
	}()
}

// retract ends the work on a message that is not accepted, or not yet, and forgets it.
func (t *turn) retract() {
	if t.work == nil {
		return
	}
	t.work.cancel(errRetracted)
	close(t.work.retracted)
	<-t.work.done // it has only read, and asked the model, which lets go at once
	t.work, t.tail, t.messages, t.rounds = nil, tail{}, nil, 0
	t.budget = historyBudget(t.agent.Model)
}

// confirm says that the message is committed: now the turn may write, and readers may read.
func (t *turn) confirm() {
	w := t.s.o.Log.Open(t.run.OrgID, t.conv.ID, t.conv.Epoch, t.conv.LastSeq)
	t.writer.Store(w)
	t.saver = newSaver(t.run, t.row, w)
	t.leased.Store(true)
	close(t.work.accepted)
}

// committed waits until the message is on record; the error is why it never will be.
func (t *turn) committed(ctx context.Context) error {
	select {
	case <-t.work.accepted:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-t.work.accepted: // both: a run that is stopped may still write what it has
		return nil
	default:
		return context.Cause(ctx)
	}
}
