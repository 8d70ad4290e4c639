package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"parley"
	"parley/internal/browser"
	"parley/internal/call"
	"parley/internal/respond"
	"parley/internal/store"
)

// WebCall is what a page needs for a call in the browser.
type WebCall struct {
	ConversationID string    `json:"conversationId" format:"uuid" doc:"The call's record. Ask with it for another token when the page has to come back."`
	URL            string    `json:"url" format:"uri" doc:"The WebSocket to open; it holds the token." example:"wss://parley.example/web-call/kX1mQe0Jq0b7M1wq2hKpT8sVn4yRz6uCe3oDf5aLgBI"`
	Token          string    `json:"token" doc:"The token alone. It can be used once." example:"kX1mQe0Jq0b7M1wq2hKpT8sVn4yRz6uCe3oDf5aLgBI"`
	Protocol       string    `json:"protocol" doc:"The subprotocol to name: docs/web-call.md." example:"parley.web-call.v1"`
	ExpiresAt      time.Time `json:"expiresAt" doc:"The WebSocket must be open by then: 30 s from now."`
}

type webCallInput struct {
	AgentPath
	jsonBody
}

func (a *API) webCallOperations() {
	body := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
		"test": {Type: huma.TypeBoolean, Description: "Works whatever the agent's status, and marks a new conversation as a test."},
		"allowedOrigin": {Type: huma.TypeString, MaxLength: ptr(parley.MaxOrigin), Pattern: parley.OriginPattern,
			Description: "Only pages of this origin may use the token. Absent: any page that has it."},
		"conversationId": {Type: huma.TypeString, Format: "uuid", Description: "A browser call of this agent that goes on: its page was reloaded, or could not resume by itself. Absent begins a call."},
	}}
	write(a, operation{method: http.MethodPost, path: "/api/v1/agents/{agentId}/web-call", id: "createWebCall", tag: "Web calls",
		scope: parley.ScopeCalls, status: http.StatusCreated, body: body, example: map[string]any{"allowedOrigin": "https://www.example.com"},
		summary: "Begin a call in the browser", description: "The token lets one page talk to a voice agent, once, within 30 s. " +
			"Fetch it with your server, never with the page: the API key must not leave it. `/web-call.js` is the client.",
		refusals: []int{404, 409, 503}, secret: true, spends: true}, a.createWebCall)
}

func (a *API) createWebCall(ctx context.Context, orgID string, in *webCallInput) (effect[WebCall], error) {
	req := call.WebCall{AgentID: in.AgentID}
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	fields, err := in.fields()
	if err != nil {
		return nil, err
	}
	fields.Bool("test", &req.Test)
	fields.Origin("allowedOrigin", &req.AllowedOrigin)
	fields.Text("conversationId", &req.ConversationID, 0, 64)
	if err := fields.Done(); err != nil {
		return nil, err
	}
	if fields.Has("conversationId") {
		if err := notFoundID(req.ConversationID, "Conversation"); err != nil {
			return nil, err
		}
	}
	agent, err := a.opt.Calls.NewWebCall(ctx, orgID, req)
	if parley.ErrorCode(err) == parley.CodeUnavailable {
		err = respond.WithStatus(err, http.StatusConflict) // the agent does not answer (contract §5)
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[WebCall], error) {
		ticket, err := a.opt.Calls.KeepWebCall(ctx, tx, orgID, agent, req)
		if err != nil {
			return refuse[WebCall](err)
		}
		n := &note{action: "create", resource: parley.AuditResource{Type: "web_call", ID: ticket.ConversationID, Name: agent.Name}}
		return reply[WebCall]{note: n, data: WebCall{
			ConversationID: ticket.ConversationID, Token: ticket.Token, Protocol: browser.Subprotocol,
			URL:       "ws" + strings.TrimPrefix(a.opt.PublicURL, "http") + "/web-call/" + ticket.Token,
			ExpiresAt: a.instant().Add(call.BrowserTokenLife),
		}}, nil
	}, nil
}
