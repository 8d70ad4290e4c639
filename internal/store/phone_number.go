package store

import (
	"context"
	"fmt"
	"slices"

	"parley"
)

// FindPhoneNumber finds a number by its E.164 form. It finds the organization.
func (r *Reader) FindPhoneNumber(ctx context.Context, e164 string) (parley.PhoneNumber, error) {
	q := `SELECT id, org_id, number, COALESCE(agent_id, ''), created_at FROM phone_number WHERE number = $1` + r.q.forUpdate()
	return find(ctx, r.q, "Phone number", func(s scanner) (n parley.PhoneNumber, err error) {
		var created int64
		err = s.Scan(&n.ID, &n.OrgID, &n.Number, &n.AgentID, &created)
		n.CreatedAt = fromMicros(created)
		return n, err
	}, q, e164)
}

// assignNumbers makes numbers the whole set of an agent's numbers: others are released, unknown ones are added
// to the organization. The conflict's text is the same whoever holds the number, so that it tells nothing
// about other organizations.
func (tx *Tx) assignNumbers(ctx context.Context, orgID, agentID string, numbers []string) error {
	const held = `SELECT number FROM phone_number WHERE org_id = $1 AND agent_id = $2`
	now, err := list(ctx, tx.q, func(s scanner) (n string, err error) {
		err = s.Scan(&n)
		return n, err
	}, held, orgID, agentID)
	if err != nil {
		return fmt.Errorf("listing the agent's numbers: %w", err)
	}
	for _, number := range now {
		if !slices.Contains(numbers, number) {
			const release = `UPDATE phone_number SET agent_id = NULL WHERE org_id = $1 AND number = $2`
			if _, err := tx.q.exec(ctx, release, orgID, number); err != nil {
				return fmt.Errorf("releasing number: %w", err)
			}
		}
	}
	for _, number := range numbers {
		if slices.Contains(now, number) {
			continue
		}
		const assign = `INSERT INTO phone_number (id, org_id, number, agent_id, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (number) DO UPDATE SET agent_id = excluded.agent_id
			WHERE phone_number.org_id = excluded.org_id AND phone_number.agent_id IS NULL`
		n, err := tx.q.exec(ctx, assign, parley.NewID(), orgID, number, agentID, micros(tx.now()))
		if err != nil {
			return fmt.Errorf("assigning number: %w", err)
		}
		if n == 0 {
			return parley.Errorf(parley.CodeConflict, "The phone number %s is already in use. Release it from its agent first, or give another.", number)
		}
	}
	return nil
}
