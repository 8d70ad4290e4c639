package main

import (
	"context"
	"time"

	"parley"
	"parley/internal/store"
)

// audit puts into the log of an organization what was done beside the API: by a person at the shell, or by the
// server itself at its first start. before and after are what the API shows, nil for nothing.
func audit(ctx context.Context, tx *store.Tx, orgID, actor, action string, resource parley.AuditResource, before, after any) error {
	entry, err := parley.NewAuditEntry(parley.AuditActor{Type: actor, Name: actor}, action, resource, before, after, time.Now())
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, orgID, entry)
}

// keyResource names a key in the audit log.
func keyResource(k parley.APIKey) parley.AuditResource {
	return parley.AuditResource{Type: "api_key", ID: k.ID, Name: k.Name}
}
