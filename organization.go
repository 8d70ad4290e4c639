package parley

import "time"

// Organization is a tenant. Everything but the server's own settings belongs to exactly one, and no
// organization can see that another exists.
type Organization struct {
	ID        string
	Name      string // as the organization calls itself, 1–255 code points
	Handle    string // as the operator named it (parley org create), unique on a server; Name until it is changed
	CreatedAt time.Time
	// RequestsPerMinute is the organization's own wish for its rate limit; nil = MaxRequestsPerMinute.
	RequestsPerMinute *int
	// MaxRequestsPerMinute is what the operator grants (parley org limit); nil = the server's default.
	MaxRequestsPerMinute *int
}

// DefaultOrganizationName names the organization that the first start makes.
const DefaultOrganizationName = "default"

// MaxOrganizationName is in code points.
const MaxOrganizationName = 255

// MaxRequestsPerMinute bounds every rate limit.
const MaxRequestsPerMinute = 1_000_000

// RateLimit is the limit in force, in requests per minute; serverDefault is the operator's for everybody.
func (o Organization) RateLimit(serverDefault int) int {
	granted := o.GrantedLimit(serverDefault)
	if o.RequestsPerMinute != nil {
		return min(*o.RequestsPerMinute, granted)
	}
	return granted
}

// GrantedLimit is the most that the organization may choose.
func (o Organization) GrantedLimit(serverDefault int) int {
	if o.MaxRequestsPerMinute != nil {
		return *o.MaxRequestsPerMinute
	}
	return serverDefault
}

// Credentials are an organization's own provider accounts. Empty members fall back to the server's
// environment. The secrets are sealed at rest (internal/secret) and never shown.
type Credentials struct {
	TwilioAccountSID string
	TwilioAuthToken  string
	OpenAIKey        string
	WebSearch        WebSearch
}

// maxCredential bounds a provider's key or token, in characters.
const maxCredential = 512

// Apply returns an organization and its credentials as a PATCH request asks. Absent members stay; null removes
// a credential or resets the limit. serverDefault is the operator's rate limit for everybody; a limit above what is
// granted is CodeForbidden.
func (o Organization) Apply(c Credentials, in *Input, serverDefault int) (Organization, Credentials, error) {
	in.Text("name", &o.Name, 1, MaxOrganizationName)
	if limits := in.Object("limits"); limits != nil {
		o.takeLimits(limits)
	}
	if openai := in.Object("openai"); openai != nil {
		openai.secret("apiKey", &c.OpenAIKey)
		openai.Unknown()
	}
	if twilio := in.Object("twilio"); twilio != nil {
		twilio.secret("accountSid", &c.TwilioAccountSID)
		if twilio.Has("accountSid") && c.TwilioAccountSID != "" && !IsTwilioAccountSID(c.TwilioAccountSID) {
			twilio.Fail("accountSid", "must be an account SID: AC and 32 hexadecimal digits.")
		}
		twilio.secret("authToken", &c.TwilioAuthToken)
		twilio.Unknown()
		if c.TwilioAccountSID != "" && c.TwilioAuthToken == "" {
			twilio.Fail("authToken", "is needed together with the account SID. Copy both from the Twilio console.")
		}
	}
	if in.Null("webSearch") {
		in.Skip("webSearch")
		c.WebSearch = WebSearch{}
	} else if search := in.Object("webSearch"); search != nil {
		c.WebSearch = c.WebSearch.Apply(search)
	}
	if err := in.Done(); err != nil {
		return o, c, err
	}
	if granted := o.GrantedLimit(serverDefault); in.Has("limits") && o.RequestsPerMinute != nil && *o.RequestsPerMinute > granted {
		return o, c, Errorf(CodeForbidden, "This organization may choose at most %d requests per minute. Ask the operator of this server for more.", granted)
	}
	return o, c, nil
}

func (o *Organization) takeLimits(in *Input) {
	defer in.Unknown()
	if in.Null("requestsPerMinute") {
		in.Skip("requestsPerMinute")
		o.RequestsPerMinute = nil
		return
	}
	n := 0
	if in.Int("requestsPerMinute", &n, 1, MaxRequestsPerMinute); n > 0 {
		o.RequestsPerMinute = &n
	}
}

// secret reads a credential: printable characters without spaces, or null to remove it.
func (in *Input) secret(name string, dst *string) {
	if in.Null(name) {
		in.Skip(name)
		*dst = ""
		return
	}
	before := len(*in.problems)
	s := *dst
	in.Text(name, &s, 1, maxCredential)
	if len(*in.problems) > before || !in.Has(name) {
		return
	}
	if !IsPrintable(s) {
		in.Fail(name, "must have printable ASCII characters only, without spaces.")
		return
	}
	*dst = s
}

// IsTwilioAccountSID reports whether s has the form of a Twilio account's id.
func IsTwilioAccountSID(s string) bool {
	if len(s) != 34 || s[:2] != "AC" {
		return false
	}
	for _, c := range []byte(s[2:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
