package parley

import "time"

// Limits of what is known of a visitor; texts in Unicode code points.
const (
	MaxVisitorName       = 255
	MaxVisitorEmail      = 320
	MaxVisitorSubject    = 255
	MaxVisitorAttributes = 20
	MaxAttributeName     = 64
	MaxAttributeText     = 255
)

// Visitor is what is known of a person in a chat on a website.
type Visitor struct {
	ID      string
	AgentID string
	// Subject is the site's own id of the person, which a signature of the site has proven; with it, name, email and
	// attributes are the site's word. "" = they are only what the page said.
	Subject    string
	Name       string
	Email      string
	Attributes map[string]any // strings, numbers and booleans; nil = none
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Verified reports whether the site has signed who the visitor is.
func (v Visitor) Verified() bool { return v.Subject != "" }

// VisitorSession is a browser with a chat open: what a visitor's token stands for.
type VisitorSession struct {
	ID             string
	OrgID          string
	AgentID        string
	VisitorID      string
	ConversationID string // reserved: the conversation begins with its first message
	Origin         string // of the page, to which the token is bound; "" = the page sends none
	Page           string // the page of this server that it was opened on: embed, try; "" = a site's own
	Domains        string // which allowedDomains were in force when an embedded page was admitted
	ExpiresAt      time.Time
	IssuedAt       time.Time // of the token in force
}

// Rating is a visitor's judgment of an answer.
type Rating string

// The ratings.
const (
	RatingUp   Rating = "up"
	RatingDown Rating = "down"
)

// MaxFeedbackComment is in Unicode code points.
const MaxFeedbackComment = 2_000

// Feedback is what a visitor thinks of one answer; the newest word counts.
type Feedback struct {
	MessageID string // the item of the answer
	Rating    Rating
	Comment   string
	At        time.Time
}
