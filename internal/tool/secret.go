package tool

import (
	"context"
	"errors"
	"fmt"

	"parley/internal/store"
)

// missingSecretError says that a tool refers to a secret that the organization has not stored. It is for the
// operator, not for the model.
type missingSecretError struct{ Name string }

func (e *missingSecretError) Error() string {
	return fmt.Sprintf("The secret %s does not exist. Store it with PUT /api/v1/secrets/%s.", e.Name, e.Name)
}

// secrets returns the values of the organization's secrets with these names, as they are stored now. A name that
// is not stored is a *missingSecretError. The values must not leave the call.
func (r *Runner) secrets(ctx context.Context, orgID string, names []string) (map[string]string, error) {
	values := make(map[string]string, len(names))
	if len(names) == 0 {
		return values, nil
	}
	if r.store == nil {
		return nil, errors.New("secrets need a store")
	}
	sealed, err := r.store.LoadSecrets(ctx, orgID, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		value, ok := sealed[name]
		if !ok {
			return nil, &missingSecretError{name}
		}
		plain, err := r.ring.Open(store.SecretAAD(orgID, name), value)
		if err != nil {
			return nil, fmt.Errorf("opening secret %s: %w", name, err)
		}
		values[name] = string(plain)
	}
	return values, nil
}
