package store

import (
	"context"
	"fmt"
	"strings"

	"parley"
)

const documentColumns = `id, org_id, agent_id, name, format, url, characters, passages, created_at, updated_at`

func scanDocument(content bool) func(scanner) (parley.Document, error) {
	return func(s scanner) (d parley.Document, err error) {
		var created, updated int64
		into := []any{&d.ID, &d.OrgID, &d.AgentID, &d.Name, &d.Format, &d.URL, &d.Characters, &d.Passages, &created, &updated}
		if content {
			into = append(into, &d.Content)
		}
		err = s.Scan(into...)
		d.CreatedAt, d.UpdatedAt = fromMicros(created), fromMicros(updated)
		return d, err
	}
}

// CreateDocument stores a document of an agent, with its passages. A document more than parley.MaxDocuments is a
// conflict.
func (tx *Tx) CreateDocument(ctx context.Context, orgID string, d parley.Document, passages []parley.Passage) error {
	agent, err := tx.lockAgent(ctx, orgID, d.AgentID) // documents are counted one after the other
	if err != nil {
		return err
	}
	if agent.deleted {
		return notFound("Agent")
	}
	n, err := tx.countDocuments(ctx, orgID, d.AgentID)
	if err != nil {
		return err
	}
	if n >= parley.MaxDocuments {
		return parley.Errorf(parley.CodeConflict, "The agent has %d documents, the most it can have. Delete one, or put several texts into one.", n)
	}
	const q = `INSERT INTO document (` + documentColumns + `, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	_, err = tx.q.exec(ctx, q, d.ID, orgID, d.AgentID, d.Name, string(d.Format), d.URL, int64(d.Characters), int64(len(passages)), micros(d.CreatedAt), micros(d.UpdatedAt), d.Content)
	if err != nil {
		return fmt.Errorf("creating document: %w", err)
	}
	return tx.addPassages(ctx, orgID, d, passages)
}

// ReplaceDocument replaces a document and its passages.
func (tx *Tx) ReplaceDocument(ctx context.Context, orgID string, d parley.Document, passages []parley.Passage) error {
	const q = `UPDATE document SET name = $3, format = $4, url = $5, characters = $6, passages = $7, updated_at = $8, content = $9
		WHERE org_id = $1 AND id = $2`
	n, err := tx.q.exec(ctx, q, orgID, d.ID, d.Name, string(d.Format), d.URL, int64(d.Characters), int64(len(passages)), micros(d.UpdatedAt), d.Content)
	if err != nil {
		return fmt.Errorf("replacing document: %w", err)
	}
	if n == 0 {
		return notFound("Document")
	}
	if _, err := tx.q.exec(ctx, `DELETE FROM passage WHERE org_id = $1 AND document_id = $2`, orgID, d.ID); err != nil {
		return fmt.Errorf("replacing document: %w", err)
	}
	return tx.addPassages(ctx, orgID, d, passages)
}

// passagesPerInsert bounds the placeholders of a statement.
const passagesPerInsert = 50

func (tx *Tx) addPassages(ctx context.Context, orgID string, d parley.Document, passages []parley.Passage) error {
	for first := 0; first < len(passages); first += passagesPerInsert {
		var w where
		var rows strings.Builder
		for i, p := range passages[first:min(first+passagesPerInsert, len(passages))] {
			rows.WriteString(w.tail(`, ($?, $?, $?, $?, $?, $?)`, orgID, d.ID, int64(first+i), p.Heading, p.Text,
				indexWords(orgID, d.AgentID, d.Name+" "+p.Heading+" "+p.Text)))
		}
		if _, err := tx.q.exec(ctx, `INSERT INTO passage (org_id, document_id, seq, heading, text, words) VALUES `+rows.String()[2:], w.args...); err != nil {
			return fmt.Errorf("storing passages: %w", err)
		}
	}
	return nil
}

// FindDocument finds a document of an agent, with its content.
func (r *Reader) FindDocument(ctx context.Context, orgID, agentID, id string) (parley.Document, error) {
	q := `SELECT ` + documentColumns + `, content FROM document WHERE org_id = $1 AND agent_id = $2 AND id = $3` + r.q.forUpdate()
	return find(ctx, r.q, "Document", scanDocument(true), q, orgID, agentID, id)
}

// ListDocuments lists the documents of an agent without their contents, oldest first, and counts them.
func (r *Reader) ListDocuments(ctx context.Context, orgID, agentID string, limit, offset int) ([]parley.Document, int, error) {
	total, err := r.countDocuments(ctx, orgID, agentID)
	if err != nil {
		return nil, 0, err
	}
	most, skip := page(limit, offset)
	const q = `SELECT ` + documentColumns + ` FROM document WHERE org_id = $1 AND agent_id = $2 ORDER BY created_at, id LIMIT $3 OFFSET $4`
	all, err := list(ctx, r.q, scanDocument(false), q, orgID, agentID, most, skip)
	if err != nil {
		return nil, 0, fmt.Errorf("listing documents: %w", err)
	}
	return all, total, nil
}

func (r *Reader) countDocuments(ctx context.Context, orgID, agentID string) (n int, err error) {
	if _, err = r.q.row(ctx, []any{&n}, `SELECT COUNT(*) FROM document WHERE org_id = $1 AND agent_id = $2`, orgID, agentID); err != nil {
		return 0, fmt.Errorf("counting documents: %w", err)
	}
	return n, nil
}

// DeleteDocument deletes a document of an agent and its passages.
func (tx *Tx) DeleteDocument(ctx context.Context, orgID, agentID, id string) error {
	n, err := tx.q.exec(ctx, `DELETE FROM document WHERE org_id = $1 AND agent_id = $2 AND id = $3`, orgID, agentID, id)
	if err != nil {
		return fmt.Errorf("deleting document: %w", err)
	}
	if n == 0 {
		return notFound("Document")
	}
	return nil
}
