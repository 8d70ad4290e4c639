package store

import (
	"context"
	"fmt"
	"slices"

	"parley"
)

const numberColumns = `id, org_id, number, label, COALESCE(agent_id, ''), source, carrier_sid, setup_state, setup_message, setup_at, created_at, updated_at, revision,
	COALESCE((SELECT a.name FROM agent a WHERE a.org_id = phone_number.org_id AND a.id = phone_number.agent_id), '')`

func scanNumber(s scanner) (n parley.PhoneNumber, err error) {
	var created, updated int64
	var tried *int64
	err = s.Scan(&n.ID, &n.OrgID, &n.Number, &n.Label, &n.AgentID, &n.Source, &n.CarrierSID, &n.Setup.State, &n.Setup.Message, &tried,
		&created, &updated, &n.Revision, &n.AgentName)
	n.Setup.At, n.CreatedAt, n.UpdatedAt = timeOrNil(tried), fromMicros(created), fromMicros(updated)
	return n, err
}

// FindPhoneNumber finds a number by its E.164 form. It finds the organization.
func (r *Reader) FindPhoneNumber(ctx context.Context, e164 string) (parley.PhoneNumber, error) {
	q := `SELECT ` + numberColumns + ` FROM phone_number WHERE number = $1` + r.q.forUpdate()
	return find(ctx, r.q, "Phone number", scanNumber, q, e164)
}

// FindNumber finds a number of the organization by its id.
func (r *Reader) FindNumber(ctx context.Context, orgID, id string) (parley.PhoneNumber, error) {
	q := `SELECT ` + numberColumns + ` FROM phone_number WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Phone number", scanNumber, q, orgID, id)
}

// ListNumbers lists numbers, oldest first, ties by id, and counts all that match. A limit of 0 means all.
func (r *Reader) ListNumbers(ctx context.Context, orgID string, f parley.NumberFilter) ([]parley.PhoneNumber, int, error) {
	w := where{}
	w.add(`org_id = $?`, orgID)
	if f.AgentID != "" {
		w.add(`agent_id = $?`, f.AgentID)
	}
	if f.Unassigned {
		w.add(`agent_id IS NULL`)
	}
	if f.Search != "" {
		w.add(r.q.dialect.position+`(search_folded, $?) > 0`, fold(f.Search))
	}
	var total int
	if _, err := r.q.row(ctx, []any{&total}, `SELECT COUNT(*) FROM phone_number`+w.String(), w.args...); err != nil {
		return nil, 0, fmt.Errorf("counting phone numbers: %w", err)
	}
	limit, offset := page(f.Limit, f.Offset)
	q := `SELECT ` + numberColumns + ` FROM phone_number` + w.String() + ` ORDER BY created_at, id` + w.tail(` LIMIT $? OFFSET $?`, limit, offset)
	all, err := list(ctx, r.q, scanNumber, q, w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing phone numbers: %w", err)
	}
	return all, total, nil
}

// NumberHolder says who has a number.
type NumberHolder struct {
	ID      string // of the number; "" when another organization has it
	AgentID string // "" when no agent answers it, or another organization has it
}

// FindNumberHolders says of which of the numbers (E.164) this server knows, and by whom. Of another organization's
// it tells nothing but that they are taken.
func (r *Reader) FindNumberHolders(ctx context.Context, orgID string, numbers []string) (map[string]NumberHolder, error) {
	out := map[string]NumberHolder{}
	for some := range slices.Chunk(numbers, 200) {
		w, in := where{}, ""
		own := w.tail(`CASE WHEN org_id = $? THEN id ELSE '' END`, orgID)
		agent := w.tail(`CASE WHEN org_id = $? THEN COALESCE(agent_id, '') ELSE '' END`, orgID)
		for _, n := range some {
			in += w.tail(`, $?`, n)
		}
		_, err := list(ctx, r.q, func(s scanner) (number string, err error) {
			var h NumberHolder
			err = s.Scan(&number, &h.ID, &h.AgentID)
			out[number] = h
			return number, err
		}, `SELECT number, `+own+`, `+agent+` FROM phone_number WHERE number IN (`+in[2:]+`)`, w.args...)
		if err != nil {
			return nil, fmt.Errorf("finding holders of phone numbers: %w", err)
		}
	}
	return out, nil
}

// errNumberInUse is the answer to whoever claims a number that somebody has. Its text is the same whoever that is,
// so that it tells nothing about other organizations.
func errNumberInUse(number string) error {
	return parley.Errorf(parley.CodeConflict, "The phone number %s is already in use. Release it from its agent first, or give another.", number)
}

// claim stores a number that this server does not know yet. One that the organization has without an agent is given
// to the agent instead, if takeFree; any other is a conflict. The agent was checked.
func (tx *Tx) claim(ctx context.Context, orgID string, n parley.PhoneNumber, takeFree bool) error {
	q := `INSERT INTO phone_number (id, org_id, number, label, search_folded, agent_id, source, carrier_sid, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (number) DO `
	if takeFree {
		q += `UPDATE SET agent_id = excluded.agent_id, updated_at = excluded.updated_at, revision = phone_number.revision + 1,
			setup_state = 'unknown', setup_message = '', setup_at = NULL
			WHERE phone_number.org_id = excluded.org_id AND phone_number.agent_id IS NULL`
	} else {
		q += `NOTHING`
	}
	added, err := tx.q.exec(ctx, q, n.ID, orgID, n.Number, n.Label, searchNumber(n), textOrNull(n.AgentID), string(n.Source), n.CarrierSID, micros(n.CreatedAt))
	if err != nil {
		return fmt.Errorf("claiming phone number: %w", err)
	}
	if added == 0 {
		return errNumberInUse(n.Number)
	}
	return nil
}

func searchNumber(n parley.PhoneNumber) string { return n.Number + "\n" + fold(n.Label) }

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// assignNumbers makes numbers the whole set of an agent's numbers: others are released, unknown ones are added
// to the organization.
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
			const release = `UPDATE phone_number SET agent_id = NULL, updated_at = $3, revision = revision + 1,
				setup_state = 'unknown', setup_message = '', setup_at = NULL WHERE org_id = $1 AND number = $2`
			if _, err := tx.q.exec(ctx, release, orgID, number, micros(tx.now())); err != nil {
				return fmt.Errorf("releasing number: %w", err)
			}
		}
	}
	for _, number := range numbers {
		if slices.Contains(now, number) {
			continue
		}
		n := parley.PhoneNumber{ID: parley.NewID(), Number: number, AgentID: agentID, Source: parley.NumberManual, CreatedAt: tx.now()}
		if err := tx.claim(ctx, orgID, n, true); err != nil {
			return err
		}
	}
	return nil
}
