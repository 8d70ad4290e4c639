package api

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// Agent is an agent on the wire.
type Agent struct {
	ID           string      `json:"id" format:"uuid"`
	Name         string      `json:"name" minLength:"1" maxLength:"255" pattern:"\\S" doc:"For people, to recognize it." example:"Customer Support Agent"`
	Type         string      `json:"type" enum:"voice,chat" doc:"Fixed at creation."`
	Status       string      `json:"status" enum:"active,inactive,training,deployed" doc:"Only active and deployed agents answer calls and chats."`
	Model        string      `json:"model" doc:"The model provider's name for the model." example:"gpt-realtime-2025-08-28"`
	Instructions string      `json:"instructions" maxLength:"100000" doc:"What the model is told before the conversation." example:"You are a helpful customer support agent."`
	Config       any         `json:"config" doc:"Every key with its effective value."`
	Tools        []AgentTool `json:"tools" nullable:"false" doc:"What the agent can do; give ids in toolIds to change it."`
	PhoneNumbers *[]string   `json:"phoneNumbers,omitempty" doc:"The numbers that it answers, in E.164." example:"[\"+14155550123\"]"`
	EmbedCode    string      `json:"embedCode,omitempty" doc:"One line for the website: it shows the chat there." example:"<script async src=…></script>"`
	CreatedAt    time.Time   `json:"createdAt"`
	UpdatedAt    time.Time   `json:"updatedAt"`
	DeletedAt    *time.Time  `json:"deletedAt,omitempty" doc:"Only in lists with includeDeleted=true."`
}

// UpdatedAgent is the answer to a PATCH.
type UpdatedAgent struct {
	Agent
	Updated bool `json:"updated" enum:"true" doc:"Always true."`
}

// AgentTool is a tool as an agent shows it.
type AgentTool struct {
	ID          string         `json:"id" example:"current_time"`
	Name        string         `json:"name" doc:"For people." example:"Current time"`
	Description string         `json:"description" doc:"What the model is told about it." example:"Tells the current date and time in a time zone."`
	Category    string         `json:"category" doc:"What kind of tool it is." example:"information"`
	Config      map[string]any `json:"config" doc:"How it is set up, without secrets: method and url of an HTTP tool." example:"{}"`
}

// VoiceConfig documents parley.VoiceConfig; a conversion in a test keeps them equal.
type VoiceConfig struct {
	Eagerness             string                  `json:"eagerness" enum:"auto,low,medium,high" default:"auto" doc:"For semantic_vad: how soon to answer; high = at once, low = let the caller take time."`
	SilenceDurationMs     int                     `json:"silenceDurationMs" minimum:"100" maximum:"5000" default:"500" doc:"For server_vad: the pause that ends the caller's turn."`
	PrefixPaddingMs       int                     `json:"prefixPaddingMs" minimum:"0" maximum:"2000" default:"300" doc:"For server_vad: how much sound before the detected start belongs to a turn."`
	ToolFillerSeconds     int                     `json:"toolFillerSeconds" minimum:"0" maximum:"60" default:"3" doc:"Seconds of silence after which the agent says that a tool is still at work; 0 = never."`
	Voice                 string                  `json:"voice" enum:"alloy,ash,ballad,coral,echo,sage,shimmer,verse,marin,cedar" default:"sage" doc:"The voice that speaks."`
	Speed                 float64                 `json:"speed" minimum:"0.5" maximum:"2" default:"1" doc:"OpenAI takes at most 1.5; more is sent as 1.5 with a warning."`
	InterruptionThreshold float64                 `json:"interruptionThreshold" minimum:"0" maximum:"1" default:"0.5" doc:"The higher, the louder a caller must be to interrupt."`
	Timeout               int                     `json:"timeout" minimum:"0" maximum:"3600" default:"30" doc:"Seconds of the caller's silence that end the call; 0 = never."`
	MaxDuration           int                     `json:"maxDuration" minimum:"1" maximum:"14400" default:"1800" doc:"Seconds after which the call is ended."`
	Greeting              string                  `json:"greeting" maxLength:"2000" default:"" doc:"Spoken first; empty = the caller speaks first." example:"Hello, how can I help you?"`
	Language              *string                 `json:"language" maxLength:"35" pattern:"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$" doc:"Hint for transcription, such as en or pt-BR."`
	Transcription         bool                    `json:"transcription" default:"true" doc:"Keep what the caller says as text."`
	Recording             bool                    `json:"recording" default:"false" doc:"Keep the sound of the call: GET /api/v1/conversations/{conversationId}/recording."`
	RecordingNotice       string                  `json:"recordingNotice" default:"" maxLength:"2000" doc:"Said to the caller, in the carrier's voice, before a recorded call begins; empty says nothing. Many countries require one."`
	NoiseReduction        string                  `json:"noiseReduction" enum:"off,near_field,far_field" default:"off" doc:"For a handset at the ear (near) or a speaker phone (far)."`
	TurnDetection         string                  `json:"turnDetection" enum:"server_vad,semantic_vad" default:"server_vad" doc:"How the end of the caller's turn is found: by silence, or by meaning."`
	FallbackNumber        *string                 `json:"fallbackNumber" pattern:"^\\+[1-9][0-9]{1,14}$" doc:"E.164; dialed when no agent can answer."`
	TransferTargets       []parley.TransferTarget `json:"transferTargets" maxItems:"20" nullable:"false" doc:"Whom the tool transfer_call may connect a caller to; the whole list is replaced. The model chooses by name, never by number."`
	MaxCost               *float64                `json:"maxCost" minimum:"0.01" maximum:"1000" doc:"US dollars that a call may cost, for model, transcription and carrier together: then the agent says goodbye and ends it. Null = no limit." example:"0.5"`
}

// ChatConfig documents parley.ChatConfig; a conversion in a test keeps them equal.
type ChatConfig struct {
	Theme             string   `json:"theme" enum:"light,dark,auto" default:"light" doc:"Of the chat window; auto follows the visitor's system."`
	PrimaryColor      string   `json:"primaryColor" pattern:"^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$" default:"#3B82F6" doc:"Of the button and the visitor's messages."`
	Position          string   `json:"position" enum:"bottom-right,bottom-left,top-right,top-left" default:"bottom-right" doc:"The corner of the page."`
	Greeting          string   `json:"greeting" maxLength:"2000" default:"" doc:"Shown first; empty = none." example:"Hi! How can I help?"`
	Placeholder       string   `json:"placeholder" maxLength:"255" default:"" doc:"In the empty message field." example:"Ask us anything"`
	Title             string   `json:"title" maxLength:"255" default:"" doc:"At the top of the chat window." example:"Support"`
	Suggestions       []string `json:"suggestions" maxItems:"6" minLength:"1" maxLength:"255" pattern:"\\S" nullable:"false" doc:"Messages to choose from before the first one." example:"[\"What are your opening hours?\"]"`
	AllowedDomains    []string `json:"allowedDomains" maxItems:"100" nullable:"false" doc:"Hosts such as example.com, *.example.com or localhost:3000. Empty = any site." example:"[\"example.com\"]"`
	DailyMessageLimit *int     `json:"dailyMessageLimit" minimum:"0" maximum:"1000000" doc:"Messages per UTC day; null = no limit."`
}

// agentView shows an agent with those of its tools that are known; a tool that was deleted is left out.
func (a *API) agentView(g parley.Agent, known map[string]parley.Tool) Agent {
	v := Agent{
		ID: g.ID, Name: g.Name, Type: string(g.Type), Status: string(g.Status), Model: g.Model, Instructions: g.Instructions,
		Tools:     make([]AgentTool, 0, len(g.ToolIDs)),
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt, DeletedAt: g.DeletedAt,
	}
	for _, id := range g.ToolIDs {
		if t, ok := known[id]; ok {
			v.Tools = append(v.Tools, agentTool(t))
		}
	}
	v.Config = g.Voice
	if g.Type == parley.AgentChat {
		v.Config = g.Chat
		v.EmbedCode = embedScript(a.opt.PublicURL, g.ID)
		return v
	}
	numbers := append([]string{}, g.PhoneNumbers...)
	v.PhoneNumbers = &numbers
	return v
}

// agentTool shows nothing that could be secret.
func agentTool(t parley.Tool) AgentTool {
	v := AgentTool{ID: t.ID, Name: t.Name, Description: t.Description, Category: t.Category, Config: map[string]any{}}
	if t.HTTP != nil {
		v.Config["method"], v.Config["url"] = t.HTTP.Method, t.HTTP.URL
	}
	return v
}

// partial registers a config whose keys may all be absent or null. Its defaults are words: in an update, absent
// means no change, and generators would make a member with a default one that must be given.
func (a *API) partial(t reflect.Type, name string) *huma.Schema {
	schemas := a.api.OpenAPI().Components.Schemas.Map()
	if _, ok := schemas[name]; !ok {
		full := *a.inline(t)
		full.Required, full.Properties = nil, map[string]*huma.Schema{}
		full.AdditionalProperties = false
		for key, p := range a.inline(t).Properties {
			q := *p
			q.Description = strings.TrimSpace(q.Description + " Default: " + defaultWord(p) + ".")
			q.Default, q.Nullable = nil, true
			if len(q.Enum) > 0 {
				q.Enum = append(append([]any{}, q.Enum...), nil)
			}
			full.Properties[key] = &q
		}
		schemas[name] = &full
	}
	return &huma.Schema{Ref: schemaRef + name}
}

func defaultWord(s *huma.Schema) string {
	switch {
	case s.Default != nil:
		return fmt.Sprint(s.Default)
	case s.Nullable:
		return "null"
	case s.Type == huma.TypeArray:
		return "an empty list"
	}
	return "empty"
}

func ptr[T any](v T) *T { return &v }
