package api

import (
	"encoding/json"
	"math"
	"time"

	"parley"
)

// Conversation is a conversation on the wire, as lists show it.
type Conversation struct {
	ID           string          `json:"id" format:"uuid"`
	AgentID      string          `json:"agentId" format:"uuid"`
	AgentName    string          `json:"agentName" doc:"As it was when the conversation began."`
	Type         string          `json:"type" enum:"phone,chat"`
	Status       string          `json:"status" enum:"active,completed,failed"`
	Direction    string          `json:"direction" doc:"inbound or outbound."`
	From         string          `json:"from"`
	To           string          `json:"to"`
	StartedAt    time.Time       `json:"startedAt"`
	EndedAt      *time.Time      `json:"endedAt"`
	Duration     *int64          `json:"duration" doc:"Seconds; null while active."`
	EndReason    *string         `json:"endReason" doc:"Null while active."`
	Simulated    bool            `json:"simulated" doc:"Any leg was simulated."`
	Test         bool            `json:"test" doc:"Not counted in metrics."`
	MessageCount int             `json:"messageCount"`
	Usage        parley.Usage    `json:"usage"`
	Cost         int64           `json:"cost" doc:"Micro-dollars; 0 also when the model's price is unknown."`
	Latency      parley.Latency  `json:"latency"`
	Metadata     json.RawMessage `json:"metadata"`
}

// ConversationRecord is one conversation with its words.
type ConversationRecord struct {
	Conversation
	Messages  []parley.Message  `json:"messages" nullable:"false"`
	ToolCalls []parley.ToolCall `json:"toolCalls" nullable:"false"`
}

func conversationView(c parley.Conversation) Conversation {
	v := Conversation{
		ID: c.ID, AgentID: c.AgentID, AgentName: c.AgentName, Type: string(c.Channel), Status: string(c.Status),
		Direction: c.Direction, From: c.From, To: c.To, StartedAt: c.StartedAt, EndedAt: c.EndedAt,
		Simulated: c.Simulated, Test: c.Test, Metadata: c.Metadata,
	}
	if len(v.Metadata) == 0 {
		v.Metadata = json.RawMessage(`{}`)
	}
	if c.EndedAt != nil {
		seconds := int64(math.Round(c.EndedAt.Sub(c.StartedAt).Seconds()))
		v.Duration = &seconds
	}
	if c.EndReason != "" {
		v.EndReason = &c.EndReason
	}
	if c.Summary != nil {
		v.summarize(*c.Summary)
	}
	return v
}

func (v *Conversation) summarize(s parley.Summary) {
	v.MessageCount, v.Usage, v.Cost, v.Latency = s.MessageCount, s.Usage, s.Cost, s.Latency
}

// recordView reads the words from the log, which is newer than the summary while a conversation lasts.
func recordView(c parley.Conversation, events []parley.Event) ConversationRecord {
	rec := parley.Project(events)
	v := ConversationRecord{Conversation: conversationView(c), Messages: rec.Messages, ToolCalls: rec.ToolCalls}
	v.summarize(rec.Summary)
	if v.Messages == nil {
		v.Messages = []parley.Message{}
	}
	if v.ToolCalls == nil {
		v.ToolCalls = []parley.ToolCall{}
	}
	return v
}
