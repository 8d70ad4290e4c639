package api

import (
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// refineSchemas makes of the schemas that huma derives from Go types what a client generator needs: agents told
// apart by their type, and objects where Go has raw JSON.
func (a *API) refineSchemas() {
	schemas := a.api.OpenAPI().Components.Schemas.Map()
	splitAgent(schemas, "Agent", "")
	splitAgent(schemas, "UpdatedAgent", "Updated")
	for schema, member := range map[string]string{"Event": "data", "Conversation": "metadata", "ConversationRecord": "metadata"} {
		p := *schemas[schema].Properties[member]
		p.Type, p.AdditionalProperties = huma.TypeObject, true
		schemas[schema].Properties[member] = &p
	}
}

// splitAgent replaces a schema of both types of agent by the choice of two, each with its own config. Go has one
// type, whose members are checked by the answers in the tests.
func splitAgent(schemas map[string]*huma.Schema, name, prefix string) {
	both := schemas[name]
	voice, chat := onlyFor(both, parley.AgentVoice, "phoneNumbers", "embedCode"), onlyFor(both, parley.AgentChat, "embedCode", "phoneNumbers")
	schemas[prefix+"VoiceAgent"], schemas[prefix+"ChatAgent"] = voice, chat
	schemas[name] = byType(both.Description, prefix+"VoiceAgent", prefix+"ChatAgent")
}

// onlyFor is the schema of one type of agent: with its config, its own member and without the other type's.
func onlyFor(both *huma.Schema, t parley.AgentType, own, other string) *huma.Schema {
	s := *both
	s.Properties = maps.Clone(both.Properties)
	delete(s.Properties, other)
	typ, config := *both.Properties["type"], "VoiceConfig"
	typ.Enum = []any{string(t)}
	model := *both.Properties["model"]
	if t == parley.AgentChat {
		config, model.Examples = "ChatConfig", []any{"gpt-4o"}
	}
	s.Properties["type"], s.Properties["model"] = &typ, &model
	s.Properties["config"] = &huma.Schema{Ref: schemaRef + config}
	if i := slices.Index(s.Required, "createdAt"); i >= 0 {
		s.Required = slices.Insert(slices.Clone(s.Required), i, own)
	}
	return &s
}

const schemaRef = "#/components/schemas/"

// byType is the choice between the schemas of a voice and a chat agent.
func byType(doc, voice, chat string) *huma.Schema {
	return &huma.Schema{Description: doc, OneOf: []*huma.Schema{{Ref: schemaRef + voice}, {Ref: schemaRef + chat}},
		Discriminator: &huma.Discriminator{PropertyName: "type", Mapping: map[string]string{
			string(parley.AgentVoice): schemaRef + voice, string(parley.AgentChat): schemaRef + chat,
		}}}
}
