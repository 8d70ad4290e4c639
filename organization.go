package parley

import "time"

// Organization is a tenant. Everything but the server's own settings belongs to exactly one, and no
// organization can see that another exists.
type Organization struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"` // unique on a server, 1–255 code points
	CreatedAt time.Time `json:"createdAt"`
}

// DefaultOrganizationName names the organization that the first start makes.
const DefaultOrganizationName = "default"

// Credentials are an organization's own provider accounts. Empty members fall back to the server's
// environment. The secrets are sealed at rest (internal/secret) and never shown.
type Credentials struct {
	TwilioAccountSID string
	TwilioAuthToken  string
	OpenAIKey        string
}
