package widget

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

// Purpose is the page of this server that a ticket was made for.
type Purpose string

// The purposes of tickets.
const (
	PurposeEmbed Purpose = "embed" // /embed/{agentId}: the chat in somebody's iframe
	PurposeTry   Purpose = "try"   // /try/{agentId}: an operator tries it; its conversations are tests
)

// MaxTicketLife is the longest that a ticket can be used.
const MaxTicketLife = 10 * time.Minute

// Ticket proves that a page of this server made it: sessions that show one may come from Parley's own origin.
type Ticket struct {
	AgentID string
	Purpose Purpose
	Domains string // of an embedded page: stands for the list with which it was framed
	Expires time.Time
}

// Tickets makes and checks tickets. Every process with the same key ring accepts them. Safe for concurrent use.
type Tickets struct {
	key []byte
	now func() time.Time
}

// NewTickets derives the tickets' key from the ring.
func NewTickets(ring *secret.Ring) *Tickets {
	return &Tickets{key: ring.Derive("widget-ticket"), now: time.Now}
}

// Mint makes a ticket for a page that was asked for now. A life of 0, or beyond MaxTicketLife, means the latter. The
// text has only characters that need no escaping in HTML and URLs; it is a secret of its page for as long as it lives.
func (t *Tickets) Mint(agentID string, purpose Purpose, life time.Duration) string {
	return t.mint(agentID, purpose, "", life)
}

// MintEmbed makes the ticket of a page that may be framed by the sites that an agent allows now.
func (t *Tickets) MintEmbed(a store.WidgetAgent) string {
	return t.mint(a.ID, PurposeEmbed, domainsOf(a), 0)
}

func (t *Tickets) mint(agentID string, purpose Purpose, domains string, life time.Duration) string {
	if life <= 0 || life > MaxTicketLife {
		life = MaxTicketLife
	}
	body := strings.Join([]string{string(purpose), strings.ToLower(agentID), strconv.FormatInt(t.now().Add(life).Unix(), 10), domains}, ".")
	return body + "." + t.sign(body)
}

// Check reads a ticket. Those that were altered, made with another ring, or have expired are no tickets.
func (t *Tickets) Check(text string) (Ticket, bool) {
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 || !hmac.Equal([]byte(t.sign(text[:cut])), []byte(text[cut+1:])) {
		return Ticket{}, false
	}
	parts := strings.Split(text[:cut], ".")
	if len(parts) != 4 {
		return Ticket{}, false
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	k := Ticket{AgentID: parts[1], Purpose: Purpose(parts[0]), Domains: parts[3], Expires: time.Unix(seconds, 0)}
	known := k.Purpose == PurposeEmbed || k.Purpose == PurposeTry
	left := k.Expires.Sub(t.now())
	return k, err == nil && known && parley.IsID(k.AgentID) && left > 0 && left <= MaxTicketLife
}

func (t *Tickets) sign(body string) string {
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
