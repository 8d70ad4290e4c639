package parley

import (
	"net/url"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"
)

// Document is a text that an agent can look things up in.
type Document struct {
	ID         string
	OrgID      string
	AgentID    string
	Name       string // for people and for the model, which tells it as the source
	Format     DocumentFormat
	URL        string // where the text comes from; "" = not said
	Content    string // empty in lists
	Characters int    // of Content
	Passages   int    // that it was split into
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// DocumentFormat says how a document is written.
type DocumentFormat string

// The formats.
const (
	DocumentText     DocumentFormat = "text"
	DocumentMarkdown DocumentFormat = "markdown"
)

// Limits of documents. Lengths are in Unicode code points. A document is at most some 700 passages, which one
// transaction stores.
const (
	MaxDocuments       = 1_000 // of one agent
	MaxDocumentContent = 400_000
	MaxDocumentName    = 255
	MaxWebAddress      = 2_048
)

// NewDocument makes a document as a request asks.
func NewDocument(orgID, agentID string, in *Input, now time.Time) (Document, error) {
	return Document{ID: NewID(), OrgID: orgID, AgentID: agentID, CreatedAt: now}.Replace(in, now)
}

// Replace returns the document with everything that a request says; what it does not say is gone.
func (d Document) Replace(in *Input, now time.Time) (Document, error) {
	d.Name, d.URL, d.Content, d.UpdatedAt = "", "", "", now
	in.Required("name")
	in.Text("name", &d.Name, 1, MaxDocumentName)
	in.Text("url", &d.URL, 1, MaxWebAddress)
	if in.Has("url") && d.URL != "" && !isWebAddress(d.URL) {
		in.Fail("url", "must be an address such as https://www.example.com/opening-hours.")
	}
	switch {
	case in.Has("text") && in.Has("markdown"):
		in.Skip("text")
		in.Skip("markdown")
		in.Fail("markdown", "does not go with text. Send one of the two.")
	case in.Has("markdown"):
		d.Format = DocumentMarkdown
		in.Text("markdown", &d.Content, 1, MaxDocumentContent)
	default:
		d.Format = DocumentText
		if !in.Has("text") {
			in.Fail("text", "is required, or markdown in its place.")
		}
		in.Text("text", &d.Content, 1, MaxDocumentContent)
	}
	d.Characters = utf8.RuneCountInString(d.Content)
	return d, in.Done()
}

// WebAddressPattern matches addresses of pages and services.
var WebAddressPattern = `^[Hh][Tt][Tt][Pp][Ss]?://(` + labelPattern + `(\.` + labelPattern + `)*|\[(` + addressPattern() + `)\])` + portPattern +
	`([/?]([!$&-;=?-Z_a-z~]|%[0-9A-Fa-f]{2})*)?$`

var webAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(WebAddressPattern) })

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && webAddress().MatchString(s) && len(u.Hostname()) <= MaxDomain
}
