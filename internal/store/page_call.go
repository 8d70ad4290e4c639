package store

import (
	"context"
	"fmt"

	"parley"
)

// PageCall is a tool call of a run that the page with the chat is asked to run.
type PageCall struct {
	ID       string
	Claim    string // which page runs it; "" = none yet
	Answered bool
	Failed   bool   // the result says in the page's words why there is none
	Result   string // JSON, unless it failed
}

// CreatePageCall stores a call that waits for a page.
func (tx *Tx) CreatePageCall(ctx context.Context, orgID, runID, id string) error {
	const q = `INSERT INTO page_call (id, org_id, run_id, state) SELECT $3, org_id, id, 'open' FROM chat_run
		WHERE org_id = $1 AND id = $2 ON CONFLICT DO NOTHING`
	n, err := tx.q.exec(ctx, q, orgID, runID, id)
	if err != nil {
		return fmt.Errorf("creating page call: %w", err)
	}
	if n == 0 {
		return notFound("Run")
	}
	return nil
}

// FindPageCall finds a call with what the page answered.
func (r *Reader) FindPageCall(ctx context.Context, orgID, runID, id string) (PageCall, error) {
	q := `SELECT id, claim, state = 'answered', failed, result FROM page_call WHERE org_id = $1 AND run_id = $2 AND id = $3` + r.q.forUpdate()
	return find(ctx, r.q, "Tool call", func(s scanner) (c PageCall, err error) {
		return c, s.Scan(&c.ID, &c.Claim, &c.Answered, &c.Failed, &c.Result)
	}, q, orgID, runID, id)
}

// answerable is the condition for a call, $3, that a page with the claim $4 may run: its run, $2, goes on.
const answerable = `state = 'open' AND claim IN ('', $4) AND EXISTS (SELECT 1 FROM chat_run WHERE id = $2 AND status = 'running')`

// ClaimPageCall gives an open call to the page that made up the claim, and reports whether it is that page's now. A call
// goes to one page; the same claim may be made again.
func (tx *Tx) ClaimPageCall(ctx context.Context, orgID, runID, id, claim string) (mine bool, err error) {
	const q = `UPDATE page_call SET claim = $4 WHERE org_id = $1 AND run_id = $2 AND id = $3 AND ` + answerable
	n, err := tx.q.exec(ctx, q, orgID, runID, id, claim)
	if err != nil {
		return false, fmt.Errorf("claiming page call: %w", err)
	}
	if n == 0 {
		_, err = tx.FindPageCall(ctx, orgID, runID, id)
	}
	return n > 0, err
}

// AnswerPageCall stores what the page that claimed an open call answered; nobody needs to have claimed it. The first
// answer counts: the same page's next ones change nothing. A call that is over, or another page's, is a conflict.
func (tx *Tx) AnswerPageCall(ctx context.Context, orgID, runID string, c PageCall) error {
	const q = `UPDATE page_call SET claim = $4, state = 'answered', failed = $5, result = $6
		WHERE org_id = $1 AND run_id = $2 AND id = $3 AND ` + answerable
	n, err := tx.q.exec(ctx, q, orgID, runID, c.ID, c.Claim, c.Failed, c.Result)
	if err != nil {
		return fmt.Errorf("answering page call: %w", err)
	}
	if n > 0 {
		return nil
	}
	known, err := tx.FindPageCall(ctx, orgID, runID, c.ID)
	switch {
	case err != nil:
		return err
	case known.Claim != c.Claim:
		return parley.Errorf(parley.CodeConflict, "Another page answers this call")
	case !known.Answered:
		return parley.Errorf(parley.CodeConflict, "This call is over: the result came too late")
	}
	return nil
}

// ClosePageCall ends a call: no answer is taken any more, and one that was is forgotten.
func (tx *Tx) ClosePageCall(ctx context.Context, orgID, runID, id string) error {
	const q = `UPDATE page_call SET state = CASE state WHEN 'open' THEN 'closed' ELSE state END, result = ''
		WHERE org_id = $1 AND run_id = $2 AND id = $3`
	n, err := tx.q.exec(ctx, q, orgID, runID, id)
	if err != nil {
		return fmt.Errorf("closing page call: %w", err)
	}
	if n == 0 {
		return notFound("Tool call")
	}
	return nil
}
