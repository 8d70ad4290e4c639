package chat

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"parley"
	"parley/internal/event"
	"parley/internal/store"
	"parley/internal/tool"
)

// Bounds of what a page says, and of the wait for it.
const (
	maxPageFailure = 1000            // bytes of the words why there is no result
	lookForAnswer  = 2 * time.Second // at the store, in case that word of an answer was lost between processes
	closeTime      = 3 * time.Second // to put the end of a call on record
)

// page asks the page with the chat to run a tool call and waits for its answer, or for the end of ctx: then no answer is
// taken any more. Whoever follows the run is asked, in whichever process; the answer comes by way of the store, and the
// bus says so.
func (t *turn) page(ctx context.Context, callID, functionName string, arguments json.RawMessage) (json.RawMessage, error) {
	id := parley.NewID()
	answered, unsubscribe := t.s.o.Log.Bus().Subscribe(id)
	defer unsubscribe()
	err := t.s.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.CreatePageCall(ctx, t.run.OrgID, t.run.ID, id) })
	if err != nil {
		return nil, err
	}
	t.run.add(EventToolRequested, ToolRequestedData{ID: callID, RequestID: id, Name: functionName, Arguments: arguments})
	t.saver.save()

	waiting := t.awaitPage(ctx, id, answered)
	c, err := t.closePage(ctx, id)
	switch {
	case err != nil:
		return nil, errors.Join(waiting, err)
	case c.Failed:
		return nil, &tool.PageError{Message: c.Result}
	case c.Answered: // at the last moment counts as well
		return json.RawMessage(c.Result), nil
	}
	return nil, waiting
}

// awaitPage waits until a call is answered.
func (t *turn) awaitPage(ctx context.Context, id string, answered <-chan int64) error {
	var look <-chan time.Time
	if t.s.o.Store.Shared() {
		ticker := time.NewTicker(lookForAnswer)
		defer ticker.Stop()
		look = ticker.C
	}
	for {
		select {
		case <-answered:
		case <-look:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c, err := t.s.o.Store.FindPageCall(ctx, t.run.OrgID, t.run.ID, id); err != nil || c.Answered {
			return err
		}
	}
}

// closePage takes what a page answered, if it did, and sees to it that it can no longer.
func (t *turn) closePage(ctx context.Context, id string) (c store.PageCall, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	err = t.s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.FindPageCall(ctx, t.run.OrgID, t.run.ID, id); err != nil {
			return err
		}
		return tx.ClosePageCall(ctx, t.run.OrgID, t.run.ID, id)
	})
	return c, err
}

// ClaimTool gives a requested tool call to the page that made up the claim, and reports whether that page shall run it:
// a call goes to one page only. The same claim may be made again.
//
// Errors: not_found.
func (s *Service) ClaimTool(ctx context.Context, orgID, runID, requestID, claim string) (mine bool, err error) {
	err = s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		mine, err = tx.ClaimPageCall(ctx, orgID, runID, requestID, claim)
		return err
	})
	return mine, err
}

// PageAnswer is what a page says of a tool call that it was asked to run.
type PageAnswer struct {
	RequestID string
	Claim     string          // with which it was claimed; a call that nobody claimed may be answered with any
	Result    json.RawMessage // of the handler; nil when it failed
	Failure   string          // then the reason, in the page's words
}

// AnswerTool takes a page's answer, whichever process waits for it. The first one counts; the same page may send it
// again.
//
// Errors: not_found; conflict when the call is over, or another page runs it.
func (s *Service) AnswerTool(ctx context.Context, orgID, runID string, a PageAnswer) error {
	c := store.PageCall{ID: a.RequestID, Claim: a.Claim, Failed: a.Result == nil, Result: storable(string(a.Result))}
	if c.Failed {
		c.Result = tool.Cut(storable(a.Failure), maxPageFailure)
	}
	word := event.Position{ConversationID: a.RequestID, Seq: 1}
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.AnswerPageCall(ctx, orgID, runID, c); err != nil {
			return err
		}
		return s.o.Log.Bus().Notify(ctx, tx, word)
	})
	if err == nil {
		s.o.Log.Bus().Publish(word.ConversationID, word.Seq)
	}
	return err
}
