package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"parley"
)

// OpenSession is a visitor's session with what may end it: the agent as it is now, also a deleted one, and whether the
// conversation has begun or is over.
type OpenSession struct {
	parley.VisitorSession
	Agent   WidgetAgent
	Revoked bool // the agent's visitors were sent away since the token was made
	Begun   bool // the conversation exists
	Over    bool // it has ended
	Unused  bool // nothing was asked with the token in force yet: the one before it still gets another
}

// FindVisitorSession finds a session by the SHA-256 of its token, expired or not. It finds the organization.
func (r *Reader) FindVisitorSession(ctx context.Context, hash []byte) (OpenSession, error) {
	return r.findSession(ctx, `s.hash = $1`, hash)
}

// FindReplacedSession finds a session by the token that was replaced last, as long as it may still be exchanged: the
// newer one was not used, and not too much time has passed. It finds the organization.
func (r *Reader) FindReplacedSession(ctx context.Context, hash []byte, now time.Time) (OpenSession, error) {
	return r.findSession(ctx, `s.replaced_hash = $1 AND s.replaced_until > $2`, hash, micros(now))
}

func (r *Reader) findSession(ctx context.Context, condition string, args ...any) (OpenSession, error) {
	q := `SELECT s.id, s.org_id, s.agent_id, s.visitor_id, s.conversation_id, s.origin, s.page, s.domains, s.expires_at, s.issued_at,
		s.issued_at <= agent.visitors_revoked_at, COALESCE(c.status, ''), s.replaced_hash IS NOT NULL, ` + widgetAgentColumns + `
		FROM visitor_session s JOIN agent ON agent.org_id = s.org_id AND agent.id = s.agent_id
		LEFT JOIN conversation c ON c.org_id = s.org_id AND c.id = s.conversation_id WHERE ` + condition
	return find(ctx, r.q, "Session", func(row scanner) (s OpenSession, err error) {
		var expires, issued int64
		var status parley.ConversationStatus
		agent, done := widgetAgent(&s.Agent)
		err = row.Scan(append([]any{&s.ID, &s.OrgID, &s.AgentID, &s.VisitorID, &s.ConversationID, &s.Origin, &s.Page, &s.Domains, &expires, &issued, &s.Revoked, &status, &s.Unused}, agent...)...)
		if err != nil {
			return s, err
		}
		s.ExpiresAt, s.IssuedAt = fromMicros(expires), fromMicros(issued)
		s.Begun, s.Over = status != "", status != "" && status != parley.ConversationActive
		err = done()
		return s, err
	}, q, args...)
}

// CreateVisitorSession stores a session under the hash of its token.
func (tx *Tx) CreateVisitorSession(ctx context.Context, orgID string, s parley.VisitorSession, hash []byte) error {
	if err := tx.checkAgent(ctx, orgID, s.AgentID); err != nil {
		return err
	}
	const q = `INSERT INTO visitor_session (id, hash, org_id, agent_id, visitor_id, conversation_id, origin, page, domains, expires_at, issued_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	_, err := tx.q.exec(ctx, q, s.ID, hash, orgID, s.AgentID, s.VisitorID, s.ConversationID, s.Origin, s.Page, s.Domains, micros(s.ExpiresAt), micros(s.IssuedAt))
	if err != nil {
		return fmt.Errorf("creating visitor session: %w", err)
	}
	return nil
}

// ReplaceVisitorSession gives a session another token and what else may change with it: visitor, conversation, page,
// domains and expiry. old is the token in force, or the one before it while that may still be exchanged; it may then be
// exchanged once more, until the new one is used, and at the latest until the time given, which another exchange of the
// same token does not move. Any other token is not_found, also one that is replaced by somebody else meanwhile.
func (tx *Tx) ReplaceVisitorSession(ctx context.Context, orgID string, s parley.VisitorSession, old, hash []byte, until time.Time) error {
	const q = `UPDATE visitor_session SET hash = $4, visitor_id = $5, conversation_id = $6, page = $7, domains = $8, expires_at = $9, issued_at = $10,
		replaced_hash = $3, replaced_until = CASE hash WHEN $3 THEN $11 ELSE replaced_until END
		WHERE org_id = $1 AND id = $2 AND (hash = $3 OR replaced_hash = $3 AND replaced_until > $10)`
	n, err := tx.q.exec(ctx, q, orgID, s.ID, old, hash, s.VisitorID, s.ConversationID, s.Page, s.Domains, micros(s.ExpiresAt), micros(s.IssuedAt), micros(until))
	if err != nil {
		return fmt.Errorf("replacing visitor session: %w", err)
	}
	if n == 0 {
		return notFound("Session")
	}
	return nil
}

// UseVisitorSession says that the token in force was used: the one before it is dead from then on.
func (tx *Tx) UseVisitorSession(ctx context.Context, orgID, id string, hash []byte) error {
	const q = `UPDATE visitor_session SET replaced_hash = NULL, replaced_until = 0 WHERE org_id = $1 AND id = $2 AND hash = $3`
	n, err := tx.q.exec(ctx, q, orgID, id, hash)
	if err != nil {
		return fmt.Errorf("using visitor session: %w", err)
	}
	if n == 0 {
		return notFound("Session")
	}
	return nil
}

// EndConversationSessions ends every session of a conversation.
func (tx *Tx) EndConversationSessions(ctx context.Context, orgID, conversationID string) (ended int64, err error) {
	const q = `DELETE FROM visitor_session WHERE org_id = $1 AND conversation_id = $2`
	if ended, err = tx.q.exec(ctx, q, orgID, conversationID); err != nil {
		return 0, fmt.Errorf("ending visitor sessions: %w", err)
	}
	return ended, nil
}

// RevokeVisitors makes every token void that visitors of an agent hold now.
func (tx *Tx) RevokeVisitors(ctx context.Context, orgID, agentID string, at time.Time) error {
	const q = `UPDATE agent SET visitors_revoked_at = $3 WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`
	n, err := tx.q.exec(ctx, q, orgID, agentID, micros(at))
	if err != nil {
		return fmt.Errorf("revoking visitors: %w", err)
	}
	if n == 0 {
		return notFound("Agent")
	}
	return nil
}

// SweepVisitors deletes what visitors left behind, at most SweepAtOnce of each kind: sessions that expired before, what
// is known of visitors who said nothing in a chat since, and counts of days before. Server-wide.
func (tx *Tx) SweepVisitors(ctx context.Context, before time.Time, day int64) error {
	skip := tx.q.dialect.skipLocked
	_, sessions := tx.q.exec(ctx, `DELETE FROM visitor_session WHERE id IN (SELECT id FROM visitor_session
		WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2`+skip+`)`, micros(before), SweepAtOnce)
	if sessions != nil {
		return fmt.Errorf("sweeping visitor sessions: %w", sessions)
	}
	_, visitors := tx.q.exec(ctx, `DELETE FROM visitor WHERE id IN (SELECT v.id FROM visitor v WHERE v.updated_at < $1
		AND NOT EXISTS (SELECT 1 FROM conversation c WHERE c.org_id = v.org_id AND c.visitor_id = v.id AND c.visitor_id <> '')
		ORDER BY v.updated_at, v.id LIMIT $2`+skip+`)`, micros(before), SweepAtOnce)
	_, counts := tx.q.exec(ctx, `DELETE FROM message_count WHERE day < $1`, day)
	if err := errors.Join(visitors, counts); err != nil {
		return fmt.Errorf("sweeping visitors: %w", err)
	}
	return nil
}
