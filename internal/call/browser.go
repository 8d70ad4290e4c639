package call

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"parley"
	"parley/internal/log"
	"parley/internal/secret"
	"parley/internal/store"
)

// A browser call has no carrier that would dial again: its page attaches with a token from the API, and comes back
// with another one. The first is minted as long as a stream token lives; the one that the page gets over its
// socket lives as long as the call.
const (
	// BrowserTokenLife is how long a token from the API is valid.
	BrowserTokenLife = tokenLife
	// BrowserAway is how long a call waits for its page to come back.
	BrowserAway = detachedLife
	// maxBrowserResumes bounds how often the page of one call may come back: each time costs a model session.
	maxBrowserResumes = 20
	// maxBrowserCall bounds the resume token; an agent's maxDuration ends calls earlier.
	maxBrowserCall = 24 * time.Hour
)

// ErrResumes says that the page of a call came back too often.
var ErrResumes = errors.New("too many resumes")

// bound stands between a token and its origin. No token contains it.
const bound = " "

// boundToken is the form in which a token that belongs to one origin is stored and used up. An empty origin
// leaves the token free.
func boundToken(token, origin string) string {
	if origin == "" {
		return token
	}
	return token + bound + strings.ToLower(origin)
}

// WebCall asks for a token of a browser call.
type WebCall struct {
	AgentID        string
	ConversationID string // "" begins a call; otherwise the browser call of the agent that comes back
	AllowedOrigin  string // the only origin whose pages may use the token; "" = any
	Test           bool   // works whatever the agent's status, and marks a new conversation
}

// NewWebCall checks a request. It says not_found for an agent or a call that is not the organization's,
// invalid_request for a chat agent, unavailable for one whose status does not answer.
func (s *Service) NewWebCall(ctx context.Context, orgID string, in WebCall) (parley.Agent, error) {
	agent, err := s.st.FindAgent(ctx, orgID, in.AgentID)
	switch {
	case err != nil:
		return agent, err
	case agent.Type != parley.AgentVoice:
		return agent, parley.Errorf(parley.CodeInvalid, "This is a %s agent: only voice agents take calls", agent.Type)
	case !agent.Status.Answers() && !in.Test && in.ConversationID == "":
		return agent, parley.Errorf(parley.CodeUnavailable, "The agent does not answer: its status is %s. Make it active or deployed.", agent.Status)
	}
	return agent, nil
}

// KeepWebCall puts a new browser call on record, or finds the one that comes back, and mints its token, in the
// caller's transaction.
func (s *Service) KeepWebCall(ctx context.Context, tx *store.Tx, orgID string, agent parley.Agent, in WebCall) (Ticket, error) {
	id := in.ConversationID
	if id == "" {
		id = parley.NewID()
		if err := s.recordWebCall(ctx, tx, orgID, id, agent, in.Test); err != nil {
			return Ticket{}, err
		}
	} else if err := mayComeBack(ctx, tx, orgID, id, agent.ID); err != nil {
		return Ticket{}, err
	}
	token := randomToken()
	err := tx.SetStreamToken(ctx, orgID, id, secret.HashToken(boundToken(token, in.AllowedOrigin)), time.Now().Add(BrowserTokenLife))
	return Ticket{ConversationID: id, Token: token}, err
}

func (s *Service) recordWebCall(ctx context.Context, tx *store.Tx, orgID, id string, agent parley.Agent, test bool) error {
	now, to := time.Now().UTC(), parley.ClientAddressPrefix+agent.ID
	err := tx.CreateConversation(ctx, orgID, parley.Conversation{
		ID: id, OrgID: orgID, AgentID: agent.ID, AgentName: agent.Name, Channel: parley.ChannelPhone,
		Status: parley.ConversationActive, Direction: "inbound", From: parley.BrowserCaller, To: to, StartedAt: now, Test: test,
	})
	if err != nil {
		return err
	}
	err = tx.CreateCall(ctx, orgID, parley.Call{
		ID: id, OrgID: orgID, AgentID: agent.ID, CallSID: parley.BrowserSIDPrefix + strings.ReplaceAll(id, "-", ""),
		From: parley.BrowserCaller, To: to, State: parley.CallRinging, CreatedAt: now, UpdatedAt: now, Test: test,
	})
	if err != nil {
		return err
	}
	return log.First(ctx, tx, orgID, id, parley.EventConversationStarted, parley.ConversationStartedData{
		Channel: parley.ChannelPhone, Direction: "inbound", From: parley.BrowserCaller, To: to, AgentID: agent.ID,
		AgentName: agent.Name, Model: agent.Model, Test: test,
	})
}

// mayComeBack checks that a call is a browser call of the agent that has not ended.
func mayComeBack(ctx context.Context, tx *store.Tx, orgID, id, agentID string) error {
	c, err := tx.FindCall(ctx, orgID, id)
	switch {
	case parley.IsNotFound(err), err == nil && (c.AgentID != agentID || !c.FromBrowser()):
		return parley.Errorf(parley.CodeNotFound, "Conversation not found")
	case err != nil:
		return err
	case c.State == parley.CallEnded || c.Intent != parley.IntentNone:
		return parley.Errorf(parley.CodeConflict, "This call has ended. Begin another one.")
	case c.Resumes >= maxBrowserResumes:
		return parley.Errorf(parley.CodeConflict, "This call was resumed too often. Begin another one.")
	}
	return nil
}

// ValidBrowser is Valid for the token of a browser call that a page of origin presents; origin may be empty. proof
// is what AttachBrowser takes.
func (s *Service) ValidBrowser(ctx context.Context, token, origin string) (c parley.Call, proof string, err error) {
	if strings.Contains(token, bound) { // it would pass for a bound one and name its own origin
		return c, "", ErrToken
	}
	proof = token
	if c, err = s.Valid(ctx, proof); errors.Is(err, ErrToken) && origin != "" {
		proof = boundToken(token, origin)
		c, err = s.Valid(ctx, proof)
	}
	if err == nil && !c.FromBrowser() {
		err = ErrToken
	}
	return c, proof, err
}

// AttachBrowser uses a proof up for a page's stream, and mints the token with which the same origin may come back.
// ErrResumes says that it came too often.
func (s *Service) AttachBrowser(ctx context.Context, c parley.Call, proof, origin, streamSID string) (*Attachment, string, error) {
	if c.Resumes >= maxBrowserResumes {
		return nil, "", ErrResumes
	}
	a, err := s.Attach(ctx, proof, c.CallSID, c.AccountSID, streamSID)
	if err != nil {
		return nil, "", err
	}
	token := randomToken()
	hash := secret.HashToken(boundToken(token, origin))
	err = s.st.Write(ctx, func(tx *store.Tx) error {
		return tx.SetStreamToken(ctx, c.OrgID, c.ID, hash, time.Now().Add(maxBrowserCall))
	})
	if err != nil { // the call is still worth having
		return a, "", fmt.Errorf("mint resume token: %w", err)
	}
	return a, token, nil
}

// randomToken returns 256 random bits in URL-safe form.
func randomToken() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
