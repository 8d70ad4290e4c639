// Package phone is a simulated telephone behind a simulated Twilio: it places a call by a signed webhook,
// executes the TwiML it is given, speaks and hears over Media Streams, and keeps a frame-accurate record.
//
// It is strict and unkind on purpose, because Parley's tests are only as good as this carrier: every departure
// from Twilio's protocol becomes a Violation, audio is played at exactly 1×, and delays and lost connections
// are as bad as asked for. It shares no parsing with internal/twilio and must never import an adapter.
//
// Sources: twilio.com/docs/voice/media-streams/websocket-messages, /docs/voice/twiml, /docs/usage/security,
// /docs/usage/webhooks/webhooks-connection-overrides, and Twilio's error pages for the numbers.
package phone

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Limits and defaults; Twilio's where it publishes one.
const (
	webhookTimeout   = 15 * time.Second // Twilio: total time for a webhook, retries included
	connectTimeout   = 10 * time.Second // of the stream's socket
	maxTwiML         = 64 << 10         // Twilio error 11750
	maxDocuments     = 50               // TwiML documents in one call, against redirect loops
	maxMessage       = 1 << 20          // one message from the server
	defaultMaxLength = 10 * time.Minute
	defaultRetry     = 500 * time.Millisecond
)

// Options describe one call. Only WebhookURL is required, and with it either AuthToken, or Sign, or Form
// with Signature.
type Options struct {
	// WebhookURL is where the first request goes. PublicURL is what that request is signed for and defaults to
	// WebhookURL. Wherever the server names a URL on PublicURL's host, WebhookURL's scheme and host are used to
	// connect, so a server can be tested under its public name without owning it.
	WebhookURL string
	PublicURL  string

	AccountSID string // AC + 32 hex digits; random by default
	AuthToken  string // signs every request
	CallSID    string // CA + 32 hex digits; random by default
	From, To   string
	ExtraForm  url.Values // added to every request, over the standard fields

	// Form and Signature are a ready-signed first request, for a phone that does not hold the token; the fields
	// above are then read from the form. Sign signs the requests that follow.
	Form      url.Values
	Signature string
	Sign      func(ctx context.Context, url string, form url.Values) (signature string, err error)

	FallbackURL       string   // asked when the webhook fails, like a number's VoiceFallbackUrl
	StatusCallbackURL string   // public form; "" = none
	StatusEvents      []string // initiated, ringing, answered, completed; default completed

	Targets     map[string]Target // by number, whom the server dials; others are like the zero Target
	Program     []Step            // what the caller does, from the moment the call is answered
	Delay       Delay
	RetryDelay  time.Duration // before the first retry of a webhook, doubling; default 500 ms (Twilio's is not published)
	MaxDuration time.Duration // the caller hangs up then; default 10 min
	REST        *REST         // makes the call reachable over the REST API

	// OnMessage sees every message on the stream. It runs under the call's lock: it must be quick, must not call
	// the Call's methods and must not keep raw.
	OnMessage func(dir Direction, raw []byte)
	// OnEvent is told what happens, in order per goroutine. It may call the Call's methods.
	OnEvent func(Event)
}

// Delay is the distance to the server, in both directions of the stream. Order is kept.
type Delay struct {
	Up, Down time.Duration
	Jitter   time.Duration // a random part between 0 and this is added to each message
	Seed     uint64        // of the randomness
}

// Direction is seen from the phone.
type Direction string

// The directions of OnMessage.
const (
	Sent     Direction = "sent"
	Received Direction = "received"
)

// Event is something worth telling a person who watches the call.
type Event struct {
	Kind string        // one of the Event* constants
	At   time.Duration // since the call was answered
	Text string
}

// The kinds of events.
const (
	EventAnswered      = "answered"       // the first TwiML begins
	EventStreamStarted = "stream.started" // Text: stream SID
	EventStreamEnded   = "stream.ended"   // Text: how
	EventAgentSpeaks   = "agent.speaks"   // audible after a pause
	EventAgentQuiet    = "agent.quiet"    // Text: how long it spoke
	EventCallerSpeaks  = "caller.speaks"
	EventCallerQuiet   = "caller.quiet"
	EventCleared       = "cleared"   // Text: how much audio was dropped
	EventNotice        = "notice"    // Text: what <Say> spoke
	EventDialed        = "dialed"    // Text: number
	EventBridged       = "bridged"   // Text: number; the caller and the dialed party are connected
	EventPressed       = "pressed"   // Text: keys of a <Play>
	EventViolation     = "violation" // Text: code and reason
	EventEnded         = "ended"     // Text: by whom
)

// Dial places a call and returns at once; the call runs until it ends, ctx is canceled or MaxDuration is over.
// The error is about the options only: what goes wrong in the call is in its Report.
func Dial(ctx context.Context, opt Options) (*Call, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	c, err := newCall(opt)
	if err != nil {
		return nil, err
	}
	if opt.REST != nil {
		if err := opt.REST.add(c); err != nil {
			return nil, err
		}
	}
	go c.run(ctx)
	return c, nil
}

// complete checks the options and fills in defaults.
func (o *Options) complete() error {
	if o.PublicURL == "" {
		o.PublicURL = o.WebhookURL
	}
	if o.Form != nil {
		o.AccountSID, o.CallSID = o.Form.Get("AccountSid"), o.Form.Get("CallSid")
		o.From, o.To = o.Form.Get("From"), o.Form.Get("To")
		if o.Signature == "" || o.CallSID == "" || o.AccountSID == "" {
			return errors.New("phone: a ready-signed form needs Signature, CallSid and AccountSid")
		}
	} else if o.AuthToken == "" && o.Sign == nil {
		return errors.New("phone: nothing to sign with: set AuthToken, Sign, or Form and Signature")
	}
	if o.AccountSID == "" {
		o.AccountSID = newSID("AC")
	}
	if o.CallSID == "" {
		o.CallSID = newSID("CA")
	}
	if o.From == "" {
		o.From = "+15005550006" // Twilio's test number
	}
	if o.To == "" {
		return errors.New("phone: To is empty: name the number to call")
	}
	if o.MaxDuration <= 0 {
		o.MaxDuration = defaultMaxLength
	}
	if o.RetryDelay <= 0 {
		o.RetryDelay = defaultRetry
	}
	if o.StatusEvents == nil {
		o.StatusEvents = []string{"completed"}
	}
	for _, raw := range []string{o.WebhookURL, o.PublicURL} {
		if u, err := url.Parse(raw); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("phone: %q is not an http or https URL", raw)
		}
	}
	return nil
}

// newSID makes a random Twilio id: two letters and 32 hex digits.
func newSID(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return prefix + hex.EncodeToString(b[:])
}
