package store

import (
	"context"
	"encoding/json"
	"fmt"

	"parley"
)

const conversationColumns = `id, org_id, agent_id, agent_name, channel, status, direction, from_address, to_address,
	started_at, ended_at, end_reason, simulated, test, metadata, summary, epoch, last_seq, visitor_id, origin`

func scanConversation(s scanner) (c parley.Conversation, err error) {
	var started int64
	var ended *int64
	var metadata, summary *string
	err = s.Scan(&c.ID, &c.OrgID, &c.AgentID, &c.AgentName, &c.Channel, &c.Status, &c.Direction, &c.From, &c.To,
		&started, &ended, &c.EndReason, &c.Simulated, &c.Test, &metadata, &summary, &c.Epoch, &c.LastSeq, &c.VisitorID, &c.Origin)
	if err != nil {
		return c, err
	}
	c.StartedAt, c.EndedAt = fromMicros(started), timeOrNil(ended)
	if metadata != nil {
		c.Metadata = json.RawMessage(*metadata)
	}
	if summary != nil {
		c.Summary = &parley.Summary{}
		err = fromJSON(*summary, c.Summary)
	}
	return c, err
}

// FindConversation finds a conversation, whatever its status.
func (r *Reader) FindConversation(ctx context.Context, orgID, id string) (parley.Conversation, error) {
	q := `SELECT ` + conversationColumns + ` FROM conversation WHERE org_id = $1 AND id = $2` + r.q.forUpdate()
	return find(ctx, r.q, "Conversation", scanConversation, q, orgID, id)
}

// ListConversations lists conversations, newest first, ties by id, and counts all that match. StartedAfter
// is exclusive, StartedBefore too. A limit of 0 means all.
func (r *Reader) ListConversations(ctx context.Context, orgID string, f parley.ConversationFilter) ([]parley.Conversation, int, error) {
	w := where{}
	w.add(`org_id = $?`, orgID)
	if f.AgentID != "" {
		w.add(`agent_id = $?`, f.AgentID)
	}
	if f.Channel != "" {
		w.add(`channel = $?`, string(f.Channel))
	}
	if f.Status != "" {
		w.add(`status = $?`, string(f.Status))
	}
	if !f.StartedAfter.IsZero() {
		w.add(`started_at > $?`, micros(f.StartedAfter))
	}
	if !f.StartedBefore.IsZero() {
		w.add(`started_at < $?`, micros(f.StartedBefore))
	}
	if f.Search != "" {
		w.add(r.q.dialect.position+`(search_folded, $?) > 0`, fold(f.Search))
	}
	var total int
	if _, err := r.q.row(ctx, []any{&total}, `SELECT COUNT(*) FROM conversation`+w.String(), w.args...); err != nil {
		return nil, 0, fmt.Errorf("counting conversations: %w", err)
	}
	limit, offset := page(f.Limit, f.Offset)
	q := `SELECT ` + conversationColumns + ` FROM conversation` + w.String() +
		` ORDER BY started_at DESC, id DESC` + w.tail(` LIMIT $? OFFSET $?`, limit, offset)
	all, err := list(ctx, r.q, scanConversation, q, w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing conversations: %w", err)
	}
	return all, total, nil
}

// CreateConversation stores a new conversation with an empty log, epoch 0. Its agent must exist in the
// organization (a deleted one counts), else it is not_found.
func (tx *Tx) CreateConversation(ctx context.Context, orgID string, c parley.Conversation) error {
	if err := tx.checkAgent(ctx, orgID, c.AgentID); err != nil {
		return err
	}
	metadata, summary, err := conversationJSON(c)
	if err != nil {
		return err
	}
	const q = `INSERT INTO conversation (id, org_id, agent_id, agent_name, channel, status, direction, from_address, to_address,
		search_folded, started_at, ended_at, end_reason, simulated, test, metadata, summary, epoch, last_seq, visitor_id, origin)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0, 0, $18, $19) ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, c.ID, orgID, c.AgentID, c.AgentName, string(c.Channel), string(c.Status), c.Direction, c.From, c.To,
		fold(c.AgentName+"\n"+c.From+"\n"+c.To), micros(c.StartedAt), microsOrNull(c.EndedAt), c.EndReason,
		c.Simulated, c.Test, metadata, summary, c.VisitorID, c.Origin)
	if err != nil {
		return fmt.Errorf("creating conversation: %w", err)
	}
	if n == 0 {
		return parley.Errorf(parley.CodeConflict, "This conversation already exists")
	}
	return nil
}

// UpdateConversation replaces what changes during a conversation: status, end, simulated, summary and
// metadata. Epoch and LastSeq belong to RaiseEpoch and AppendEvents and stay.
func (tx *Tx) UpdateConversation(ctx context.Context, orgID string, c parley.Conversation) error {
	metadata, summary, err := conversationJSON(c)
	if err != nil {
		return err
	}
	const q = `UPDATE conversation SET status = $3, ended_at = $4, end_reason = $5, simulated = $6, metadata = $7, summary = $8
		WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, c.ID, string(c.Status), microsOrNull(c.EndedAt), c.EndReason, c.Simulated, metadata, summary)
	if err != nil {
		return fmt.Errorf("updating conversation: %w", err)
	}
	if n == 0 {
		return notFound("Conversation")
	}
	return nil
}

// conversationJSON encodes the two JSON columns; nil means NULL.
func conversationJSON(c parley.Conversation) (metadata, summary *string, err error) {
	if len(c.Metadata) > 0 {
		text := string(c.Metadata)
		metadata = &text
	}
	if c.Summary != nil {
		text, err := asJSON(c.Summary)
		if err != nil {
			return nil, nil, err
		}
		summary = &text
	}
	return metadata, summary, nil
}

// checkAgent refuses a reference to an agent that the organization does not have.
func (tx *Tx) checkAgent(ctx context.Context, orgID, agentID string) error {
	var one int
	found, err := tx.q.row(ctx, []any{&one}, `SELECT 1 FROM agent WHERE org_id = $1 AND id = $2`, orgID, agentID)
	if err != nil {
		return fmt.Errorf("checking agent: %w", err)
	}
	if !found {
		return notFound("Agent")
	}
	return nil
}
