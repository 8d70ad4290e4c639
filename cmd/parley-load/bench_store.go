package main

import (
	"encoding/json"
	"net/http"

	"parley"
	"parley/internal/store"
)

// The handlers below do what the server does in the database, through the same package, and nothing else: they show
// how much of the server's time its statements take, and how much the API around them.

func (y *yardstick) storeGet(r *http.Request) (bareAgent, error) {
	a, err := y.store.FindAgent(r.Context(), y.org, r.PathValue("id"))
	return y.answerOf(a), err
}

func (y *yardstick) storePost(r *http.Request) (bareAgent, error) {
	in, err := readBare(r)
	if err != nil {
		return in, err
	}
	a := benchAgent(y.org, in.Name)
	a.Instructions = in.Instructions
	out := y.answerOf(a)
	return out, y.store.Write(r.Context(), func(tx *store.Tx) error {
		if err := tx.CreateAgent(r.Context(), y.org, a); err != nil {
			return err
		}
		changes, err := parley.Changes(nil, out)
		if err != nil {
			return err
		}
		return tx.AppendAudit(r.Context(), y.org, parley.AuditEntry{
			ID: parley.NewID(), At: a.CreatedAt, Action: "agent.create", Changes: changes, RequestID: parley.NewID(), Client: "127.0.0.1",
			Actor:    parley.AuditActor{Type: parley.ActorAPIKey, ID: y.org, Name: "First key"},
			Resource: parley.AuditResource{Type: "agent", ID: a.ID, Name: a.Name},
		})
	})
}

func (y *yardstick) answerOf(a parley.Agent) bareAgent {
	return bareAgent{
		ID: a.ID, Name: a.Name, Type: string(a.Type), Status: string(a.Status), Model: a.Model, Instructions: a.Instructions,
		Config: json.RawMessage(y.config), Tools: json.RawMessage("[]"), CreatedAt: a.CreatedAt.UnixMicro(), UpdatedAt: a.UpdatedAt.UnixMicro(),
	}
}
