package parley

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// TransferTarget is somebody an agent may connect a caller to. The model knows targets by their names; numbers never
// come from it or from the caller.
type TransferTarget struct {
	Name        string       `json:"name" minLength:"1" maxLength:"60" pattern:"\\S" doc:"What the model calls it. Of two targets with the same name the first is used." example:"Sales"`
	Number      string       `json:"number" pattern:"^\\+[1-9][0-9]{1,14}$" doc:"E.164; dialed when the model chooses the name." example:"+14155550123"`
	Description string       `json:"description" maxLength:"300" default:"" doc:"When to connect a caller to it: the model reads this." example:"Prices, offers and new orders."`
	Mode        TransferMode `json:"mode" enum:"cold,warm,screened" default:"cold" doc:"cold: connected as soon as somebody answers. warm: who answers first hears a summary. screened: hears a summary and takes the call by pressing 1."`
}

// TransferMode is how a target gets a call.
type TransferMode string

// The transfer modes.
const (
	TransferCold     TransferMode = "cold"
	TransferWarm     TransferMode = "warm"     // the target hears a summary first
	TransferScreened TransferMode = "screened" // and takes the call by pressing 1
)

// Limits of transfer targets, texts in Unicode code points.
const (
	maxTransferTargets     = 20
	maxTransferName        = 60
	maxTransferDescription = 300
	MaxTransferSummary     = 600 // about 40 s of speech
)

// How long a transfer takes at most until it is known that nobody takes the call.
const (
	TransferRing    = 20 * time.Second // the target's phone rings
	ScreenWait      = 8 * time.Second  // for a target to press the key, after each of two requests
	screenRequest   = 3 * time.Second  // to say one of them
	summaryTime     = 50 * time.Second // to say the longest summary
	LongestTransfer = TransferRing + summaryTime + 2*(screenRequest+ScreenWait)
)

// Target returns the transfer target with this name, in whatever case; of two with the same name the first.
func (c *VoiceConfig) Target(name string) (TransferTarget, bool) {
	for _, t := range c.TransferTargets {
		if strings.EqualFold(strings.TrimSpace(t.Name), strings.TrimSpace(name)) {
			return t, true
		}
	}
	return TransferTarget{}, false
}

// usableTargets are the targets that Target can find.
func (c *VoiceConfig) usableTargets() (list []TransferTarget) {
	for _, t := range c.TransferTargets {
		if first, _ := c.Target(t.Name); first == t {
			list = append(list, t)
		}
	}
	return list
}

// targets reads the list of transfer targets: the whole list is replaced.
func (in *Input) targets(name string, dst *[]TransferTarget) {
	raw, ok := in.take(name)
	if !ok {
		return
	}
	var items []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &items) != nil {
		in.Fail(name, "must be a list of objects.")
		return
	}
	if len(items) > maxTransferTargets {
		in.Fail(name, fmt.Sprintf("must have at most %d entries, it has %d.", maxTransferTargets, len(items)))
		return
	}
	list := make([]TransferTarget, 0, len(items))
	before := len(*in.problems)
	for i, item := range items {
		list = append(list, in.target(fmt.Sprintf("%s[%d]", name, i), item))
	}
	if len(*in.problems) == before {
		*dst = list
	}
}

func (in *Input) target(at string, raw json.RawMessage) TransferTarget {
	t := TransferTarget{Mode: TransferCold}
	var members map[string]json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &members) != nil {
		in.Fail(at, "must be an object.")
		return t
	}
	o := newInput(join(in.prefix, at), members, in.problems)
	o.Required("name")
	o.Required("number")
	o.Text("name", &t.Name, 1, maxTransferName)
	o.Text("description", &t.Description, 0, maxTransferDescription)
	o.Enum("mode", (*string)(&t.Mode), string(TransferCold), string(TransferWarm), string(TransferScreened))
	if n := o.e164("number", nil); n != nil {
		t.Number = *n
	}
	o.Unknown()
	return t
}
