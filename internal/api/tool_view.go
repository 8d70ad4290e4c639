package api

import (
	"encoding/json"
	"maps"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
)

// Tool is a tool on the wire.
type Tool struct {
	ID                      string      `json:"id" example:"01a20b45-322f-7a31-8c55-2f6e7d9b1c04" doc:"A UUID; of a built-in tool its slug."`
	Name                    string      `json:"name" minLength:"1" maxLength:"100" pattern:"\\S" doc:"For people." example:"Look up order"`
	FunctionName            string      `json:"functionName" pattern:"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$" doc:"For the model; unique in the organization." example:"look_up_order"`
	Description             string      `json:"description" minLength:"1" maxLength:"1024" pattern:"\\S" doc:"Tells the model what the tool does and when to use it." example:"Tells state and delivery date of an order."`
	Category                string      `json:"category" maxLength:"100" doc:"For people, to group tools." example:"shop"`
	Kind                    string      `json:"kind" enum:"builtin,http,mcp,client" doc:"What runs it; fixed at creation." example:"http"`
	Parameters              toolSchema  `json:"parameters"`
	HTTP                    *HTTPTool   `json:"http,omitempty" doc:"Of kind http only."`
	Client                  *ClientTool `json:"client,omitempty" doc:"Of kind client only."`
	Access                  string      `json:"access" enum:"read,write" doc:"Whether the tool changes anything." example:"read"`
	Confirm                 bool        `json:"confirm" doc:"The tool runs only after the person agreed." example:"false"`
	MaxCallsPerConversation *int        `json:"maxCallsPerConversation" minimum:"1" maximum:"1000" doc:"null = no limit of its own."`
	CreatedAt               *time.Time  `json:"createdAt" doc:"null for built-in tools."`
	UpdatedAt               *time.Time  `json:"updatedAt" doc:"null for built-in tools."`
}

// UpdatedTool is the answer to a PATCH.
type UpdatedTool struct {
	Tool
	Updated bool `json:"updated" enum:"true" doc:"Always true."`
}

// HTTPTool is the request that a tool makes.
type HTTPTool struct {
	Method         string            `json:"method" enum:"GET,POST,PUT,PATCH,DELETE" doc:"The method of the request." example:"GET"`
	URL            string            `json:"url" minLength:"1" maxLength:"2048" doc:"The address, with templates in path and query values." example:"https://shop.example.com/orders/{{args.orderId}}"`
	Headers        map[string]string `json:"headers" doc:"A credential that stands here literally is shown as ••••."`
	Query          map[string]string `json:"query" doc:"Added to the query of url. A credential that stands here literally is shown as ••••."`
	Body           toolBody          `json:"body"`
	TimeoutSeconds int               `json:"timeoutSeconds" minimum:"1" maximum:"60" default:"10" doc:"How long the tool waits for an answer." example:"10"`
	ResultPath     string            `json:"resultPath" maxLength:"500" default:"" example:"/data/0" doc:"JSON Pointer (RFC 6901) into the answer; empty = all of it."`
}

// ClientTool is how a handler of a web page runs a tool.
type ClientTool struct {
	TimeoutSeconds int `json:"timeoutSeconds" minimum:"1" maximum:"60" default:"15" doc:"How long the page has for a result." example:"15"`
}

// toolSchema is the JSON Schema of a tool's parameters.
type toolSchema json.RawMessage

// MarshalJSON writes the schema as it was given.
func (s toolSchema) MarshalJSON() ([]byte, error) { return json.RawMessage(s).MarshalJSON() }

// Schema documents it as an object of type object.
func (toolSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Required: []string{"type"},
		Properties:  map[string]*huma.Schema{"type": {Type: huma.TypeString, Enum: []any{"object"}, Description: "Always object."}},
		Description: "JSON Schema (draft 2020-12, type object) of the arguments, at most 32 KiB, without references to other documents.",
	}
}

// toolBody is the body template of an HTTP tool.
type toolBody json.RawMessage

// MarshalJSON writes the body as it was given, null when there is none.
func (b toolBody) MarshalJSON() ([]byte, error) { return json.RawMessage(b).MarshalJSON() }

// Schema documents the choice.
func (toolBody) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeObject, AdditionalProperties: true},
			{Type: huma.TypeArray, Items: &huma.Schema{}}, {Type: "null"}},
		Description: "A text, or an object or list that is sent as JSON, with templates in its strings; at most 32 KiB. null = the arguments " +
			"that no template uses go as JSON (POST, PUT, PATCH) or into the query (GET, DELETE). It is shown to everybody who may read tools: " +
			"refer to credentials by {{secret.NAME}}.",
	}
}

// toolView shows a tool with its credentials masked.
func toolView(t parley.Tool) Tool {
	v := Tool{
		ID: t.ID, Name: t.Name, FunctionName: t.FunctionName, Description: t.Description, Category: t.Category, Kind: string(t.Kind),
		Parameters: toolSchema(t.Parameters), Access: t.Access, Confirm: t.Confirm, MaxCallsPerConversation: t.MaxCalls,
	}
	if t.HTTP != nil {
		h := t.HTTP.Masked()
		v.HTTP = &HTTPTool{Method: h.Method, URL: h.URL, Headers: h.Headers, Query: h.Query, Body: toolBody(h.Body),
			TimeoutSeconds: h.TimeoutSeconds, ResultPath: h.ResultPath}
	}
	if t.Client != nil {
		v.Client = &ClientTool{t.Client.TimeoutSeconds}
	}
	if t.Kind != parley.ToolBuiltin {
		v.CreatedAt, v.UpdatedAt = &t.CreatedAt, &t.UpdatedAt
	}
	return v
}

// changedView is toolView for the audit log, where a hidden value that is another one than before must differ.
func changedView(before, after parley.Tool) Tool {
	v := toolView(after)
	if v.HTTP == nil || before.HTTP == nil {
		return v
	}
	mark := func(shown, was, is map[string]string) {
		for name := range shown {
			if shown[name] == parley.Mask && was[name] != is[name] {
				shown[name] = parley.Mask + " (new)"
			}
		}
	}
	mark(v.HTTP.Headers, before.HTTP.Headers, after.HTTP.Headers)
	mark(v.HTTP.Query, before.HTTP.Query, after.HTTP.Query)
	return v
}

// toolInput documents a create or update request, made of the tool's own schema.
func (a *API) toolInput(create bool) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	shown := a.inline(reflect.TypeFor[Tool]()).Properties
	for _, name := range []string{"name", "description", "kind"} {
		s.Properties[name] = shown[name]
	}
	kind := *shown["kind"]
	kind.Enum = []any{"http", "client"}
	s.Properties["kind"] = &kind
	for name, means := range map[string]string{
		"functionName":            "Default: derived from the name. It stays when the name changes.",
		"category":                "Default: empty.",
		"parameters":              "Default: no parameters.",
		"access":                  "Default: read for GET, else write, also for kind client; it follows the method as long as it is the default.",
		"confirm":                 "Default: false.",
		"maxCallsPerConversation": "Default: null, no limit of its own.",
	} {
		s.Properties[name] = nullable(shown[name], means)
	}
	members := map[string]*huma.Schema{"http": a.httpInput(create), "client": a.clientInput()}
	if !create { // the kind of the tool in the path decides
		maps.Copy(s.Properties, members)
		return s
	}
	of := func(kind string, required ...string) *huma.Schema {
		one := *s
		word := *shown["kind"]
		word.Enum, word.Examples = []any{kind}, []any{kind}
		one.Properties = maps.Clone(s.Properties)
		one.Properties["kind"], one.Properties[kind] = &word, members[kind]
		one.Required = append([]string{"name", "description", "kind"}, required...)
		return &one
	}
	return &huma.Schema{Type: huma.TypeObject, OneOf: []*huma.Schema{of("http", "http"), of("client")}, Description: "The kind decides which of the two it is."}
}

// clientInput documents the member client, which may be left out.
func (a *API) clientInput() *huma.Schema {
	full := a.inline(reflect.TypeFor[ClientTool]())
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Nullable: true, Description: "For kind client only: a handler that the " +
		"page with the chat registers under functionName. null = the defaults.",
		Properties: map[string]*huma.Schema{"timeoutSeconds": nullable(full.Properties["timeoutSeconds"], "Default: 15.")}}
}

const httpNote = "Templates {{args.name}}, {{secret.NAME}} and {{context.callerNumber|contactId|conversationId|agentId|organizationId|visitor.sub}} " +
	"fill values in the path and query of url, in headers, query and body. In an update, members merge; headers and query are full sets, " +
	"in which •••• keeps a hidden value as long as url names the same host."

func (a *API) httpInput(create bool) *huma.Schema {
	full := a.inline(reflect.TypeFor[HTTPTool]())
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: maps.Clone(full.Properties), Description: httpNote}
	url := *full.Properties["url"]
	url.Pattern, url.Description = parley.ToolURLPattern, "http or https, without user name, password and fragment. Templates in path and query values are percent-encoded. "+
		"It is shown to everybody who may read tools or agents: a credential in it goes as {{secret.NAME}}."
	s.Properties["url"] = &url
	s.Properties["timeoutSeconds"] = nullable(full.Properties["timeoutSeconds"], "Default: 10.")
	path := nullable(full.Properties["resultPath"], full.Properties["resultPath"].Description)
	path.Pattern = `^(/([^~/]|~[01])*)*$`
	s.Properties["resultPath"] = path
	value := `^[\t -~]*$`
	if !create {
		value = `^([\t -~]*|••••)$`
	}
	s.Properties["headers"] = entries(parley.MaxToolHeaders, parley.MaxToolHeader, value, "Not those of the connection itself, such as Host.")
	s.Properties["headers"].Extensions = map[string]any{"propertyNames": map[string]any{"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "maxLength": parley.MaxToolHeaderName}}
	s.Properties["query"] = entries(parley.MaxToolQuery, parley.MaxToolQueryValue, `^[^\x00-\x1F\x7F-\x9F]*$`, "Added to the query of url.")
	if create {
		s.Required = []string{"method", "url"}
	}
	return s
}

// entries documents a set of headers or query entries.
func entries(most, longest int, pattern, description string) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, MaxProperties: &most, Description: description + " The full set; null clears it.",
		AdditionalProperties: &huma.Schema{Type: huma.TypeString, MaxLength: &longest, Pattern: pattern},
	}
}

// nullable is a copy of a schema that also takes null, which resets the member.
func nullable(s *huma.Schema, description string) *huma.Schema {
	q := *s
	q.Description, q.Nullable = description, true
	if len(q.Enum) > 0 {
		q.Enum = append(append([]any{}, q.Enum...), nil)
	}
	return &q
}
