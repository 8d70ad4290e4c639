// Package call owns the call row: one state machine for a call's life, its owner and lease epoch, the one-shot
// token of its media stream, and the reconciler that ends calls nobody came back for.
//
// It speaks no carrier protocol beyond asking Twilio's REST API to hang up, and it never touches audio.
package call

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
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
	testCallLife = 30 * time.Second
)

// Options of a Service.
type Options struct {
	PublicURL    string // origin that Twilio reaches, without a trailing slash
	Owner        string // unique id of this process
	DefaultOrg   string // organization that unknown numbers are verified with
	Defaults     parley.Credentials
	Simulated    bool // Defaults are the simulated phone's
	TwilioAPIURL string
	Bill         *bill.Bill // nil: the built-in prices
	// Ended is told of every call that this process ended, with its log; it must not block. May be nil.
	Ended  func(parley.Conversation, []parley.Event)
	Logger *slog.Logger
}

// reachesSimulated reports whether the REST API is not Twilio's own: then a simulated phone may be behind it.
func (o Options) reachesSimulated() bool {
	u, err := url.Parse(o.TwilioAPIURL)
	return err == nil && u.Hostname() != "" && u.Hostname() != "twilio.com" && !strings.HasSuffix(u.Hostname(), ".twilio.com")
}

// Service is safe for concurrent use.
type Service struct {
	st       *store.Store
	log      *log.Log
	ring     *secret.Ring
	tokenKey []byte
	opt      Options
	held     held
	nodes    nodes
	draining atomic.Bool
	wake     chan struct{} // capacity 1: the keeper has something to do before its next beat
	ended    *metric.Vec
}

// New makes the service. Join makes it known to other processes, and Run must be started for calls to be reconciled.
func New(st *store.Store, lg *log.Log, ring *secret.Ring, opt Options) *Service {
	if opt.Bill == nil {
		opt.Bill = bill.Builtin()
	}
	return &Service{
		st: st, log: lg, ring: ring, tokenKey: ring.Derive("stream-token"), opt: opt, ended: metric.NewVec("reason"), wake: make(chan struct{}, 1),
	}
}

// Account is the carrier account that signs an organization's requests.
type Account struct {
	SID       string // "" = any (the operator gave only a token)
	Token     string
	Simulated bool
	Own       bool // the organization's; otherwise the server's, which others may share
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
		return Account{SID: sealed.TwilioAccountSID, Token: string(token), Own: true}, nil
	}
	d := s.opt.Defaults
	return Account{SID: d.TwilioAccountSID, Token: d.TwilioAuthToken, Simulated: s.opt.Simulated}, nil
}

// rest returns the REST client of a call's account, or nil when there is none to call: nobody knows a simulated phone
// at Twilio.
func (s *Service) rest(ctx context.Context, c parley.Call) (*twilio.Client, error) {
	a, err := s.Account(ctx, c.OrgID)
	if err != nil || c.FromBrowser() || (a.Simulated || c.Simulated) && !s.opt.reachesSimulated() {
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

// maxFallbacks bounds how far a chain of fallback numbers is followed.
const maxFallbacks = 5

// Circles reports whether a caller who is sent to a fallback number can be sent round in circles: the number leads to an
// agent of this server, whose own fallback leads on to one that was there before. Each round would be another call to pay.
func (s *Service) Circles(ctx context.Context, fallback string) (bool, error) {
	seen := map[string]bool{}
	for range maxFallbacks {
		route, err := s.Route(ctx, fallback)
		if err != nil {
			return false, err
		}
		if route.Agent == nil {
			return false, nil
		}
		if seen[route.Agent.ID] {
			return true, nil
		}
		seen[route.Agent.ID] = true
		if fallback, _ = spoken(*route.Agent); fallback == "" {
			return false, nil
		}
	}
	return true, nil
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
	// Asked says that the carrier can be asked over REST to hang up or to go on elsewhere. Otherwise a call that ends on
	// purpose goes through the verbs after the stream, like one that was lost.
	Asked bool
}

// Begin puts a new call on record and mints the token of its stream, in one transaction. The same CallSid
// again (the carrier retries webhooks) gets the same token for the same conversation, as long as no stream has
// been attached; after that it is a conflict.
func (s *Service) Begin(ctx context.Context, in Incoming) (Ticket, error) {
	ticket, err := s.begin(ctx, in)
	if errors.Is(err, errKnown) { // a repetition of the webhook was faster
		ticket, err = s.begin(ctx, in)
	}
	return ticket, err
}

// errAnswered refuses the first webhook of a call that has, or had, its stream.
var errAnswered = parley.Errorf(parley.CodeConflict, "This call has already been answered")

// errKnown says that the CallSid was put on record by somebody else meanwhile.
var errKnown = errors.New("call is known")

func (s *Service) begin(ctx context.Context, in Incoming) (Ticket, error) {
	if c, err := s.st.FindCallBySID(ctx, in.CallSID); err == nil {
		if c.OrgID != in.OrgID || c.State != parley.CallRinging {
			return Ticket{}, errAnswered
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
	token := s.token(id, 0)
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
		return tx.SetStreamToken(ctx, in.OrgID, id, secret.HashToken(token), now.Add(tokenLife))
	})
	if err != nil {
		return Ticket{}, fmt.Errorf("record call: %w", err)
	}
	return s.asked(ctx, c, Ticket{ConversationID: id, Token: token})
}

// asked completes a ticket.
func (s *Service) asked(ctx context.Context, c parley.Call, t Ticket) (Ticket, error) {
	client, err := s.rest(ctx, c)
	t.Asked = client != nil
	return t, err
}

// ticket mints the stream token of a call that waits for its first stream.
func (s *Service) ticket(ctx context.Context, c parley.Call) (t Ticket, err error) {
	err = s.st.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.FindCall(ctx, c.OrgID, c.ID)
		if err == nil && now.State != parley.CallRinging {
			err = errAnswered
		}
		if err == nil {
			t, err = s.mint(ctx, tx, c, time.Now())
		}
		return err
	})
	if err != nil {
		return Ticket{}, fmt.Errorf("mint stream token: %w", err)
	}
	return s.asked(ctx, c, t)
}

// mint makes the stream token of the call's next stream valid. tx must have found the call: its row is locked, so that
// no stream is attached meanwhile.
func (s *Service) mint(ctx context.Context, tx *store.Tx, c parley.Call, now time.Time) (Ticket, error) {
	epoch, _, err := tx.FindPosition(ctx, c.OrgID, c.ID)
	if err != nil {
		return Ticket{}, err
	}
	token := s.token(c.ID, epoch)
	return Ticket{ConversationID: c.ID, Token: token}, tx.SetStreamToken(ctx, c.OrgID, c.ID, secret.HashToken(token), now.Add(tokenLife))
}

// token is the one-shot token of the stream that is attached at an epoch of a call: 256 bits that only the holders of
// the key ring can make. Requests that are repeated, or that race each other, all get the same one, so whichever of
// the answers the carrier acts on, its stream is let in; the attach raises the epoch, and the token is dead.
func (s *Service) token(callID string, epoch int64) string {
	mac := hmac.New(sha256.New, s.tokenKey)
	_, _ = fmt.Fprintf(mac, "%s/%d", callID, epoch) // a hash takes everything
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
