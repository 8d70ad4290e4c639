package parley

import (
	"strings"
	"time"
)

// CallState is the state of a call row; internal/call owns the transitions:
//
//	ringing ──→ live ⇄ detached ──→ ended
//	   │         ↑└─ transferring ───↑ │
//	   └─────────────────────────────↑ └→ detached (the carrier says that the call goes on)
//
// A stream that attaches makes a call live, wherever it was but ended. A live call whose stream or process is lost
// becomes detached. A call that we decided to end (an intent) is never reopened.
type CallState string

// The call states.
const (
	CallRinging      CallState = "ringing"      // TwiML answered, media stream not yet attached
	CallLive         CallState = "live"         // a media stream is attached to the owner process
	CallDetached     CallState = "detached"     // the stream vanished without a stop, or was closed for an errand; it may come back
	CallTransferring CallState = "transferring" // the carrier connects the caller to a transfer target, or has done so
	CallEnded        CallState = "ended"
)

// CallIntent is what the server decided about a call before it closes the media stream on purpose. The
// carrier's next request (POST /twilio/resume) is answered by it.
type CallIntent string

// The call intents.
const (
	IntentNone     CallIntent = ""
	IntentHangup   CallIntent = "hangup"   // say nothing, hang up
	IntentNotice   CallIntent = "notice"   // apologize, then dial the fallback number or hang up
	IntentTransfer CallIntent = "transfer" // dial the errand's target; when nobody answers, a new stream
	IntentKeys     CallIntent = "keys"     // press the errand's keys, then a new stream
)

// Returns reports whether the call comes back to the agent after the intent is done, or may do so. Such a return
// is no loss of the stream.
func (i CallIntent) Returns() bool { return i == IntentTransfer || i == IntentKeys }

// Ends reports whether we decided to end the call.
func (i CallIntent) Ends() bool { return i != IntentNone && !i.Returns() }

// Errand is what the carrier does between two streams of a call, for IntentTransfer and IntentKeys. It is stored
// as JSON beside the intent.
type Errand struct {
	ToolCallID string       `json:"toolCallId,omitempty"` // of the model's call that asked for it
	Target     string       `json:"target,omitempty"`     // name of a transfer target
	Number     string       `json:"number,omitempty"`     // its number, E.164
	Mode       TransferMode `json:"mode,omitempty"`
	Summary    string       `json:"summary,omitempty"`   // what the target is told before the caller is connected; "" = a cold transfer
	TokenHash  string       `json:"tokenHash,omitempty"` // SHA-256 (hex) of the token in the summary's URL
	LegSID     string       `json:"legSid,omitempty"`    // the target's call, which has used the token up
	Digits     string       `json:"digits,omitempty"`    // keys to press, in Twilio's form: 0-9 * # w
	Stage      ErrandStage  `json:"stage,omitempty"`
	Failure    string       `json:"failure,omitempty"` // why a transfer failed: busy, no-answer, failed, canceled, declined, unknown
}

// ErrandStage is how far an errand has come.
type ErrandStage string

// The stages of an errand.
const (
	ErrandDecided  ErrandStage = ""         // committed; the carrier has not asked yet
	ErrandStarted  ErrandStage = "started"  // the carrier was told to dial, or to press the keys
	ErrandAnswered ErrandStage = "answered" // the target picked up
	ErrandAccepted ErrandStage = "accepted" // the target heard the summary and takes the call
	ErrandFailed   ErrandStage = "failed"   // the transfer came to nothing: Failure
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
	Errand     Errand // of Intent; right after an attach, of the intent that the stream came back from
	EndReason  string // decided together with Intent, or at the end
	Resumes    int    // how many times the stream was attached again after a loss
	Returns    int    // how many times it was attached again because we had closed it for an errand
	// RecentResumes are the times of the newest resumes that were answered with a new stream, oldest first.
	RecentResumes []time.Time
	EmptyStreams  int       // streams in a row that brought no media, or could not be opened
	Rescues       int       // how often the carrier was asked about the call since its last stream
	OverReason    string    // the carrier's final word, until the owner has ended the call
	TokenUntil    time.Time // the unused stream token is valid so long; zero = there is none
	CreatedAt     time.Time
	UpdatedAt     time.Time // of the state; a detached call's minute counts from here
	Simulated     bool      // the carrier is a simulated phone
	Test          bool
}

// Continued reports whether the call had an earlier stream.
func (c Call) Continued() bool { return c.Resumes+c.Returns > 0 }

// BrowserSIDPrefix begins the CallSID of a browser call, which no carrier knows: the server makes it. Twilio's
// begin with CA.
const BrowserSIDPrefix = "WB"

// BrowserCaller is who calls from a browser: the page does not say more.
const BrowserCaller = "web:visitor"

// FromBrowser reports whether the call comes from a page instead of a telephone: it has no carrier account, no
// webhooks, and nobody to ask for a hang-up.
func (c Call) FromBrowser() bool { return strings.HasPrefix(c.CallSID, BrowserSIDPrefix) }
