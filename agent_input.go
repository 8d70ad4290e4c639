package parley

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How many entries an agent's lists may have. A request body is at most 1 MiB, so these guard the database.
const (
	maxToolIDs        = 128
	maxPhoneNumbers   = 100
	maxAllowedDomains = 100
	maxSuggestions    = 6
	maxGreeting       = 2_000
	maxShortText      = 255
	maxToolID         = 100
)

// NewAgent makes an agent from a create request. Warnings tell what was accepted but adjusted or ignored.
// The error is CodeInvalid and names every wrong field. Whether the tools exist is for KeepTools to say.
func NewAgent(orgID string, in *Input, now time.Time) (Agent, []string, error) {
	a := Agent{ID: NewID(), OrgID: orgID, Status: AgentActive, ToolIDs: []string{}, PhoneNumbers: []string{}, Revision: 1}
	in.Required("name")
	in.Required("type")
	in.Enum("type", (*string)(&a.Type), string(AgentVoice), string(AgentChat))
	switch a.Type {
	case AgentVoice:
		c := DefaultVoiceConfig()
		a.Voice, a.Model = &c, DefaultVoiceModel
	case AgentChat:
		c := DefaultChatConfig()
		a.Chat, a.Model = &c, DefaultChatModel
	}
	a.CreatedAt, a.UpdatedAt = now, now
	return a.take(in, true)
}

// Apply returns the agent as a PATCH request asks. The receiver is not changed. Warnings and errors are as
// for NewAgent.
func (a Agent) Apply(in *Input, now time.Time) (Agent, []string, error) {
	if in.Has("type") {
		var typ string
		in.Enum("type", &typ, string(AgentVoice), string(AgentChat))
		if typ != "" && typ != string(a.Type) {
			in.Fail("type", "is fixed at creation. Create another agent instead.")
		}
	}
	if a.Voice != nil {
		c := *a.Voice
		a.Voice = &c
	}
	if a.Chat != nil {
		c := *a.Chat
		a.Chat = &c
	}
	a.UpdatedAt = now
	a.Revision++ // as the store does
	return a.take(in, false)
}

// take reads all members but `type` into the agent, whose configs are its own copies.
func (a Agent) take(in *Input, create bool) (Agent, []string, error) {
	in.Text("name", &a.Name, 1, MaxAgentName)
	in.Enum("status", (*string)(&a.Status), string(AgentActive), string(AgentInactive), string(AgentTraining), string(AgentDeployed))
	in.Text("model", &a.Model, 1, maxShortText)
	in.Text("instructions", &a.Instructions, 0, MaxAgentInstructions)
	in.List("toolIds", &a.ToolIDs, maxToolIDs, func(id string) string { return lengthProblem(id, 1, maxToolID) })
	a.takeNumbers(in)
	domains := a.takeConfig(in)
	if err := in.Done(); err != nil {
		return Agent{}, nil, err
	}
	warnings := append(a.modelWarnings(in), a.transferWarnings(in)...)
	return a, append(warnings, a.configWarnings(in.Has("config"), create || domains)...), nil
}

func (a *Agent) takeNumbers(in *Input) {
	if a.Type == AgentChat && in.Has("phoneNumbers") {
		in.Skip("phoneNumbers")
		in.Fail("phoneNumbers", "belongs to voice agents only. Remove it.")
		return
	}
	in.List("phoneNumbers", &a.PhoneNumbers, maxPhoneNumbers, func(s string) string {
		if !IsE164(s) {
			return "must be a phone number in E.164 form such as +358401234567."
		}
		return ""
	})
	if in.Has("phoneNumbers") {
		slices.Sort(a.PhoneNumbers) // as the store reads them: they are a set
	}
}

// takeConfig merges the config and reports whether the list of domains was sent.
func (a *Agent) takeConfig(in *Input) (domains bool) {
	if a.Voice == nil && a.Chat == nil { // the type is wrong, which is reported already
		in.Skip("config")
		return false
	}
	c := in.Object("config")
	if c == nil {
		return false
	}
	if a.Voice != nil {
		a.Voice.take(c)
	} else {
		a.Chat.take(c)
	}
	c.Unknown()
	return a.Chat != nil && c.Has("allowedDomains")
}

// chatModels are the documented chat models; any other name is accepted, because providers add models
// weekly, and judged by its words.
var chatModels = []string{"gpt-4o", "gpt-4o-mini", "gpt-4", "gpt-4-turbo", "gpt-3.5-turbo"}

func (a *Agent) modelWarnings(in *Input) []string {
	if !in.Has("model") {
		return nil
	}
	realtime := strings.Contains(a.Model, "realtime")
	switch {
	case a.Type == AgentVoice && slices.Contains(chatModels, a.Model):
		return []string{fmt.Sprintf("model: %q is a chat model. Voice agents need a realtime model such as %s.", a.Model, DefaultVoiceModel)}
	case a.Type == AgentVoice && !realtime:
		return []string{fmt.Sprintf("model: %q does not look like a realtime model. It is used as given.", a.Model)}
	case a.Type == AgentChat && realtime:
		return []string{fmt.Sprintf("model: %q is a realtime model. Chat agents need a chat model such as %s.", a.Model, DefaultChatModel)}
	}
	return nil
}

func (a *Agent) configWarnings(config, domains bool) []string {
	var w []string
	if a.Voice != nil && config && a.Voice.Speed > MaxSentSpeed {
		w = append(w, fmt.Sprintf("config.speed: OpenAI takes at most %g, so %g is sent as %g.", MaxSentSpeed, a.Voice.Speed, MaxSentSpeed))
	}
	if a.Chat != nil && len(a.Chat.AllowedDomains) == 0 && domains {
		w = append(w, "config.allowedDomains: the list is empty, so any website may embed this agent.")
	}
	return w
}

func (a *Agent) transferWarnings(in *Input) (w []string) {
	if a.Voice == nil || !in.Has("toolIds") && !in.Has("config") {
		return nil
	}
	for i, t := range a.Voice.TransferTargets {
		if first, _ := a.Voice.Target(t.Name); in.Has("config") && first != t {
			w = append(w, fmt.Sprintf("config.transferTargets[%d]: %q names an earlier target, which is used instead.", i, t.Name))
		}
	}
	has, targets := slices.Contains(a.ToolIDs, ToolTransferCall), len(a.Voice.TransferTargets)
	switch {
	case has && targets == 0:
		w = append(w, "config.transferTargets: the list is empty, so the agent cannot use its tool transfer_call. Name the people to connect callers to.")
	case !has && targets > 0 && in.Has("config"):
		w = append(w, "config.transferTargets: the agent does not have the tool transfer_call, so it connects nobody. Add it to toolIds.")
	}
	return w
}
