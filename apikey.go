package parley

import (
	"slices"
	"time"
)

// APIKey is what is stored about a key. The key itself is shown once at creation; only its SHA-256 is kept.
type APIKey struct {
	ID         string     `json:"id" format:"uuid"`
	OrgID      string     `json:"-"`
	Name       string     `json:"name" doc:"For people, to recognize it."`
	Prefix     string     `json:"prefix" doc:"How the key begins."`
	Last4      string     `json:"last4" doc:"How the key ends."`
	Scopes     []string   `json:"scopes" nullable:"false" doc:"What it may do; * is everything."`
	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  *time.Time `json:"expiresAt" doc:"Null = no end."`
	RevokedAt  *time.Time `json:"revokedAt" doc:"Null = not revoked."`
	LastUsedAt *time.Time `json:"lastUsedAt" doc:"To the minute; null = never."`
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
