package parley

import (
	"strings"
	"time"
)

// PhoneNumber is a number that this server answers. One number exists once per server.
type PhoneNumber struct {
	ID         string
	OrgID      string
	Number     string // E.164
	Label      string // for people
	AgentID    string // "" = no agent answers it
	AgentName  string // read only
	Source     NumberSource
	CarrierSID string // Twilio's id of it, "" when it is not known
	Setup      NumberSetup
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Revision   int64 // 1 at creation, raised by every change but those of Setup
}

// NumberSource says how a number came to this server.
type NumberSource string

// The sources.
const (
	NumberManual NumberSource = "manual" // added by hand, or with an agent
	NumberTwilio NumberSource = "twilio" // imported from the Twilio account
)

// NumberSetup tells whether the carrier sends a number's calls to this server.
type NumberSetup struct {
	State   SetupState
	Message string     // for people; "" when there is nothing to add
	At      *time.Time // of the last try; nil = none yet
}

// SetupState is the outcome of setting a number up at the carrier.
type SetupState string

// The states of a number's setup.
const (
	SetupUnknown    SetupState = "unknown"    // not tried since the last change
	SetupConfigured SetupState = "configured" // its calls come here
	SetupFailed     SetupState = "failed"     // the message says why, and what to do
	SetupNotNeeded  SetupState = "not_needed" // no agent, or only the simulated phone calls it
)

// Limits of a number's fields and of lists of numbers.
const (
	MaxNumberLabel   = 255 // Unicode code points
	MaxAgentNumbers  = maxPhoneNumbers
	MaxImportNumbers = 100 // in one request
)

// NumberFilter selects phone numbers for a list, oldest first. Zero values mean "any".
type NumberFilter struct {
	AgentID       string
	Unassigned    bool   // only those without an agent
	Search        string // part of the number or the label; case does not matter
	Limit, Offset int    // a Limit of 0 means all
}

// IsE164 reports whether s is a phone number in E.164: "+", then 2 to 15 digits, the first not 0.
func IsE164(s string) bool {
	if len(s) < 3 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ClientAddressPrefix begins a dialed address that names an agent instead of a number:
// "client:agent-{agentId}" (docs: parley call --agent).
const ClientAddressPrefix = "client:agent-"

// AgentOfAddress returns the agent id in a dialed "client:agent-{id}" address.
func AgentOfAddress(to string) (id string, ok bool) {
	id, ok = strings.CutPrefix(to, ClientAddressPrefix)
	return id, ok && IsID(id)
}
