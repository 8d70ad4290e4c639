package parley

import (
	"strings"
	"time"
)

// NewPhoneNumber makes a number from a request to add it by hand. problem says what is wrong with a number, "" when
// nothing is. The error is CodeInvalid and names every wrong field.
func NewPhoneNumber(orgID string, in *Input, now time.Time, problem func(string) string) (PhoneNumber, error) {
	n := PhoneNumber{ID: NewID(), OrgID: orgID, Source: NumberManual, Setup: NumberSetup{State: SetupUnknown}, CreatedAt: now, UpdatedAt: now, Revision: 1}
	in.Required("number")
	var text string
	in.Text("number", &text, 1, MaxNumberLabel)
	if p := problem(text); p != "" && text != "" {
		in.Fail("number", p)
	}
	n.Number = text
	n.take(in)
	return n, in.Done()
}

// Apply returns the number as a PATCH request asks. The receiver is not changed. Errors are as for NewPhoneNumber.
func (n PhoneNumber) Apply(in *Input, now time.Time) (PhoneNumber, error) {
	if in.Has("number") {
		in.Skip("number")
		in.Fail("number", "is fixed. Delete this number and add another instead.")
	}
	n.take(in)
	n.UpdatedAt = now
	n.Revision++ // as the store does
	return n, in.Done()
}

// take reads what can be changed later.
func (n *PhoneNumber) take(in *Input) {
	set(in, "label", &n.Label, "", func(dst *string) { in.Text("label", dst, 0, MaxNumberLabel) })
	takeAgentID(in, &n.AgentID)
}

func takeAgentID(in *Input, dst *string) {
	set(in, "agentId", dst, "", func(dst *string) {
		id := ""
		if in.Text("agentId", &id, 1, maxShortText); id != "" && !IsID(strings.ToLower(id)) {
			in.Fail("agentId", "must be the id of a voice agent (a UUID), or null.")
		} else if id != "" {
			*dst = strings.ToLower(id)
		}
	})
}

// ParseNumberImport reads a request to import numbers of the carrier account, for an agent or for none ("").
func ParseNumberImport(in *Input, problem func(string) string) (numbers []string, agentID string, err error) {
	in.Required("numbers")
	in.List("numbers", &numbers, MaxImportNumbers, problem)
	if numbers != nil && len(numbers) == 0 {
		in.Fail("numbers", "must not be empty.")
	}
	takeAgentID(in, &agentID)
	return numbers, agentID, in.Done()
}
