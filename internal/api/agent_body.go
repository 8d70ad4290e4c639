package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// notBlank is the pattern of texts that need a visible character; parley.Input means the same.
const notBlank = `\S`

// agentBody documents a create or update request, made of the agent's own schema: one of two, told apart by
// type. In an update the type may be absent, and the agent's own decides.
func (a *API) agentBody(create bool) *huma.Schema {
	a.documentDomains()
	verb := "Update"
	if create {
		verb = "Create"
	}
	voice := a.agentBodyOf(create, "voice", verb+"VoiceAgent", a.partial(reflect.TypeFor[VoiceConfig](), "VoiceConfigInput"))
	chat := a.agentBodyOf(create, "chat", verb+"ChatAgent", a.partial(reflect.TypeFor[ChatConfig](), "ChatConfigInput"))
	if !create {
		return &huma.Schema{Type: huma.TypeObject, AnyOf: []*huma.Schema{voice, chat}, Description: "The type of the agent decides which of the two it is."}
	}
	s := byType("", verb+"VoiceAgent", verb+"ChatAgent")
	s.Type = huma.TypeObject
	return s
}

// agentBodyOf registers the body for one type of agent.
func (a *API) agentBodyOf(create bool, kind, name string, config *huma.Schema) *huma.Schema {
	shown := a.inline(reflect.TypeFor[Agent]()).Properties
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"name": shown["name"], "status": shown["status"], "instructions": shown["instructions"],
		"type":   {Type: huma.TypeString, Enum: []any{kind}, Description: "Fixed at creation."},
		"model":  {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(255), Pattern: notBlank, Description: "Default: " + defaultModels[kind] + "."},
		"config": {Ref: config.Ref, Description: "Merged by key: absent keeps, null resets to the default."},
		"toolIds": {Type: huma.TypeArray, MaxItems: ptr(128), Items: &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(100), Pattern: notBlank},
			Description: "Ids of tools, built-in ones by their slugs: the full set; [] clears it, absent keeps it. Unknown ids are ignored and named in warnings."},
	}}
	if kind == "voice" {
		s.Properties["phoneNumbers"] = &huma.Schema{Type: huma.TypeArray, MaxItems: ptr(100), Items: &huma.Schema{Type: huma.TypeString, Pattern: `^\+[1-9][0-9]{1,14}$`},
			Description: "The full set; [] releases all, absent keeps them."}
	}
	if create {
		s.Required = []string{"name", "type"}
	}
	a.api.OpenAPI().Components.Schemas.Map()[name] = s
	return &huma.Schema{Ref: schemaRef + name}
}

var defaultModels = map[string]string{"voice": parley.DefaultVoiceModel, "chat": parley.DefaultChatModel}

// documentDomains describes the entries of allowedDomains once, for their pattern is long.
func (a *API) documentDomains() {
	a.api.OpenAPI().Components.Schemas.Map()["AllowedDomain"] = &huma.Schema{Type: huma.TypeString, MaxLength: ptr(parley.MaxDomain), Pattern: parley.DomainPattern,
		Description: "A host such as example.com, *.example.com, localhost:3000 or [::1]:3000.", Examples: []any{"example.com", "*.example.com", "localhost:3000"}}
	a.inline(reflect.TypeFor[ChatConfig]()).Properties["allowedDomains"].Items = &huma.Schema{Ref: schemaRef + "AllowedDomain"}
}
