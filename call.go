package parley

import (
	"strings"
	"time"
)

// CallState is the state of a call row; internal/call owns the transitions:
//
//	ringing → live ⇄ detached → ended
//	   └────────────────────────→ ended
type CallState string

// The call states.
const (
	CallRinging  CallState = "ringing"  // TwiML answered, media stream not yet attached
	CallLive     CallState = "live"     // a media stream is attached to the owner process
	CallDetached CallState = "detached" // the stream vanished without a stop; it may come back
	CallEnded    CallState = "ended"
)

// CallIntent is what the server decided about a call before it closes the media stream on purpose. The
// carrier's next request (POST /twilio/resume) is answered by it.
type CallIntent string

// The call intents.
const (
	IntentNone   CallIntent = ""
	IntentHangup CallIntent = "hangup" // say nothing, hang up
	IntentNotice CallIntent = "notice" // apologize, then dial the fallback number or hang up
)

// Call is the carrier's side of a phone conversation. Its id is the conversation's id.
type Call struct {
	ID         string // = Conversation.ID
	OrgID      string
	AgentID    string
	CallSID    string // Twilio's CA…; unique on a server
	AccountSID string // Twilio's AC… that signed for it
	From, To   string
	State      CallState
	Owner      string // id of the process that holds the live stream
	StreamSID  string // Twilio's MZ… of the attached stream
	Intent     CallIntent
	EndReason  string // decided together with Intent, or at the end
	Resumes    int    // how many times the stream was attached again
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Simulated  bool // the carrier is a simulated phone
	Test       bool
}

// BrowserSIDPrefix begins the CallSID of a browser call, which no carrier knows: the server makes it. Twilio's
// begin with CA.
const BrowserSIDPrefix = "WB"

// BrowserCaller is who calls from a browser: the page does not say more.
const BrowserCaller = "web:visitor"

// FromBrowser reports whether the call comes from a page instead of a telephone: it has no carrier account, no
// webhooks, and nobody to ask for a hang-up.
func (c Call) FromBrowser() bool { return strings.HasPrefix(c.CallSID, BrowserSIDPrefix) }
