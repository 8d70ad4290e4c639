package parley

import (
	"strings"
	"time"
)

// PhoneNumber is a number that this server answers. One number exists once per server.
type PhoneNumber struct {
	ID        string
	OrgID     string
	Number    string // E.164
	AgentID   string // "" = no agent answers it
	CreatedAt time.Time
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
