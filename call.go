package parley

import "time"

// CallState is the state of a call row; internal/call owns the transitions:
//
//	ringing ──→ live ⇄ detached ──→ ended
//	   │         └───────────────────↑ │
//	   └─────────────────────────────↑ └→ detached (the carrier says that the call goes on)
//
// A stream that attaches makes a call live, wherever it was but ended. A live call whose stream or process is lost
// becomes detached. A call that we decided to end (an intent) is never reopened.
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
