// Package number is what there is about phone numbers beyond the database: whether a text is one, what the
// organization's Twilio account has, and telling Twilio to send a number's calls here or no longer.
//
// It changes nothing at Twilio but the addresses of a number's voice webhooks, and it is never called inside a
// database transaction.
package number

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"

	"parley"
	"parley/internal/call"
	"parley/internal/store"
	"parley/internal/twilio"
)

// Options of a Service.
type Options struct {
	Store      *store.Store
	Account    func(ctx context.Context, orgID string) (call.Account, error) // whose Twilio account an organization uses
	PublicURL  string                                                        // origin that Twilio reaches, without a trailing slash
	APIURL     string                                                        // origin of Twilio's REST API
	DefaultOrg string                                                        // the operator's own: the server's account is its account
	Patience   time.Duration                                                 // with Twilio, for all numbers of one change; 0 = 10 s
	Logger     *slog.Logger
}

// Service is safe for concurrent use.
type Service struct{ opt Options }

// New makes the service.
func New(opt Options) *Service {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	opt.Patience = cmp.Or(opt.Patience, 10*time.Second)
	return &Service{opt: opt}
}

// Where Twilio finds this server (docs/architecture.md, "A call").
const (
	voicePath    = "/twilio/voice"
	fallbackPath = "/twilio/resume"
	statusPath   = "/twilio/status"
)

// account is an organization's way to Twilio.
type account struct {
	client *twilio.Client // nil: there is none, and reason says why and what to do
	reason string
	state  parley.SetupState // of a number that should be set up where there is none
	shared bool              // the server's account, used by an organization that is not the operator's
}

// Texts of what is missing. They follow the numbers they are about.
const (
	reasonSimulated = "No Twilio account is set up, so only the simulated phone can call it. Give the organization's account with PATCH /api/v1/organization, or start the server with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; then assign the number again."
	reasonNoSID     = "The Twilio account's SID is not known, so Twilio was not told. Set TWILIO_ACCOUNT_SID beside TWILIO_AUTH_TOKEN, then assign the number again."
)

func (s *Service) account(ctx context.Context, orgID string) (account, error) {
	a, err := s.opt.Account(ctx, orgID)
	switch {
	case err != nil:
		return account{}, err
	case a.Simulated:
		return account{reason: reasonSimulated, state: parley.SetupNotNeeded}, nil
	case a.SID == "":
		return account{reason: reasonNoSID, state: parley.SetupFailed}, nil
	}
	return account{
		client: &twilio.Client{BaseURL: s.opt.APIURL, AccountSID: a.SID, AuthToken: a.Token},
		shared: !a.Own && orgID != s.opt.DefaultOrg,
	}, nil
}

// unreachable says why Twilio cannot reach this server; "" when nothing speaks against it. A carrier that is itself
// spoken to without TLS is a simulated one, and needs none.
func (s *Service) unreachable() string {
	if strings.HasPrefix(s.opt.PublicURL, "https://") || strings.HasPrefix(s.opt.APIURL, "http://") {
		return ""
	}
	return "Twilio reaches only https, and the public address of this server is " + s.opt.PublicURL + ". Start it with PARLEY_PUBLIC_URL set to its https address, then assign the number again."
}

// here reports whether an address is one of this server's webhooks.
func (s *Service) here(address, path string) bool { return address == s.opt.PublicURL+path }

// refusal says for people why Twilio did not do what it was asked for. The log has the rest.
func (s *Service) refusal(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "Twilio did not answer in time."
	}
	rest, ok := errors.AsType[*twilio.RESTError](err)
	switch {
	case !ok:
		return "Twilio could not be reached, or answered what is no answer."
	case rest.Status == 401 || rest.Code == 20003:
		return fmt.Sprintf("Twilio refused the account's credentials (error %d). Check account SID and auth token.", rest.Code)
	case rest.Code == 0:
		return fmt.Sprintf("Twilio answered with HTTP status %d.", rest.Status)
	}
	return fmt.Sprintf("Twilio refused it: error %d, %s", rest.Code, sentence(rest.Message))
}

// maxCarrierText bounds what is shown of Twilio's words, in runes.
const maxCarrierText = 200

// sentence is a text of the carrier's, without control characters, with an end.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if r := []rune(text); len(r) > maxCarrierText {
		text = string(r[:maxCarrierText]) + "…"
	}
	return strings.TrimSuffix(strings.TrimSpace(text), ".") + "."
}

// shown is an address of somebody else's without what may be secret in it.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User, u.Fragment = nil, ""
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.String()
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "another place"
	}
	return u.Host
}
