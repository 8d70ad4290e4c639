package parley

import (
	"encoding/json"
	"time"
)

// Channel is how a conversation is held.
type Channel string

// The channels; the wire calls this member `type`.
const (
	ChannelPhone Channel = "phone"
	ChannelChat  Channel = "chat"
)

// ConversationStatus is the state of a conversation.
type ConversationStatus string

// The conversation statuses.
const (
	ConversationActive    ConversationStatus = "active"
	ConversationCompleted ConversationStatus = "completed"
	ConversationFailed    ConversationStatus = "failed"
)

// Conversation is one call or one chat: the row that owns an event log. What was said, used and measured is
// not here but in the events; see Project.
type Conversation struct {
	ID        string
	OrgID     string
	AgentID   string
	AgentName string // as it was when the conversation began; stays after the agent is deleted
	Channel   Channel
	Status    ConversationStatus
	Direction string // inbound, outbound
	From, To  string // addresses as the carrier gave them; "" for chats
	StartedAt time.Time
	EndedAt   *time.Time
	EndReason string // one of the End* constants, "" while active
	Simulated bool   // any leg was simulated
	Test      bool   // begun by `parley call`, the dashboard's test or "test":true
	Metadata  json.RawMessage
	VisitorID string // whose it is, when a website's visitor began it; "" otherwise
	Origin    string // of the site where it was begun, such as https://example.com; "" otherwise

	// Epoch fences writers: only the process that holds the current epoch may append events.
	Epoch int64
	// LastSeq is the sequence number of the newest committed event.
	LastSeq int64
	// Summary is the projection at the last summarized point (end of a call or of a chat turn); nil before.
	Summary *Summary
}

// Why a conversation ended.
const (
	EndCallerHangup     = "caller_hangup"
	EndAgentHangup      = "agent_hangup"
	EndTransferred      = "transferred"    // a transfer target took the call
	EndVoicemail        = "voicemail_left" // the agent spoke its message after the beep
	EndSilenceTimeout   = "silence_timeout"
	EndMaxDuration      = "max_duration"
	EndMaxCost          = "max_cost"
	EndModelUnavailable = "model_unavailable" // could not be reached, refused the key, or broke off
	EndCarrierLost      = "carrier_lost"      // the media stream vanished and did not come back
	EndNotAnswered      = "not_answered"      // the carrier never opened the media stream
	EndServerStopped    = "server_stopped"    // drain ran out
	EndInternalError    = "internal_error"
	EndOverload         = "overload"
	EndVisitor          = "visitor_ended" // the visitor of a chat began a new one, or wished it to end
)

// EndFailed reports whether an end reason makes the conversation failed instead of completed.
func EndFailed(reason string) bool {
	switch reason {
	case EndModelUnavailable, EndCarrierLost, EndNotAnswered, EndInternalError, EndServerStopped, EndOverload:
		return true
	}
	return false
}

// ConversationFilter selects conversations for a list, newest first. Zero values mean "any".
type ConversationFilter struct {
	AgentID       string
	Channel       Channel
	Status        ConversationStatus
	StartedAfter  time.Time
	StartedBefore time.Time
	Search        string // case-insensitive literal substring of agent name, from or to
	Limit, Offset int
}
