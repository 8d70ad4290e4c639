package store

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// WidgetAgent is what a website's visitors meet of an agent. It has no instructions: they may be long, and are
// nobody's business there.
type WidgetAgent struct {
	ID       string
	OrgID    string
	Name     string
	Type     parley.AgentType
	Status   parley.AgentStatus
	Deleted  bool
	Chat     parley.ChatConfig // the defaults for a voice agent
	Identity []byte            // the sealed key of identified visitors, nil when there is none
}

const widgetAgentColumns = `agent.id, agent.org_id, agent.name, agent.type, agent.status, agent.deleted_at IS NOT NULL, agent.config, agent.identity_secret`

// widgetAgent returns where to scan the columns, and what to do then.
func widgetAgent(a *WidgetAgent) (into []any, done func() error) {
	config := ""
	return []any{&a.ID, &a.OrgID, &a.Name, &a.Type, &a.Status, &a.Deleted, &config, &a.Identity}, func() error {
		a.Chat = parley.DefaultChatConfig()
		if a.Type != parley.AgentChat {
			return nil
		}
		return fromJSON(config, &a.Chat)
	}
}

// FindWidgetAgent finds an agent that is not deleted, of whatever type and status. It finds the organization.
func (r *Reader) FindWidgetAgent(ctx context.Context, agentID string) (WidgetAgent, error) {
	const q = `SELECT ` + widgetAgentColumns + ` FROM agent WHERE id = $1 AND deleted_at IS NULL`
	return find(ctx, r.q, "Agent", func(s scanner) (a WidgetAgent, err error) {
		into, done := widgetAgent(&a)
		if err = s.Scan(into...); err == nil {
			err = done()
		}
		return a, err
	}, q, agentID)
}

// IdentityAAD is what an agent's identity secret is bound to when it is sealed.
func IdentityAAD(orgID, agentID string) string {
	return orgID + "|agent|" + agentID + "|identity_secret"
}

// SetIdentitySecret replaces the sealed key of an agent's identified visitors; nil removes it.
func (tx *Tx) SetIdentitySecret(ctx context.Context, orgID, agentID string, sealed []byte) error {
	const q = `UPDATE agent SET identity_secret = $3 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, orgID, agentID, sealed)
	if err != nil {
		return fmt.Errorf("setting identity secret: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	return nil
}

const visitorColumns = `id, agent_id, COALESCE(subject, ''), name, email, attributes, created_at, updated_at`

func scanVisitor(s scanner) (v parley.Visitor, err error) {
	var attributes string
	var created, updated int64
	if err = s.Scan(&v.ID, &v.AgentID, &v.Subject, &v.Name, &v.Email, &attributes, &created, &updated); err != nil {
		return v, err
	}
	v.CreatedAt, v.UpdatedAt = fromMicros(created), fromMicros(updated)
	return v, fromJSON(attributes, &v.Attributes)
}

// FindVisitor finds what is known of a visitor; not_found when that is nothing.
func (r *Reader) FindVisitor(ctx context.Context, orgID, id string) (parley.Visitor, error) {
	const q = `SELECT ` + visitorColumns + ` FROM visitor WHERE org_id = $1 AND id = $2`
	return find(ctx, r.q, "Visitor", scanVisitor, q, orgID, id)
}

// SaveVisitor keeps what is known of a visitor and returns whose record it is now: with a subject, that of the visitor
// who was first known by it.
func (tx *Tx) SaveVisitor(ctx context.Context, orgID string, v parley.Visitor) (id string, err error) {
	if err := tx.checkAgent(ctx, orgID, v.AgentID); err != nil {
		return "", err
	}
	attributes, err := asJSON(v.Attributes)
	if err != nil {
		return "", err
	}
	target := `(id)`
	if v.Subject != "" {
		target = `(org_id, agent_id, subject) WHERE subject IS NOT NULL`
	}
	q := `INSERT INTO visitor (id, org_id, agent_id, subject, name, email, attributes, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT ` + target + ` DO UPDATE
		SET name = excluded.name, email = excluded.email, attributes = excluded.attributes, updated_at = excluded.updated_at
		WHERE visitor.org_id = $2 RETURNING id`
	found, err := tx.q.row(ctx, []any{&id}, q, v.ID, orgID, v.AgentID, orNull(v.Subject), v.Name, v.Email, attributes, micros(v.UpdatedAt))
	if err != nil {
		return "", fmt.Errorf("saving visitor: %w", err)
	}
	if !found {
		return "", notFound("Visitor")
	}
	return id, nil
}

// FindVisitorChat finds the chat that a visitor began last, after a time, and that has not ended.
func (r *Reader) FindVisitorChat(ctx context.Context, orgID, agentID, visitorID string, after time.Time) (parley.Conversation, error) {
	const q = `SELECT ` + conversationColumns + ` FROM conversation
		WHERE org_id = $1 AND visitor_id = $2 AND visitor_id <> '' AND agent_id = $3 AND status = 'active' AND started_at > $4
		ORDER BY started_at DESC, id DESC LIMIT 1`
	return find(ctx, r.q, "Conversation", scanConversation, q, orgID, visitorID, agentID, micros(after))
}

// GiveConversation makes a visitor's conversation another visitor's, for one who has now proven who it is. Nothing
// happens when it has not begun.
func (tx *Tx) GiveConversation(ctx context.Context, orgID, conversationID, from, to string) error {
	const q = `UPDATE conversation SET visitor_id = $4 WHERE org_id = $1 AND id = $2 AND visitor_id = $3`
	if _, err := tx.q.exec(ctx, q, orgID, conversationID, from, to); err != nil {
		return fmt.Errorf("giving conversation: %w", err)
	}
	return nil
}
