package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/store"
)

// TestCall is one ready-signed webhook request of a simulated phone, usable once within 30 s.
type TestCall struct {
	ID        string            `json:"id" format:"uuid"`
	URL       string            `json:"url" doc:"Where to POST the form; signed for the public URL." example:"https://parley.example/twilio/voice"`
	Form      map[string]string `json:"form" doc:"What to send." example:"{\"CallSid\":\"CA00000000000000000000000000000000\"}"`
	Signature string            `json:"signature" doc:"For the header X-Twilio-Signature." example:"0/KCTR6DLpKmkAf8muzZqo1nDgQ="`
}

// Signature signs a later request of a test call.
type Signature struct {
	Signature string `json:"signature" doc:"For the header X-Twilio-Signature." example:"0/KCTR6DLpKmkAf8muzZqo1nDgQ="`
}

type testCallSign struct {
	ID string `path:"id" doc:"The test call's id."`
	jsonBody
}

const (
	maxAddress    = 255
	maxURL        = 2_048
	maxFormFields = 100
)

func (a *API) testCallOperations() {
	text := func(limit int, doc string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(limit), Pattern: notBlank, Description: doc}
	}
	only := func(name string, s *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{name}, Properties: map[string]*huma.Schema{name: s}}
	}
	create := &huma.Schema{Type: huma.TypeObject, OneOf: []*huma.Schema{
		only("agentId", &huma.Schema{Type: huma.TypeString, Format: "uuid", Description: "Call this agent directly."}),
		only("to", text(maxAddress, "Or dial this number of the organization, in E.164.")),
	}}
	sign := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Required: []string{"url", "form"}, Properties: map[string]*huma.Schema{
		"url":  text(maxURL, "An address of this server under its public URL."),
		"form": {Type: huma.TypeObject, Description: "What you will send there.", MaxProperties: ptr(maxFormFields), AdditionalProperties: &huma.Schema{Type: huma.TypeString}},
	}}
	sign.Properties["url"].Format, sign.Properties["url"].Pattern = "uri", "^https?://[^/?#]"
	const path = "/api/v1/test-calls"
	write(a, operation{method: http.MethodPost, path: path, id: "createTestCall", tag: "Test calls", scope: parley.ScopeCalls, status: http.StatusCreated,
		summary: "Sign the first request of a test call", description: "Give either `agentId` or `to`.", body: create,
		example: map[string]any{"agentId": exampleID}, refusals: []int{404, 409, 503}, spends: true}, a.createTestCall)
	read(a, operation{method: http.MethodPost, path: path + "/{id}/sign", id: "signTestCall", repeatable: true, tag: "Test calls", scope: parley.ScopeCalls,
		summary: "Sign a later request of a running test call", body: sign, example: map[string]any{"url": "https://parley.example/twilio/status",
			"form": map[string]any{"CallSid": "CA00000000000000000000000000000000", "CallStatus": "completed"}}, refusals: []int{404, 409, 503}}, a.signTestCall)
}

func (a *API) createTestCall(ctx context.Context, orgID string, in *jsonBody) (effect[TestCall], error) {
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	var agentID, to string
	fields.Text("agentId", &agentID, 1, maxAddress)
	fields.Text("to", &to, 1, maxAddress)
	if fields.Has("agentId") == fields.Has("to") {
		fields.Fail("agentId", "must be given, or to instead: exactly one of the two.")
	}
	if err := fields.Done(); err != nil {
		return nil, err
	}
	if agentID != "" {
		if err := notFoundID(agentID, "Agent"); err != nil {
			return nil, err
		}
	}
	made, err := a.opt.Calls.NewTestCall(ctx, orgID, agentID, to)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[TestCall], error) {
		err := a.opt.Calls.KeepTestCall(ctx, tx, orgID, made)
		n := &note{action: "create", resource: parley.AuditResource{Type: "test_call", ID: made.ID, Name: made.Form["To"]}}
		return reply[TestCall]{data: TestCall(made), note: n}, err
	}, nil
}

func (a *API) signTestCall(ctx context.Context, orgID string, in *testCallSign) (reply[Signature], error) {
	if err := notFoundID(in.ID, "Test call"); err != nil {
		return refuse[Signature](err)
	}
	fields, err := in.fields()
	if err != nil {
		return refuse[Signature](err)
	}
	var address string
	form := map[string]string{}
	fields.Required("url")
	fields.Required("form")
	fields.Text("url", &address, 1, maxURL)
	fields.TextMap("form", &form, maxFormFields)
	if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		fields.Fail("url", "must be an absolute address.")
	}
	if err := fields.Done(); err != nil {
		return refuse[Signature](err)
	}
	signature, err := a.opt.Calls.SignTestCall(ctx, orgID, in.ID, address, form)
	return reply[Signature]{data: Signature{Signature: signature}}, err
}
