package chat

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"parley"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/store"
)

// turn is a run at work. Its fields belong to its goroutine, except those that the keeper reads.
type turn struct {
	s        *Service
	run      *Run
	agent    parley.Agent
	endpoint openai.Endpoint
	conv     parley.Conversation
	created  bool      // this turn began the conversation
	message  string    // the visitor's
	replaces store.Run // the run whose answer this one replaces; zero for a new message
	began    time.Time
	accepted chan error // one value: nil once the message is on record

	writer atomic.Pointer[log.Writer]
	leased atomic.Bool // the run's row exists

	tail     tail
	budget   int // bytes of history
	tools    []parley.Tool
	messages []openai.ChatMessage // of this turn, after the history

	events    []parley.Event // of this turn, for the summary
	firstText time.Duration  // from the beginning to the first text out
	firstByte time.Duration  // from the model's first request to its first sign
	rounds    int
	calls     int
	same      map[string]int // identical calls
	toolBytes int
	answerID  string // item id of the last assistant message
	result    Result
}

// begin checks a request, makes or finds the conversation, takes its lease, and starts the turn.
func (s *Service) begin(ctx context.Context, orgID string, req Request) (*turn, error) {
	if err := checkMessage(req.Message); err != nil {
		return nil, err
	}
	t := &turn{s: s, message: req.Message, began: time.Now(), accepted: make(chan error, 1), same: map[string]int{}}
	if err := s.enter(t); err != nil {
		return nil, err
	}
	started := false
	defer func() {
		if !started {
			s.release(t)
		}
	}()

	var err error
	if t.agent, err = s.findAgent(ctx, orgID, req); err != nil {
		return nil, err
	}
	if t.endpoint, err = s.o.Endpoint(ctx, orgID); err != nil {
		return nil, fmt.Errorf("finding the model provider: %w", err)
	}
	t.tools = slices.DeleteFunc(s.o.Tools.Tools(ctx, orgID, t.agent.ToolIDs), func(t parley.Tool) bool { return t.Control })
	t.budget = historyBudget(t.agent.Model)

	t.run = newRun(orgID, t.agent.ID, req.ConversationID)
	if t.replaces = req.replaces; t.replaces.ID != "" {
		t.run.UserMessageID = req.messageID
	}
	t.run.Simulated = t.endpoint.Simulated
	if err := s.take(ctx, t, req); err != nil {
		return nil, err
	}
	t.leased.Store(true)
	t.writer.Store(s.o.Log.Open(orgID, t.conv.ID, t.conv.Epoch, t.conv.LastSeq))
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	t.run.cancel = cancel
	s.publish(t.run)
	started = true
	go t.work(work)
	return t, nil
}

func checkMessage(text string) error {
	switch n := utf8.RuneCountInString(text); {
	case parley.IsBlank(text):
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: "must not be empty"}})
	case n > MaxMessage:
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: fmt.Sprintf("must have at most %d characters, has %d", MaxMessage, n)}})
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return parley.Invalid([]parley.FieldError{{Field: "message", Message: "must be valid UTF-8 text without NUL"}})
	}
	return nil
}

func (s *Service) findAgent(ctx context.Context, orgID string, req Request) (parley.Agent, error) {
	if !parley.IsID(req.AgentID) {
		return parley.Agent{}, parley.Errorf(parley.CodeNotFound, "Agent not found")
	}
	a, err := s.o.Store.FindAgent(ctx, orgID, req.AgentID)
	switch {
	case err != nil:
		return a, err
	case a.Type != parley.AgentChat:
		return a, parley.Errorf(parley.CodeInvalid, "This is a %s agent: only chat agents take messages", a.Type)
	case !a.Status.Answers() && !req.Test:
		return a, parley.Errorf(parley.CodeUnavailable, "The agent does not answer: its status is %s. Make it active or deployed.", a.Status)
	}
	return a, nil
}

// take makes or finds the conversation and takes its lease, in one transaction: a conversation has one run at
// a time, and its epoch shuts out whoever held it before.
func (s *Service) take(ctx context.Context, t *turn, req Request) error {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	orgID := t.run.OrgID
	return s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if clientScope(req) != "" && req.ClientMessageID != "" {
			same, err := tx.FindClientRun(ctx, orgID, clientScope(req), req.ClientMessageID)
			if err == nil {
				return &sameMessageError{same}
			} else if !parley.IsNotFound(err) {
				return err
			}
		}
		if req.Claim != nil {
			if err := req.Claim(ctx, tx, t.run.ID); err != nil {
				return err
			}
		}
		t.created = req.ConversationID == ""
		if t.created {
			t.conv = parley.Conversation{
				ID: parley.NewID(), OrgID: orgID, AgentID: t.agent.ID, AgentName: t.agent.Name,
				Channel: parley.ChannelChat, Status: parley.ConversationActive, Direction: "inbound",
				StartedAt: t.began.UTC(), Simulated: t.endpoint.Simulated, Test: req.Test,
				VisitorID: req.VisitorID, Origin: req.Origin,
			}
			err = tx.CreateConversation(ctx, orgID, t.conv)
		} else {
			t.conv, err = findConversation(ctx, tx, orgID, req)
		}
		if err != nil {
			return err
		}
		t.run.ConversationID = t.conv.ID
		if t.replaces.ID != "" {
			newest, err := tx.FindNewestRun(ctx, orgID, t.conv.ID)
			if err != nil {
				return err
			}
			if newest.ID != t.replaces.ID {
				return parley.Errorf(parley.CodeConflict, "Only the newest answer can be given again")
			}
		}
		t.conv.Epoch, t.conv.LastSeq, err = tx.RaiseEpoch(ctx, orgID, t.conv.ID)
		if err != nil {
			return err
		}
		row := store.Run{
			ID: t.run.ID, ConversationID: t.conv.ID, Owner: s.o.Owner, Status: store.RunRunning, LeaseUntil: time.Now().Add(s.o.Lease),
			AfterSeq: t.conv.LastSeq, ClientScope: clientScope(req), ClientMessageID: req.ClientMessageID, Replaces: t.replaces.ID,
		}
		row.MessageSeq = row.AfterSeq + 2 // behind run.started
		if t.created {
			row.MessageSeq++
		}
		if t.replaces.ID != "" {
			row.MessageSeq = t.replaces.MessageSeq
		}
		return tx.CreateRun(ctx, orgID, row)
	})
}

// findConversation finds a chat of the agent; any other conversation does not exist for this request.
func findConversation(ctx context.Context, tx *store.Tx, orgID string, req Request) (parley.Conversation, error) {
	unknown := parley.Errorf(parley.CodeNotFound, "Conversation not found")
	if !parley.IsID(req.ConversationID) {
		return parley.Conversation{}, unknown
	}
	c, err := tx.FindConversation(ctx, orgID, req.ConversationID)
	if err == nil && (c.AgentID != req.AgentID || c.Channel != parley.ChannelChat || req.VisitorID != "" && c.VisitorID != req.VisitorID) {
		return parley.Conversation{}, unknown
	}
	return c, err
}

// clientScope is where a client's message ids are unique.
func clientScope(req Request) string { return cmp.Or(req.VisitorID, req.ConversationID) }

// sameMessageError says that the message was accepted before.
type sameMessageError struct{ run store.Run }

func (*sameMessageError) Error() string { return "the message was accepted before" }
