package parley

import (
	"encoding/json"
	"strings"
)

// Slugs of the tools that act on a phone call. The session of the call runs them; chats are not offered them.
const (
	ToolEndCall        = "end_call"
	ToolTransferCall   = "transfer_call"
	ToolSendDTMF       = "send_dtmf"
	ToolLeaveVoicemail = "leave_voicemail"
)

// Limits of the control tools' arguments.
const (
	MaxSentDigits       = 32    // Twilio's own limit for SendDigits
	MaxVoicemailMessage = 1_000 // code points: about a minute of speech
)

var controlTools = []Tool{
	{
		ID:           ToolEndCall,
		Name:         "End call",
		FunctionName: ToolEndCall,
		Description: "Ends the phone call. Say goodbye in the same answer, before you call it: the call ends when the caller has " +
			"heard what you said. If the caller speaks before that, the call goes on.",
		Category:   "call control",
		Kind:       ToolBuiltin,
		Access:     AccessWrite,
		Control:    true,
		Parameters: json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`),
	},
	{
		ID:           ToolTransferCall,
		Name:         "Transfer call",
		FunctionName: ToolTransferCall,
		Description: "Connects the caller to one of the people or departments listed as targets, and to nobody else: you cannot dial " +
			"numbers. In the same answer, before you call it, tell the caller whom you connect them to. The transfer begins when the " +
			"caller has heard that; if the caller speaks before, it does not happen. If nobody takes the call, you get the caller back " +
			"and are told so.",
		Category:   "call control",
		Kind:       ToolBuiltin,
		Access:     AccessWrite,
		Control:    true,
		Parameters: transferParameters(nil),
	},
	{
		ID:           ToolSendDTMF,
		Name:         "Send key tones",
		FunctionName: ToolSendDTMF,
		Description: "Presses telephone keys, to go through the menu of an automatic answering system or to dial an extension. The keys " +
			"are pressed when what you said before has been heard; for about a second the line hears and says nothing else. Afterwards " +
			"wait for what the other side says.",
		Category: "call control",
		Kind:     ToolBuiltin,
		Access:   AccessWrite,
		Control:  true,
		Parameters: json.RawMessage(`{"type":"object","properties":{"digits":{"type":"string","pattern":"^[0-9*#w]{1,32}$",` +
			`"description":"The keys in order: 0-9, * and #. A w waits for half a second. At most 32."}},` +
			`"required":["digits"],"additionalProperties":false}`),
	},
	{
		ID:           ToolLeaveVoicemail,
		Name:         "Leave voicemail",
		FunctionName: ToolLeaveVoicemail,
		Description: "Leaves a message on an answering machine and ends the call. Call it as soon as you hear that a machine answers, such " +
			"as a recorded greeting that asks for a message after the tone. Say nothing yourself: your message is spoken after the beep, " +
			"and the call ends when it has been recorded.",
		Category: "call control",
		Kind:     ToolBuiltin,
		Access:   AccessWrite,
		Control:  true,
		Parameters: json.RawMessage(`{"type":"object","properties":{"message":{"type":"string","minLength":1,"maxLength":1000,` +
			`"description":"The whole message, word for word: who calls, for whom, why, and how to call back."}},` +
			`"required":["message"],"additionalProperties":false}`),
	},
}

// ForAgent returns a tool as an agent's model is offered it, and false when it is of no use to the agent: a transfer
// needs targets, and its schema names them.
func (t Tool) ForAgent(a Agent) (Tool, bool) {
	if !t.Control {
		return t, true
	}
	if a.Voice == nil {
		return t, false
	}
	if t.ID != ToolTransferCall {
		return t, true
	}
	if len(a.Voice.TransferTargets) == 0 {
		return t, false
	}
	t.Parameters = transferParameters(a.Voice.usableTargets())
	return t, true
}

// transferParameters is the schema of transfer_call for an agent's targets; nil = for the catalog.
func transferParameters(targets []TransferTarget) json.RawMessage {
	type schema map[string]any
	target := schema{"type": "string", "description": "The name of a target of the agent."}
	required, summarized := []string{"target", "summary"}, []string(nil)
	if targets != nil {
		var names, about []string
		for _, t := range targets {
			names = append(names, t.Name)
			if t.Description != "" {
				about = append(about, t.Name+": "+t.Description)
			}
			if t.Mode != TransferCold {
				summarized = append(summarized, t.Name)
			}
		}
		target["enum"] = names
		target["description"] = strings.Join(append([]string{"Whom to connect the caller to."}, about...), "\n")
	}
	properties := schema{"target": target, "summary": schema{"type": "string", "maxLength": MaxTransferSummary, "description": "Who calls, what they want and what " +
		"has been said, in two or three plain sentences. A person hears it before the caller is connected."}}
	if targets != nil && summarized == nil { // nobody would hear it
		delete(properties, "summary")
		required = required[:1]
	} else if len(summarized) < len(targets) {
		properties["summary"].(schema)["description"] = "For " + strings.Join(summarized, ", ") + ": who calls, what they want and what has been said, in two or three " +
			"plain sentences, which a person hears before the caller is connected. Otherwise empty."
	}
	raw, _ := json.Marshal(schema{"type": "object", "properties": properties, "required": required, "additionalProperties": false}) // always marshals
	return raw
}
