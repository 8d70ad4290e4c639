package api

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// Agent is an agent on the wire.
type Agent struct {
	ID           string      `json:"id" format:"uuid"`
	Name         string      `json:"name" minLength:"1" maxLength:"255" pattern:"\\S"`
	Type         string      `json:"type" enum:"voice,chat" doc:"Fixed at creation."`
	Status       string      `json:"status" enum:"active,inactive,training,deployed" doc:"Only active and deployed agents answer calls and chats."`
	Model        string      `json:"model" example:"gpt-realtime-2025-08-28"`
	Instructions string      `json:"instructions" maxLength:"100000"`
	Config       AgentConfig `json:"config" doc:"Every key with its effective value."`
	Tools        []AgentTool `json:"tools" nullable:"false"`
	PhoneNumbers *[]string   `json:"phoneNumbers,omitempty" doc:"Voice agents only; E.164."`
	EmbedCode    string      `json:"embedCode,omitempty" doc:"Chat agents only: one line for the website."`
	CreatedAt    time.Time   `json:"createdAt"`
	UpdatedAt    time.Time   `json:"updatedAt"`
	DeletedAt    *time.Time  `json:"deletedAt,omitempty" doc:"Only in lists with includeDeleted=true."`
}

// UpdatedAgent is the answer to a PATCH.
type UpdatedAgent struct {
	Agent
	Updated bool `json:"updated" enum:"true"`
}

// AgentTool is a tool as an agent shows it.
type AgentTool struct {
	ID          string         `json:"id" example:"current_time"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Category    string         `json:"category"`
	Config      map[string]any `json:"config"`
}

// AgentConfig is one of the two configs.
type AgentConfig struct {
	voice *parley.VoiceConfig
	chat  *parley.ChatConfig
}

// MarshalJSON writes the config of the agent's type.
func (c AgentConfig) MarshalJSON() ([]byte, error) {
	if c.voice != nil {
		return json.Marshal(c.voice)
	}
	return json.Marshal(c.chat)
}

// Schema documents the choice.
func (AgentConfig) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		r.Schema(reflect.TypeFor[VoiceConfig](), true, ""), r.Schema(reflect.TypeFor[ChatConfig](), true, ""),
	}}
}

// VoiceConfig documents parley.VoiceConfig; a conversion in a test keeps them equal.
type VoiceConfig struct {
	Voice                 string  `json:"voice" enum:"alloy,ash,ballad,coral,echo,sage,shimmer,verse,marin,cedar" default:"sage"`
	Speed                 float64 `json:"speed" minimum:"0.5" maximum:"2" default:"1" doc:"OpenAI takes at most 1.5; more is sent as 1.5 with a warning."`
	InterruptionThreshold float64 `json:"interruptionThreshold" minimum:"0" maximum:"1" default:"0.5" doc:"The higher, the louder a caller must be to interrupt."`
	Timeout               int     `json:"timeout" minimum:"0" maximum:"3600" default:"30" doc:"Seconds of the caller's silence that end the call; 0 = never."`
	MaxDuration           int     `json:"maxDuration" minimum:"1" maximum:"14400" default:"1800" doc:"Seconds."`
	Greeting              string  `json:"greeting" maxLength:"2000" default:"" doc:"Spoken first; empty = the caller speaks first."`
	Language              *string `json:"language" maxLength:"35" pattern:"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$" doc:"Hint for transcription, such as en or pt-BR."`
	Transcription         bool    `json:"transcription" default:"true"`
	Recording             bool    `json:"recording" default:"false"`
	NoiseReduction        string  `json:"noiseReduction" enum:"off,near_field,far_field" default:"off"`
	TurnDetection         string  `json:"turnDetection" enum:"server_vad,semantic_vad" default:"server_vad"`
	FallbackNumber        *string `json:"fallbackNumber" pattern:"^\\+[1-9][0-9]{1,14}$" doc:"E.164; dialed when no agent can answer."`
}

// ChatConfig documents parley.ChatConfig; a conversion in a test keeps them equal.
type ChatConfig struct {
	Theme             string   `json:"theme" enum:"light,dark,auto" default:"light"`
	PrimaryColor      string   `json:"primaryColor" pattern:"^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$" default:"#3B82F6"`
	Position          string   `json:"position" enum:"bottom-right,bottom-left,top-right,top-left" default:"bottom-right"`
	Greeting          string   `json:"greeting" maxLength:"2000" default:""`
	Placeholder       string   `json:"placeholder" maxLength:"255" default:""`
	Title             string   `json:"title" maxLength:"255" default:""`
	Suggestions       []string `json:"suggestions" maxItems:"6" minLength:"1" maxLength:"255" pattern:"\\S" nullable:"false"`
	AllowedDomains    []string `json:"allowedDomains" maxItems:"100" nullable:"false" doc:"Hosts such as example.com, *.example.com or localhost:3000. Empty = any site."`
	DailyMessageLimit *int     `json:"dailyMessageLimit" minimum:"0" maximum:"1000000" doc:"Messages per UTC day; null = no limit."`
}

func (a *API) agentView(g parley.Agent) Agent {
	v := Agent{
		ID: g.ID, Name: g.Name, Type: string(g.Type), Status: string(g.Status), Model: g.Model, Instructions: g.Instructions,
		Config: AgentConfig{voice: g.Voice, chat: g.Chat}, Tools: make([]AgentTool, 0, len(g.ToolIDs)),
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt, DeletedAt: g.DeletedAt,
	}
	for _, id := range g.ToolIDs {
		if t, ok := parley.BuiltinTool(id); ok {
			v.Tools = append(v.Tools, AgentTool{ID: t.ID, Name: t.Name, Description: t.Description, Category: t.Category, Config: map[string]any{}})
		}
	}
	if g.Type == parley.AgentChat {
		v.EmbedCode = `<script async src="` + a.opt.PublicURL + `/widget.js?agent=` + g.ID + `" data-agent="` + g.ID + `"></script>`
		return v
	}
	numbers := append([]string{}, g.PhoneNumbers...)
	v.PhoneNumbers = &numbers
	return v
}

// partial registers a config whose keys may all be absent or null.
func (a *API) partial(t reflect.Type, name string) *huma.Schema {
	schemas := a.api.OpenAPI().Components.Schemas.Map()
	if _, ok := schemas[name]; !ok {
		full := *a.inline(t)
		full.Required, full.Properties = nil, map[string]*huma.Schema{}
		full.AdditionalProperties = false
		for key, p := range a.inline(t).Properties {
			q := *p
			q.Nullable = true
			if len(q.Enum) > 0 {
				q.Enum = append(append([]any{}, q.Enum...), nil)
			}
			full.Properties[key] = &q
		}
		schemas[name] = &full
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

func ptr[T any](v T) *T { return &v }
