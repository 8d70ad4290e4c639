package chat

import (
	"cmp"
	"context"

	"parley"
	"parley/internal/store"
)

// RetryRequest asks for another answer to the message that a run answered, well or badly.
type RetryRequest struct {
	RunID     string
	VisitorID string // as in Request
	// ClientTools are those of the page now, as in Request.
	ClientTools []string
	Claim       func(ctx context.Context, tx *store.Tx, runID string) error
}

// Retry begins a run that answers the newest message of a conversation again. The answer before it stays on record as
// replaced: neither the model nor the visitor sees it any more.
//
// Errors: those of Start; conflict when the run is not the newest of its conversation, or still going on.
func (s *Service) Retry(ctx context.Context, orgID string, req RetryRequest) (*Run, error) {
	row, err := s.o.Store.FindRun(ctx, orgID, req.RunID)
	if err != nil {
		return nil, err
	}
	conv, err := s.o.Store.FindConversation(ctx, orgID, row.ConversationID)
	if err != nil {
		return nil, err
	}
	if req.VisitorID != "" && conv.VisitorID != req.VisitorID {
		return nil, parley.Errorf(parley.CodeNotFound, "Run not found")
	}
	message, err := s.messageOf(ctx, row)
	if err != nil {
		return nil, err
	}
	return s.Start(ctx, orgID, Request{
		AgentID: conv.AgentID, ConversationID: conv.ID, Message: message.Text, Test: conv.Test, VisitorID: req.VisitorID,
		ClientTools: req.ClientTools, Claim: req.Claim, replaces: row, messageID: message.ItemID,
	})
}

// messageOf reads the message that a run answers.
func (s *Service) messageOf(ctx context.Context, row store.Run) (parley.MessageUserData, error) {
	events, err := s.o.Store.ListEvents(ctx, row.OrgID, row.ConversationID, row.MessageSeq-1, 1)
	if err != nil {
		return parley.MessageUserData{}, err
	}
	if len(events) == 0 || events[0].Type != parley.EventMessageUser {
		return parley.MessageUserData{}, parley.Errorf(parley.CodeNotFound, "Message not found")
	}
	return decode[parley.MessageUserData](events[0]), nil
}

// clientScope is where a client's message ids are unique; "" keeps none.
func clientScope(req Request) string { return cmp.Or(req.VisitorID, req.ConversationID) }

// sameMessageError says that the message was accepted before.
type sameMessageError struct{ run store.Run }

func (*sameMessageError) Error() string { return "the message was accepted before" }

// sameMessage fails with a *sameMessageError when the client's message id is known.
func sameMessage(ctx context.Context, tx *store.Tx, orgID string, req Request) error {
	scope := clientScope(req)
	if scope == "" || req.ClientMessageID == "" {
		return nil
	}
	known, err := tx.FindClientRun(ctx, orgID, scope, req.ClientMessageID)
	if parley.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return &sameMessageError{known}
}

// again returns the run that a message with the same client's id began.
func (s *Service) again(ctx context.Context, row store.Run, req Request) (*Run, error) {
	message, err := s.messageOf(ctx, row)
	if err != nil {
		return nil, err
	}
	if message.Text != req.Message || req.ConversationID != "" && req.ConversationID != row.ConversationID {
		return nil, parley.Errorf(parley.CodeConflict, "The clientMessageId was used for another message: give each message its own")
	}
	if r, ok := s.Find(row.OrgID, row.ID); ok {
		return r, nil
	}
	return s.Recall(ctx, row.OrgID, row.ID)
}
