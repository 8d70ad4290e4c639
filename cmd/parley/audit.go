package main

import (
	"context"
	"fmt"
	"time"

	"parley"
	"parley/internal/store"
)

// audit puts into the log of an organization what was done beside the API: by a person at the shell, or by the
// server itself at its first start. before and after are what the API shows, nil for nothing.
func audit(ctx context.Context, tx *store.Tx, orgID, actor, action string, resource parley.AuditResource, before, after any) error {
	changes, err := parley.Changes(before, after)
	if err != nil {
		return fmt.Errorf("comparing for the audit log: %w", err)
	}
	return tx.AppendAudit(ctx, orgID, parley.AuditEntry{
		ID: parley.NewID(), At: time.Now().UTC().Truncate(time.Microsecond), Actor: parley.AuditActor{Type: actor, Name: actor},
		Action: resource.Type + "." + action, Resource: resource, Changes: changes,
	})
}

// keyResource names a key in the audit log.
func keyResource(k parley.APIKey) parley.AuditResource {
	return parley.AuditResource{Type: "api_key", ID: k.ID, Name: k.Name}
}
