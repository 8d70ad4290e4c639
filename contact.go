package parley

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// anonymousCaller is the number that Twilio gives for callers who hide theirs.
const anonymousCaller = "+266696687"

// OtherParty is the telephone number of the person in a call, in E.164: of the caller, or of who was called. "" means
// that it is not known: it was hidden, or a page called.
func OtherParty(direction, from, to string) string {
	number := from
	if direction == "outbound" {
		number = to
	}
	if !IsE164(number) || number == anonymousCaller {
		return ""
	}
	return number
}

// PhoneContact is the contact id of a telephone number in an organization: the same in every call, and of no use in any
// other organization. "" for an unknown number.
func PhoneContact(orgID, number string) string {
	if number == "" {
		return ""
	}
	return contactID(orgID, "phone", number)
}

// VisitorContact is the contact id of a visitor whose site has signed who it is; "" for any other. Sites give their ids
// without regard to each other, so it belongs to the agent whose secret has signed.
func VisitorContact(orgID, agentID, subject string) string {
	if subject == "" {
		return ""
	}
	return contactID(orgID, "visitor", agentID, subject)
}

// contactID makes a UUID of version 8 (RFC 9562) from what identifies a person.
func contactID(parts ...string) string {
	sum := sha256.Sum256([]byte("parley contact\x00" + strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
