package api

import (
	"context"
	"net/http"
	"time"

	"parley"
	"parley/internal/auth"
	"parley/internal/store"
)

// IdentitySecret is the key of an agent's identified visitors.
type IdentitySecret struct {
	AgentID   string    `json:"agentId" format:"uuid"`
	Secret    string    `json:"secret" doc:"The key of HS256, as it is. It is shown only now." example:"pis_1hR8f0Vq3mZt6yXcL2aKpW9sDgJ4uNbE7iTo5zMxQvY"`
	CreatedAt time.Time `json:"createdAt"`
}

// IdentitySecretDeleted confirms that visitors can no longer be identified.
type IdentitySecretDeleted struct {
	AgentID string `json:"agentId" format:"uuid"`
	Deleted bool   `json:"deleted" enum:"true" doc:"Always true."`
}

// VisitorsRevoked says until when tokens are dead.
type VisitorsRevoked struct {
	AgentID   string    `json:"agentId" format:"uuid"`
	RevokedAt time.Time `json:"revokedAt" doc:"Every token that a visitor got until then is dead."`
}

// Visitor is the website's visitor of a conversation.
type Visitor struct {
	ID         string         `json:"id" format:"uuid" doc:"Made by the server; of an identified visitor always the same."`
	Verified   bool           `json:"verified" doc:"The site has signed who it is. Otherwise name and email are only what the page said."`
	Subject    *string        `json:"subject" doc:"The site's own id of the person; null unless verified." example:"42"`
	Name       *string        `json:"name" doc:"Null when not known." example:"Ada"`
	Email      *string        `json:"email" doc:"Null when not known." example:"ada@example.com"`
	Attributes map[string]any `json:"attributes" doc:"What else the site has signed: strings, numbers and booleans." example:"{\"plan\":\"pro\"}"`
	Origin     *string        `json:"origin" doc:"The site where the conversation began; null when the page sent none." example:"https://www.example.com"`
}

func (a *API) visitorOperations() {
	const secret, revoke = "/api/v1/agents/{agentId}/identity-secret", "/api/v1/agents/{agentId}/revoke-visitors"
	op := func(method, path, id, summary, description string) operation {
		return operation{method: method, path: path, id: id, tag: "Agents", scope: parley.ScopeAgentsWrite, summary: summary, description: description, refusals: []int{404}}
	}
	rotate := op(http.MethodPost, secret, "rotateIdentitySecret", "Make the key of identified visitors",
		"With it, your server signs a JWT (HS256) that says who a visitor of the chat is. A key that the agent had is void at once; visitors who are known already stay so.")
	rotate.status, rotate.secret = http.StatusCreated, true
	write(a, rotate, a.rotateIdentity)
	write(a, op(http.MethodDelete, secret, "deleteIdentitySecret", "Remove the key of identified visitors", "From now on nobody can prove who it is. Removing it again changes nothing."), a.deleteIdentity)
	write(a, op(http.MethodPost, revoke, "revokeVisitors", "End the sessions of all visitors", "Every token that visitors of this agent hold is dead at once: their pages begin new chats. Conversations stay."), a.revokeVisitors)
}

func (a *API) rotateIdentity(_ context.Context, orgID string, in *AgentPath) (effect[IdentitySecret], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[IdentitySecret], error) {
		agent, err := chatAgent(ctx, tx, orgID, in.AgentID)
		if err != nil {
			return refuse[IdentitySecret](err)
		}
		v := IdentitySecret{AgentID: agent.ID, Secret: auth.NewIdentitySecret(), CreatedAt: a.instant()}
		err = tx.SetIdentitySecret(ctx, orgID, agent.ID, a.opt.Ring.Seal(store.IdentityAAD(orgID, agent.ID), []byte(v.Secret)))
		return reply[IdentitySecret]{data: v, message: "Identity secret made. It is shown only now.", note: agentNote("rotate_identity_secret", agent, nil, nil)}, err
	}, nil
}

func (a *API) deleteIdentity(_ context.Context, orgID string, in *AgentPath) (effect[IdentitySecretDeleted], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[IdentitySecretDeleted], error) {
		agent, err := chatAgent(ctx, tx, orgID, in.AgentID)
		if err != nil {
			return refuse[IdentitySecretDeleted](err)
		}
		err = tx.SetIdentitySecret(ctx, orgID, agent.ID, nil)
		return reply[IdentitySecretDeleted]{data: IdentitySecretDeleted{AgentID: agent.ID, Deleted: true}, message: "Identity secret removed",
			note: agentNote("delete_identity_secret", agent, nil, nil)}, err
	}, nil
}

func (a *API) revokeVisitors(_ context.Context, orgID string, in *AgentPath) (effect[VisitorsRevoked], error) {
	if err := notFoundID(in.AgentID, "Agent"); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *store.Tx) (reply[VisitorsRevoked], error) {
		agent, err := chatAgent(ctx, tx, orgID, in.AgentID)
		if err != nil {
			return refuse[VisitorsRevoked](err)
		}
		at := a.instant()
		err = tx.RevokeVisitors(ctx, orgID, agent.ID, at)
		return reply[VisitorsRevoked]{data: VisitorsRevoked{AgentID: agent.ID, RevokedAt: at}, message: "The sessions of all visitors have ended", note: agentNote("revoke_visitors", agent, nil, nil)}, err
	}, nil
}

// chatAgent finds an agent that websites' visitors can speak with.
func chatAgent(ctx context.Context, tx *store.Tx, orgID, id string) (parley.Agent, error) {
	agent, err := tx.FindAgent(ctx, orgID, id)
	if err == nil && agent.Type != parley.AgentChat {
		err = parley.Errorf(parley.CodeInvalid, "This is a %s agent: only chat agents have visitors.", agent.Type)
	}
	return agent, err
}

// visitorOf shows the visitor of a conversation; nil when it has none.
func (a *API) visitorOf(ctx context.Context, c parley.Conversation) (*Visitor, error) {
	if c.VisitorID == "" {
		return nil, nil
	}
	v := &Visitor{ID: c.VisitorID, Origin: textOrNull(c.Origin), Attributes: map[string]any{}}
	known, err := a.opt.Store.FindVisitor(ctx, c.OrgID, c.VisitorID)
	if parley.IsNotFound(err) {
		return v, nil
	}
	v.Verified, v.Subject, v.Name, v.Email = known.Verified(), textOrNull(known.Subject), textOrNull(known.Name), textOrNull(known.Email)
	if known.Attributes != nil {
		v.Attributes = known.Attributes
	}
	return v, err
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
