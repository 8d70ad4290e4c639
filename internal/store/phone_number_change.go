package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
)

// HoldNumber finds a number and holds it until the transaction ends, and before it the agent that has it and the one
// that shall have it (agentID, "" = none): whoever changes agents takes them in that order, too. An agent that does
// not exist is not_found, a chat agent is invalid.
func (tx *Tx) HoldNumber(ctx context.Context, orgID, id, agentID string) (parley.PhoneNumber, error) {
	const holder = `SELECT COALESCE(agent_id, '') FROM phone_number WHERE org_id = $1 AND id = $2`
	for range 5 {
		has, err := find(ctx, tx.q, "Phone number", func(s scanner) (agent string, err error) {
			err = s.Scan(&agent)
			return agent, err
		}, holder, orgID, id)
		if err != nil {
			return parley.PhoneNumber{}, err
		}
		agents := []string{has, agentID}
		slices.Sort(agents)
		for _, agent := range slices.Compact(agents) {
			if agent == "" {
				continue
			}
			state, err := tx.lockAgent(ctx, orgID, agent)
			if err != nil {
				return parley.PhoneNumber{}, err
			}
			if err := answersPhones(state); err != nil && agent == agentID {
				return parley.PhoneNumber{}, err
			}
		}
		n, err := tx.FindNumber(ctx, orgID, id)
		if err != nil || n.AgentID == has {
			return n, err
		}
	}
	return parley.PhoneNumber{}, parley.Errorf(parley.CodeConflict, "The phone number is being changed by others. Try again.")
}

// answersPhones refuses an agent that cannot have a number.
func answersPhones(a agentState) error {
	switch {
	case a.deleted:
		return notFound("Agent")
	case a.typ != parley.AgentVoice:
		return parley.Invalid([]parley.FieldError{{Field: "agentId", Message: "is a chat agent. Only voice agents answer phones."}})
	}
	return nil
}

// AddNumber stores a number that this server does not know yet, with its agent, if it has one. A number that
// somebody has is a conflict, and who that is is not said.
func (tx *Tx) AddNumber(ctx context.Context, orgID string, n parley.PhoneNumber) error {
	if n.AgentID != "" {
		state, err := tx.lockAgent(ctx, orgID, n.AgentID)
		if err == nil {
			err = answersPhones(state)
		}
		if err != nil {
			return err
		}
	}
	if err := tx.claim(ctx, orgID, n, false); err != nil {
		return err
	}
	return tx.numbersChanged(ctx, orgID, "", n.AgentID, n.CreatedAt)
}

// UpdateNumber changes a number's label, agent, source and carrier id, and raises its revision by one. before was
// read by HoldNumber in the same transaction. A number that another agent has is a conflict.
func (tx *Tx) UpdateNumber(ctx context.Context, orgID string, before, after parley.PhoneNumber) error {
	moved := before.AgentID != after.AgentID
	if moved && before.AgentID != "" && after.AgentID != "" {
		return errNumberInUse(before.Number)
	}
	const q = `UPDATE phone_number SET label = $3, search_folded = $4, agent_id = $5, source = $6, carrier_sid = $7, updated_at = $8,
		revision = revision + 1, setup_state = 'unknown', setup_message = '', setup_at = NULL WHERE org_id = $1 AND id = $2`
	const same = `UPDATE phone_number SET label = $3, search_folded = $4, agent_id = $5, source = $6, carrier_sid = $7, updated_at = $8,
		revision = revision + 1 WHERE org_id = $1 AND id = $2`
	text := q
	if !moved {
		text = same
	}
	n, err := tx.q.exec(ctx, text, orgID, before.ID, after.Label, searchNumber(after), textOrNull(after.AgentID), string(after.Source),
		after.CarrierSID, micros(after.UpdatedAt))
	if err != nil {
		return fmt.Errorf("updating phone number: %w", err)
	}
	if n == 0 {
		return notFound("Phone number")
	}
	if !moved {
		return nil
	}
	return tx.numbersChanged(ctx, orgID, before.AgentID, after.AgentID, after.UpdatedAt)
}

// DeleteNumber forgets a number, which HoldNumber found in the same transaction. Its agent loses it.
func (tx *Tx) DeleteNumber(ctx context.Context, orgID string, n parley.PhoneNumber, at time.Time) error {
	gone, err := tx.q.exec(ctx, `DELETE FROM phone_number WHERE org_id = $1 AND id = $2`, orgID, n.ID)
	if err != nil {
		return fmt.Errorf("deleting phone number: %w", err)
	}
	if gone == 0 {
		return notFound("Phone number")
	}
	return tx.numbersChanged(ctx, orgID, n.AgentID, "", at)
}

// numbersChanged makes new versions of the agents that lost and got a number: their numbers are a part of them.
func (tx *Tx) numbersChanged(ctx context.Context, orgID, lost, got string, at time.Time) error {
	for _, id := range []string{lost, got} {
		if id == "" {
			continue
		}
		state, err := tx.lockAgent(ctx, orgID, id)
		if err != nil {
			return err
		}
		const q = `UPDATE agent SET updated_at = $3, revision = revision + 1 WHERE org_id = $1 AND id = $2`
		if _, err := tx.q.exec(ctx, q, orgID, id, micros(at)); err != nil {
			return fmt.Errorf("updating the agent of a phone number: %w", err)
		}
		if err := tx.agentChanged(ctx, orgID, id, state, state); err != nil {
			return err
		}
	}
	if got == "" {
		return nil
	}
	var n int
	if _, err := tx.q.row(ctx, []any{&n}, `SELECT COUNT(*) FROM phone_number WHERE org_id = $1 AND agent_id = $2`, orgID, got); err != nil {
		return fmt.Errorf("counting the agent's numbers: %w", err)
	}
	if n > parley.MaxAgentNumbers {
		return parley.Errorf(parley.CodeConflict, "The agent has %d phone numbers, the most it can have. Release one first.", parley.MaxAgentNumbers)
	}
	return nil
}

// SetNumberSetup notes how the carrier was told of a number, unless the number was changed since the revision that
// was told. carrierSID "" keeps the one that is known. The revision stays.
func (tx *Tx) SetNumberSetup(ctx context.Context, orgID, id string, revision int64, carrierSID string, s parley.NumberSetup) (noted bool, err error) {
	const q = `UPDATE phone_number SET setup_state = $4, setup_message = $5, setup_at = $6,
		carrier_sid = CASE WHEN $7 = '' THEN carrier_sid ELSE $7 END WHERE org_id = $1 AND id = $2 AND revision = $3`
	n, err := tx.q.exec(ctx, q, orgID, id, revision, string(s.State), s.Message, microsOrNull(s.At), carrierSID)
	if err != nil {
		return false, fmt.Errorf("noting a phone number's setup: %w", err)
	}
	return n > 0, nil
}
