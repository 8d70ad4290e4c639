package parley

import "time"

// AgentType is the channel of an agent; it is fixed at creation.
type AgentType string

// The agent types.
const (
	AgentVoice AgentType = "voice"
	AgentChat  AgentType = "chat"
)

// AgentStatus says whether an agent answers.
type AgentStatus string

// The agent statuses. Only active and deployed agents answer calls and chats.
const (
	AgentActive   AgentStatus = "active"
	AgentInactive AgentStatus = "inactive"
	AgentTraining AgentStatus = "training"
	AgentDeployed AgentStatus = "deployed"
)

// Answers reports whether an agent of this status takes calls and chats.
func (s AgentStatus) Answers() bool { return s == AgentActive || s == AgentDeployed }

// Default models (the seed).
const (
	DefaultVoiceModel = "gpt-realtime-2025-08-28"
	DefaultChatModel  = "gpt-4o"
)

// Limits of an agent's fields, in Unicode code points.
const (
	MaxAgentName         = 255
	MaxAgentInstructions = 100_000
)

// Agent is a configurable assistant. Exactly one of Voice and Chat is set, by Type.
type Agent struct {
	ID           string
	OrgID        string
	Name         string
	Type         AgentType
	Status       AgentStatus
	Model        string
	Instructions string
	Voice        *VoiceConfig
	Chat         *ChatConfig
	ToolIDs      []string // in the order given; a tool that was deleted later leaves its id here
	PhoneNumbers []string // E.164; voice only; read from the phone_number table
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DeletedAt    *time.Time
	Revision     int64 // 1 at creation, raised by every update, deletion and restoration
}

// VoiceConfig is the `config` of a voice agent with every key at its effective value.
type VoiceConfig struct {
	Eagerness         string `json:"eagerness"`         // of semantic_vad to answer: low, medium, high, auto
	SilenceDurationMs int    `json:"silenceDurationMs"` // server_vad: pause that ends a turn
	PrefixPaddingMs   int    `json:"prefixPaddingMs"`   // server_vad: sound before the detected start that belongs to a turn
	// ToolFillerSeconds is after how much dead air the agent says that a tool is still at work; 0 = never.
	ToolFillerSeconds     int              `json:"toolFillerSeconds"`
	Voice                 string           `json:"voice"`
	Speed                 float64          `json:"speed"`                 // 0.5–2.0; OpenAI takes at most 1.5
	InterruptionThreshold float64          `json:"interruptionThreshold"` // 0–1; higher = louder to interrupt
	Timeout               int              `json:"timeout"`               // seconds of caller's silence that end the call; 0 = never
	MaxDuration           int              `json:"maxDuration"`           // seconds
	Greeting              string           `json:"greeting"`              // spoken first; "" = the caller speaks first
	Language              *string          `json:"language"`              // hint for transcription
	Transcription         bool             `json:"transcription"`
	Recording             bool             `json:"recording"`
	RecordingNotice       string           `json:"recordingNotice"` // said by the carrier before a call that is recorded begins; "" = nothing
	NoiseReduction        string           `json:"noiseReduction"`  // off, near_field, far_field
	TurnDetection         string           `json:"turnDetection"`   // server_vad, semantic_vad
	FallbackNumber        *string          `json:"fallbackNumber"`  // E.164, dialed when no agent can answer
	TransferTargets       []TransferTarget `json:"transferTargets"` // whom transfer_call may connect to; the fallback is not one of them
	MaxCost               *float64         `json:"maxCost"`         // US dollars that a call may cost before the agent ends it; nil = no limit
}

// DefaultVoiceConfig returns the contract's defaults.
func DefaultVoiceConfig() VoiceConfig {
	return VoiceConfig{
		Voice: "sage", Speed: 1, InterruptionThreshold: 0.5, Timeout: 30, MaxDuration: 1800,
		Transcription: true, NoiseReduction: "off", TurnDetection: "server_vad", TransferTargets: []TransferTarget{},
		ToolFillerSeconds: 3, Eagerness: "auto", SilenceDurationMs: 500, PrefixPaddingMs: 300,
	}
}

// MaxSentSpeed is the highest `speed` that OpenAI's Realtime API accepts.
const MaxSentSpeed = 1.5

// ChatConfig is the `config` of a chat agent with every key at its effective value.
type ChatConfig struct {
	Theme             string   `json:"theme"` // light, dark, auto
	PrimaryColor      string   `json:"primaryColor"`
	Position          string   `json:"position"`
	Greeting          string   `json:"greeting"`
	Placeholder       string   `json:"placeholder"`
	Title             string   `json:"title"`
	Suggestions       []string `json:"suggestions"`
	AllowedDomains    []string `json:"allowedDomains"` // empty = any site
	DailyMessageLimit *int     `json:"dailyMessageLimit"`
}

// DefaultChatConfig returns the contract's defaults.
func DefaultChatConfig() ChatConfig {
	return ChatConfig{
		Theme: "light", PrimaryColor: "#3B82F6", Position: "bottom-right",
		Suggestions: []string{}, AllowedDomains: []string{},
	}
}

// AgentFilter selects agents for a list. Zero values mean "any".
type AgentFilter struct {
	Type           AgentType
	Status         AgentStatus
	Search         string // case-insensitive literal substring of the name
	IncludeDeleted bool
	Sort           string // createdAt (default), updatedAt, name
	Ascending      bool
	Limit, Offset  int          // a Limit of 0 means all
	After          *AgentCursor // continue there instead of at Offset
}

// AgentPage is one page of a list of agents.
type AgentPage struct {
	Agents []Agent
	Offset int    // how many agents come before the page
	Total  int    // how many match on all pages
	Next   string // cursor of the page that follows (AgentFilter.ParseCursor); "" on the last page
}
