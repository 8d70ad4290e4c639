package api

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/number"
)

// PhoneNumber is a phone number on the wire.
type PhoneNumber struct {
	ID        string      `json:"id" format:"uuid"`
	Number    string      `json:"number" pattern:"^\\+[1-9][0-9]{1,14}$" doc:"E.164; fixed. One number exists once per server." example:"+14155550123"`
	Label     string      `json:"label" maxLength:"255" doc:"For people." example:"Front desk"`
	AgentID   *string     `json:"agentId" format:"uuid" doc:"The voice agent that answers it; null = none."`
	AgentName *string     `json:"agentName" doc:"Its name; null = none." example:"Customer Support Agent"`
	Source    string      `json:"source" enum:"manual,twilio" doc:"Added by hand or with an agent, or imported from the Twilio account."`
	TwilioSID *string     `json:"twilioSid" doc:"Twilio's id of it; null = not known." example:"PN00000000000000000000000000000000"`
	Setup     NumberSetup `json:"setup"`
	CreatedAt time.Time   `json:"createdAt"`
	UpdatedAt time.Time   `json:"updatedAt"`
}

// NumberSetup tells whether Twilio sends a number's calls to this server.
type NumberSetup struct {
	State   string     `json:"state" enum:"configured,failed,unknown,not_needed" doc:"configured: its calls come here. failed: message says why, and what to do. unknown: not tried since the last change. not_needed: no agent answers it, or only the simulated phone can call it."`
	Message string     `json:"message" doc:"For people; empty when there is nothing to add."`
	At      *time.Time `json:"at" doc:"When it was last tried; null = not since the last change."`
}

// UpdatedPhoneNumber is the answer to a PATCH.
type UpdatedPhoneNumber struct {
	PhoneNumber
	Updated bool `json:"updated" enum:"true" doc:"Always true."`
}

// AvailableNumber is a number of the organization's Twilio account.
type AvailableNumber struct {
	Number        string             `json:"number" doc:"E.164." example:"+14155550123"`
	FriendlyName  string             `json:"friendlyName" doc:"Its name at Twilio." example:"(415) 555-0123"`
	TwilioSID     string             `json:"twilioSid" doc:"Twilio's id of it." example:"PN00000000000000000000000000000000"`
	Capabilities  NumberCapabilities `json:"capabilities"`
	Imported      bool               `json:"imported" doc:"The organization has it here."`
	PhoneNumberID *string            `json:"phoneNumberId" format:"uuid" doc:"Its id here; null = not imported."`
	AgentID       *string            `json:"agentId" format:"uuid" doc:"The agent that answers it here; null = none."`
	InUse         bool               `json:"inUse" doc:"It cannot be imported: it is taken on this server." example:"false"`
	VoiceURL      *string            `json:"voiceUrl" doc:"Where Twilio sends its calls now, without what may be secret in it; null = nowhere, or not for this organization to know." example:"https://demo.twilio.com/welcome/voice/"`
	PointsHere    bool               `json:"pointsHere" doc:"Twilio sends its calls to this server." example:"false"`
	OverriddenBy  string             `json:"overriddenBy" enum:"none,application,trunk" doc:"A TwiML App or a SIP trunk at Twilio gets its calls, whatever voiceUrl says."`
}

// NumberCapabilities are what a number can do at Twilio.
type NumberCapabilities struct {
	Voice bool `json:"voice" doc:"It takes calls." example:"true"`
	SMS   bool `json:"sms" doc:"It takes text messages." example:"true"`
	MMS   bool `json:"mms" doc:"It takes pictures."`
	Fax   bool `json:"fax" doc:"It takes faxes."`
}

// orNull is nil for an empty text.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func numberView(n parley.PhoneNumber) PhoneNumber {
	return PhoneNumber{
		ID: n.ID, Number: n.Number, Label: n.Label, AgentID: orNull(n.AgentID), AgentName: orNull(n.AgentName), Source: string(n.Source),
		TwilioSID: orNull(n.CarrierSID), Setup: setupView(n.Setup), CreatedAt: n.CreatedAt, UpdatedAt: n.UpdatedAt,
	}
}

func setupView(s parley.NumberSetup) NumberSetup {
	return NumberSetup{State: string(s.State), Message: s.Message, At: s.At}
}

// auditedNumber is what people decide about a number; what Twilio was told follows from it.
type auditedNumber struct {
	Number  string  `json:"number"`
	Label   string  `json:"label"`
	AgentID *string `json:"agentId"`
	Source  string  `json:"source"`
}

func numberNote(action string, n parley.PhoneNumber, before, after *parley.PhoneNumber) *note {
	view := func(n *parley.PhoneNumber) any {
		if n == nil {
			return nil
		}
		return auditedNumber{n.Number, n.Label, orNull(n.AgentID), string(n.Source)}
	}
	return &note{action: action, resource: parley.AuditResource{Type: "phone_number", ID: n.ID, Name: n.Number}, before: view(before), after: view(after)}
}

func availableView(n number.Available) AvailableNumber {
	v := AvailableNumber{
		Number: n.PhoneNumber, FriendlyName: n.FriendlyName, TwilioSID: n.SID, Capabilities: NumberCapabilities(n.Capabilities),
		VoiceURL: orNull(n.URL), PointsHere: n.Here, OverriddenBy: "none",
	}
	if n.Holder != nil {
		v.Imported, v.PhoneNumberID, v.AgentID, v.InUse = n.Holder.ID != "", orNull(n.Holder.ID), orNull(n.Holder.AgentID), true
	}
	switch {
	case n.VoiceApplicationSID != "":
		v.OverriddenBy = "application"
	case n.TrunkSID != "":
		v.OverriddenBy = "trunk"
	}
	return v
}

// numberBody documents the requests that add and change a number.
func (a *API) numberBody(create bool) *huma.Schema {
	shown := a.inline(reflect.TypeFor[PhoneNumber]()).Properties
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"label":   nullable(shown["label"], "For people. Default: empty."),
		"agentId": agentIDInput(),
	}}
	if create {
		s.Properties["number"], s.Required = shown["number"], []string{"number"}
	}
	return s
}

func agentIDInput() *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid", Nullable: true,
		Description: "The voice agent that shall answer it: Twilio is told to send its calls here. null = none: calls hear a short notice."}
}

// importBody documents the request to import numbers.
func (a *API) importBody() *huma.Schema {
	number := a.inline(reflect.TypeFor[PhoneNumber]()).Properties["number"]
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"numbers"}, Properties: map[string]*huma.Schema{
		"numbers": {Type: huma.TypeArray, MinItems: ptr(1), MaxItems: ptr(parley.MaxImportNumbers), Description: "Numbers of the Twilio account, in E.164.",
			Items: &huma.Schema{Type: huma.TypeString, Pattern: number.Pattern}},
		"agentId": agentIDInput(),
	}}
}
