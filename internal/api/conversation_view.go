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
	AgentName    string          `json:"agentName" doc:"As it was when the conversation began." example:"Customer Support Agent"`
	Type         string          `json:"type" enum:"phone,chat" doc:"A call or a chat."`
	Status       string          `json:"status" enum:"active,completed,failed" doc:"Failed when something other than the two sides ended it." example:"completed"`
	Direction    string          `json:"direction" enum:"inbound,outbound" doc:"Who began it: the other side, or this server."`
	From         string          `json:"from" doc:"The caller's number, in E.164 where it is one; empty for chats." example:"+14155550123"`
	To           string          `json:"to" doc:"The number that was called; empty for chats." example:"+14155550199"`
	StartedAt    time.Time       `json:"startedAt" doc:"When it began." example:"2026-01-31T09:00:00Z"`
	EndedAt      *time.Time      `json:"endedAt" doc:"Null while active." example:"2026-01-31T09:01:23Z"`
	Duration     *int64          `json:"duration" doc:"Seconds; null while active." example:"83"`
	EndReason    *string         `json:"endReason" doc:"Why it ended, such as caller_hangup; null while active." example:"caller_hangup"`
	Simulated    bool            `json:"simulated" doc:"Any leg was simulated."`
	Test         bool            `json:"test" doc:"Not counted in metrics."`
	MessageCount int             `json:"messageCount" doc:"How many messages the transcript has." example:"8"`
	Usage        parley.Usage    `json:"usage"`
	Cost         int64           `json:"cost" doc:"Micro-dollars; 0 also when the model's price is unknown." example:"41250"`
	Latency      parley.Latency  `json:"latency"`
	Metadata     json.RawMessage `json:"metadata" doc:"What was attached to it."`
}

// ConversationRecord is one conversation with its words.
type ConversationRecord struct {
	Conversation
	Visitor   *Visitor          `json:"visitor,omitempty" doc:"Who spoke on a website's chat. Absent otherwise."`
	Messages  []parley.Message  `json:"messages" nullable:"false" doc:"The transcript, in the order of the conversation."`
	ToolCalls []parley.ToolCall `json:"toolCalls" nullable:"false" doc:"Every use of a tool."`
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
