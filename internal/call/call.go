// Package call owns the call row: one state machine for a call's life, its owner and lease epoch, the one-shot
// token of its media stream, and the reconciler that ends calls nobody came back for.
//
// It speaks no carrier protocol beyond asking Twilio's REST API to hang up, and it never touches audio.
package call

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"parley"
	"parley/internal/bill"
	"parley/internal/log"
	"parley/internal/metric"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/twilio"
)

// Timing of a call's life outside the media stream (docs/architecture.md, "Who owns a call").
const (
	tokenLife    = 30 * time.Second // of a stream token
	ringingLife  = 60 * time.Second // TwiML answered, but no stream came
	detachedLife = 60 * time.Second // stream vanished, and nobody came back
	maxResumes   = 3
	testCallLife = 30 * time.Second
)

// Options of a Service.
type Options struct {
	PublicURL    string // origin that Twilio reaches, without a trailing slash
	Owner        string // unique id of this process
	DefaultOrg   string // organization that unknown numbers are verified with
	Defaults     parley.Credentials
	Simulated    bool // Defaults are the simulated phone's: no REST calls
	TwilioAPIURL string
	Bill         *bill.Bill // nil: the built-in prices
	// Ended is told of every call that this process ended, with its log; it must not block. May be nil.
	Ended  func(parley.Conversation, []parley.Event)
	Logger *slog.Logger
}

// Service is safe for concurrent use.
type Service struct {
	st   *store.Store
	log  *log.Log
	ring *secret.Ring
	opt  Options
	held held

	ended *metric.Vec
}

// New makes the service. Run must be started for calls to be reconciled.
func New(st *store.Store, lg *log.Log, ring *secret.Ring, opt Options) *Service {
	if opt.Bill == nil {
		opt.Bill = bill.Builtin()
	}
	return &Service{st: st, log: lg, ring: ring, opt: opt, ended: metric.NewVec("reason")}
}

// Account is the carrier account that signs an organization's requests.
type Account struct {
	SID       string // "" = any (the operator gave only a token)
	Token     string
	Simulated bool
}

// Account returns an organization's own Twilio account, or the server's default.
func (s *Service) Account(ctx context.Context, orgID string) (Account, error) {
	sealed, err := s.st.FindCredentials(ctx, orgID)
	if err != nil && !parley.IsNotFound(err) {
		return Account{}, fmt.Errorf("find credentials: %w", err)
	}
	if len(sealed.TwilioAuthToken) > 0 {
		token, err := s.ring.Open(store.CredentialAAD(orgID, store.ColumnTwilioToken), sealed.TwilioAuthToken)
		if err != nil {
			return Account{}, fmt.Errorf("open the organization's Twilio token: %w", err)
		}
		return Account{SID: sealed.TwilioAccountSID, Token: string(token)}, nil
	}
	d := s.opt.Defaults
	return Account{SID: d.TwilioAccountSID, Token: d.TwilioAuthToken, Simulated: s.opt.Simulated}, nil
}

// rest returns the REST client of a call's account, or nil when there is none to call.
func (s *Service) rest(ctx context.Context, c parley.Call) (*twilio.Client, error) {
	a, err := s.Account(ctx, c.OrgID)
	if err != nil || a.Simulated || c.Simulated || c.FromBrowser() {
		return nil, err
	}
	return &twilio.Client{BaseURL: s.opt.TwilioAPIURL, AccountSID: c.AccountSID, AuthToken: a.Token}, nil
}

// Route is where a dialed address leads.
type Route struct {
	OrgID string        // whose token must have signed; the default organization for unknown addresses
	Agent *parley.Agent // nil: no such number, or no agent answers it
}

// Route finds who answers a dialed number or client:agent-{id} address.
func (s *Service) Route(ctx context.Context, to string) (Route, error) {
	unknown := Route{OrgID: s.opt.DefaultOrg}
	orgID, agentID := "", ""
	if id, ok := parley.AgentOfAddress(to); ok {
		org, err := s.st.FindAgentOrganization(ctx, id)
		if parley.IsNotFound(err) {
			return unknown, nil
		}
		if err != nil {
			return Route{}, fmt.Errorf("route call: %w", err)
		}
		orgID, agentID = org, id
	} else {
		n, err := s.st.FindPhoneNumber(ctx, to)
		if parley.IsNotFound(err) {
			return unknown, nil
		}
		if err != nil {
			return Route{}, fmt.Errorf("route call: %w", err)
		}
		orgID, agentID = n.OrgID, n.AgentID
	}
	if agentID == "" {
		return Route{OrgID: orgID}, nil
	}
	agent, err := s.st.FindAgent(ctx, orgID, agentID)
	if parley.IsNotFound(err) {
		return Route{OrgID: orgID}, nil
	}
	if err != nil {
		return Route{}, fmt.Errorf("route call: %w", err)
	}
	return Route{OrgID: orgID, Agent: &agent}, nil
}

// Incoming is a verified webhook about a new call.
type Incoming struct {
	OrgID               string
	Agent               parley.Agent
	CallSID, AccountSID string
	From, To            string
	Direction           string // inbound, outbound
	Simulated, Test     bool
}

// Ticket is what the TwiML answer needs: the conversation and the one-shot token of its media stream.
type Ticket struct {
	ConversationID string
	Token          string
}

// Begin puts a new call on record and mints the token of its stream, in one transaction. The same CallSid
// again (the carrier retries webhooks) gets a fresh token for the same conversation, as long as no stream has
// been attached; after that it is a conflict.
func (s *Service) Begin(ctx context.Context, in Incoming) (Ticket, error) {
	ticket, err := s.begin(ctx, in)
	if errors.Is(err, errKnown) { // a repetition of the webhook was faster
		ticket, err = s.begin(ctx, in)
	}
	return ticket, err
}

// errKnown says that the CallSid was put on record by somebody else meanwhile.
var errKnown = errors.New("call is known")

func (s *Service) begin(ctx context.Context, in Incoming) (Ticket, error) {
	if c, err := s.st.FindCallBySID(ctx, in.CallSID); err == nil {
		if c.OrgID != in.OrgID || c.State != parley.CallRinging {
			return Ticket{}, parley.Errorf(parley.CodeConflict, "This call has already been answered")
		}
		return s.ticket(ctx, c)
	} else if !parley.IsNotFound(err) {
		return Ticket{}, fmt.Errorf("find call: %w", err)
	}
	now := time.Now().UTC()
	id := parley.NewID()
	conv := parley.Conversation{
		ID: id, OrgID: in.OrgID, AgentID: in.Agent.ID, AgentName: in.Agent.Name, Channel: parley.ChannelPhone,
		Status: parley.ConversationActive, Direction: in.Direction, From: in.From, To: in.To,
		StartedAt: now, Simulated: in.Simulated, Test: in.Test,
	}
	c := parley.Call{
		ID: id, OrgID: in.OrgID, AgentID: in.Agent.ID, CallSID: in.CallSID, AccountSID: in.AccountSID,
		From: in.From, To: in.To, State: parley.CallRinging, CreatedAt: now, UpdatedAt: now,
		Simulated: in.Simulated, Test: in.Test,
	}
	token, hash := newToken()
	started := parley.ConversationStartedData{
		Channel: parley.ChannelPhone, Direction: in.Direction, From: in.From, To: in.To, AgentID: in.Agent.ID,
		AgentName: in.Agent.Name, Model: in.Agent.Model, Simulated: in.Simulated, Test: in.Test,
	}
	w := s.log.Open(in.OrgID, id, 0, 0)
	defer w.Close()
	err := w.Intent(ctx, parley.EventConversationStarted, started, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.CreateConversation(ctx, in.OrgID, conv); err != nil {
			return err
		}
		if err := tx.CreateCall(ctx, in.OrgID, c); parley.IsConflict(err) {
			return errKnown
		} else if err != nil {
			return err
		}
		return tx.SetStreamToken(ctx, in.OrgID, id, hash, now.Add(tokenLife))
	})
	if err != nil {
		return Ticket{}, fmt.Errorf("record call: %w", err)
	}
	return Ticket{ConversationID: id, Token: token}, nil
}

// ticket mints a new stream token for a call that waits for its stream. also runs in the same transaction.
func (s *Service) ticket(ctx context.Context, c parley.Call, also ...func(context.Context, *store.Tx, parley.Call) error) (Ticket, error) {
	token, hash := newToken()
	err := s.st.Write(ctx, func(tx *store.Tx) error {
		for _, f := range also {
			if err := f(ctx, tx, c); err != nil {
				return err
			}
		}
		return tx.SetStreamToken(ctx, c.OrgID, c.ID, hash, time.Now().Add(tokenLife))
	})
	if err != nil {
		return Ticket{}, fmt.Errorf("mint stream token: %w", err)
	}
	return Ticket{ConversationID: c.ID, Token: token}, nil
}

// newToken returns 256 random bits in URL-safe form, and their hash, which is all that is stored.
func newToken() (token string, hash []byte) {
	var raw [32]byte
	_, _ = rand.Read(raw[:])
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	return token, HashToken(token)
}

// HashToken is how stream tokens are stored and looked up.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
