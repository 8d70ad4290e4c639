package parley

import (
	"slices"
	"time"
)

// APIKey is what is stored about a key. The key itself is shown once at creation; only its SHA-256 is kept.
type APIKey struct {
	ID         string     `json:"id"`
	OrgID      string     `json:"-"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"` // the first characters, for people to recognize it
	Last4      string     `json:"last4"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  *time.Time `json:"expiresAt"`
	RevokedAt  *time.Time `json:"revokedAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

// Live reports whether the key authenticates at now.
func (k APIKey) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// Scope names, one for each group of routes. ScopeAll is the default of a new key.
const (
	ScopeAll               = "*"
	ScopeAgentsRead        = "agents:read"
	ScopeAgentsWrite       = "agents:write"
	ScopeConversationsRead = "conversations:read"
	ScopeChat              = "chat"
	ScopeCalls             = "calls"
	ScopeKeysManage        = "keys:manage"
)

// Principal is who makes a request: the organization and what its key may do.
type Principal struct {
	OrgID  string
	KeyID  string
	Scopes []string
}

// Can reports whether the principal holds the scope.
func (p Principal) Can(scope string) bool {
	return slices.Contains(p.Scopes, ScopeAll) || slices.Contains(p.Scopes, scope)
}
