package parley

import (
	"slices"
	"strings"
	"time"
)

// APIKey is what is stored about a key. The key itself is shown once at creation; only its SHA-256 is kept.
type APIKey struct {
	ID          string     `json:"id" format:"uuid"`
	OrgID       string     `json:"-"`
	Name        string     `json:"name" doc:"For people, to recognize it." example:"Website"`
	Description string     `json:"description" doc:"What it is for." example:"The chat on our home page"`
	Prefix      string     `json:"prefix" doc:"How the key begins." example:"pk_live_8sdQ"`
	Last4       string     `json:"last4" doc:"How the key ends." example:"2xvK"`
	Scopes      []string   `json:"scopes" nullable:"false" doc:"What it may do; * is everything." example:"[\"chat\"]"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   *time.Time `json:"expiresAt" doc:"Null = no end."`
	RevokedAt   *time.Time `json:"revokedAt" doc:"Null = not revoked."`
	LastUsedAt  *time.Time `json:"lastUsedAt" doc:"To the minute; null = never."`
	ReplacedBy  *string    `json:"replacedBy" format:"uuid" doc:"The key that a rotation made in its place."`
}

// Live reports whether the key authenticates at now.
func (k APIKey) Live(now time.Time) bool {
	return k.RevokedAt == nil && (k.ExpiresAt == nil || now.Before(*k.ExpiresAt))
}

// Revoked returns the key as it is after a revocation at now: the first one counts.
func (k APIKey) Revoked(now time.Time) APIKey {
	if k.RevokedAt == nil {
		k.RevokedAt = &now
	}
	return k
}

// Limits of a key's fields, in Unicode code points, and of the time for which a rotated key goes on working.
const (
	MaxKeyName        = 100
	MaxKeyDescription = 1_000
	MaxKeyOverlap     = 7 * 24 * time.Hour
	DefaultKeyOverlap = 24 * time.Hour
)

// Scope names, one for each group of routes. ScopeAll is the default of a new key.
const (
	ScopeAll                = "*"
	ScopeAgentsRead         = "agents:read"
	ScopeAgentsWrite        = "agents:write"
	ScopeToolsRead          = "tools:read"
	ScopeToolsWrite         = "tools:write"
	ScopeConversationsRead  = "conversations:read"
	ScopeConversationsWrite = "conversations:write"
	ScopeChat               = "chat"
	ScopeCalls              = "calls"
	ScopeKeysManage         = "keys:manage"
	ScopeOrganizationManage = "organization:manage"
	ScopeAuditRead          = "audit:read"
)

// Scopes are what a key may hold, in the order in which people should read them.
var Scopes = []string{ScopeAll, ScopeAgentsRead, ScopeAgentsWrite, ScopeToolsRead, ScopeToolsWrite,
	ScopeConversationsRead, ScopeConversationsWrite, ScopeChat, ScopeCalls, ScopeKeysManage, ScopeOrganizationManage, ScopeAuditRead}

// Principal is who makes a request: the organization and what its key may do.
type Principal struct {
	OrgID     string
	KeyID     string
	KeyName   string
	Scopes    []string
	ExpiresAt *time.Time // of the key; nil = no end
	PerMinute int        // the organization's own rate limit; 0 = the server's default
}

// Can reports whether the principal holds the scope.
func (p Principal) Can(scope string) bool {
	return slices.Contains(p.Scopes, ScopeAll) || slices.Contains(p.Scopes, scope)
}

// KeyRequest is what a client may say about a key.
type KeyRequest struct {
	Name        string
	Description string
	Scopes      []string
	ExpiresAt   *time.Time
}

// NewKeyRequest reads the body of a create request by a principal. A key cannot give more than it has: absent
// scopes and an absent end are the asking key's own, and neither can be exceeded (CodeForbidden for a scope,
// CodeInvalid for an end).
func NewKeyRequest(in *Input, who Principal, now time.Time) (KeyRequest, error) {
	r := KeyRequest{Scopes: slices.Clone(who.Scopes), ExpiresAt: who.ExpiresAt}
	in.Required("name")
	in.Text("name", &r.Name, 1, MaxKeyName)
	in.Text("description", &r.Description, 0, MaxKeyDescription)
	in.List("scopes", &r.Scopes, len(Scopes), scopeProblem)
	if in.Has("scopes") && len(r.Scopes) == 0 {
		in.Fail("scopes", "must name at least one scope, or be absent.")
	}
	in.Time("expiresAt", &r.ExpiresAt)
	checkExpiry(in, r.ExpiresAt, who, now)
	if err := in.Done(); err != nil {
		return r, err
	}
	return r, who.mayGive(r.Scopes)
}

func scopeProblem(s string) string {
	if !slices.Contains(Scopes, s) {
		return "must be one of " + strings.Join(Scopes, ", ") + "."
	}
	return ""
}

func checkExpiry(in *Input, end *time.Time, who Principal, now time.Time) {
	switch {
	case !in.Has("expiresAt"):
	case end != nil && !end.After(now):
		in.Fail("expiresAt", "must be in the future.")
	case who.ExpiresAt != nil && (end == nil || end.After(*who.ExpiresAt)):
		in.Fail("expiresAt", "must not be after "+who.ExpiresAt.Format(time.RFC3339)+", the end of the key that asks.")
	}
}

// mayGive returns a CodeForbidden error that names a scope which the principal does not hold.
func (p Principal) mayGive(scopes []string) error {
	for _, s := range scopes {
		if !p.Can(s) {
			return Errorf(CodeForbidden, "This API key lacks the scope %s, so it cannot give it. Use a key that has it.", s)
		}
	}
	return nil
}

// Apply returns the key as a PATCH request asks: its words only, never its rights.
func (k APIKey) Apply(in *Input) (APIKey, error) {
	in.Text("name", &k.Name, 1, MaxKeyName)
	in.Text("description", &k.Description, 0, MaxKeyDescription)
	return k, in.Done()
}

// Rotation is what a client asks for when it rotates a key.
type Rotation struct {
	KeyRequest
	Overlap time.Duration // for which the old key goes on working
}

// Rotate reads the body of a rotation. The new key has the old one's words and scopes and, when the old one has
// an end, as long a life; it never outlives the asking key. The asker must hold every scope of the key, since
// it is shown the new one (CodeForbidden). A dead key cannot be rotated (CodeConflict), nor one that was rotated before:
// its end is that of its overlap, and says nothing about the life of another key.
func (k APIKey) Rotate(in *Input, who Principal, now time.Time) (Rotation, error) {
	r := Rotation{KeyRequest: KeyRequest{Name: k.Name, Description: k.Description, Scopes: k.Scopes}, Overlap: DefaultKeyOverlap}
	if k.ExpiresAt != nil {
		end := now.Add(k.ExpiresAt.Sub(k.CreatedAt))
		r.ExpiresAt = &end
	}
	if who.ExpiresAt != nil && (r.ExpiresAt == nil || r.ExpiresAt.After(*who.ExpiresAt)) {
		r.ExpiresAt = who.ExpiresAt
	}
	seconds := int(r.Overlap / time.Second)
	in.Int("overlapSeconds", &seconds, 0, int(MaxKeyOverlap/time.Second))
	in.Time("expiresAt", &r.ExpiresAt)
	checkExpiry(in, r.ExpiresAt, who, now)
	if err := in.Done(); err != nil {
		return r, err
	}
	r.Overlap = time.Duration(seconds) * time.Second
	if !k.Live(now) {
		return r, Errorf(CodeConflict, "This API key has expired or was revoked. Create a new one.")
	}
	if k.ReplacedBy != nil {
		return r, Errorf(CodeConflict, "This API key was rotated already. Rotate the one that replaced it: %s.", *k.ReplacedBy)
	}
	return r, who.mayGive(k.Scopes)
}
