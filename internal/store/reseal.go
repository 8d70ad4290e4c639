package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// sealedColumn is a place where the database keeps sealed values.
type sealedColumn struct {
	table, column string
	keys          []string // of the row: together unique, all of them text
	where         string   // beside that the column is not null
	aad           func(keys []string) string
}

// sealedColumns are all of them. A test compares the list with the schema.
var sealedColumns = []sealedColumn{
	{"secret", "sealed", []string{"org_id", "name"}, "", func(k []string) string { return SecretAAD(k[0], k[1]) }},
	{"tool", "headers", []string{"org_id", "id"}, "", func(k []string) string { return ToolAAD(k[0], "headers", k[1]) }},
	{"tool", "query", []string{"org_id", "id"}, "", func(k []string) string { return ToolAAD(k[0], "query", k[1]) }},
	{"organization", ColumnTwilioToken, []string{"id"}, "", func(k []string) string { return CredentialAAD(k[0], ColumnTwilioToken) }},
	{"organization", ColumnOpenAIKey, []string{"id"}, "", func(k []string) string { return CredentialAAD(k[0], ColumnOpenAIKey) }},
	{"organization", ColumnSearchKey, []string{"id"}, "", func(k []string) string { return CredentialAAD(k[0], ColumnSearchKey) }},
	{"agent", "identity_secret", []string{"org_id", "id"}, "", func(k []string) string { return IdentityAAD(k[0], k[1]) }},
	{"idempotency", "answer", []string{"org_id", "method", "route", "key"}, " AND sealed", func(k []string) string {
		return IdempotencyAAD(k[0], IdempotencyID{Method: k[1], Route: k[2], Key: k[3]})
	}},
}

// IdempotencyAAD is what a kept answer is bound to when it is sealed.
func IdempotencyAAD(orgID string, id IdempotencyID) string {
	return orgID + "|idempotency|" + id.Method + " " + id.Route + "|" + id.Key
}

// resealAtOnce bounds the rows of one transaction.
const resealAtOnce = 200

// Reseal shows every sealed value of the database to fresh, which answers with the value to keep in its place, nil
// to leave it. It changes at most some hundred rows in one transaction, so that a server can run beside it, and may
// be broken off and run again: what was changed stays. Server-wide.
func (s *Store) Reseal(ctx context.Context, fresh func(aad string, sealed []byte) []byte) (changed int, err error) {
	for _, c := range sealedColumns {
		after := make([]string, len(c.keys))
		for len(after) > 0 {
			n, next := 0, []string(nil)
			err := s.Write(ctx, func(tx *Tx) (err error) {
				n, next, err = tx.reseal(ctx, c, after, fresh)
				return err
			})
			if err != nil {
				return changed, fmt.Errorf("sealing %s.%s again: %w", c.table, c.column, err)
			}
			changed, after = changed+n, next
		}
	}
	return changed, nil
}

// sealedRow is one value with the keys of its row.
type sealedRow struct {
	keys   []string
	sealed []byte
}

// reseal goes on after a row, and returns the last one it saw; nil at the end.
func (tx *Tx) reseal(ctx context.Context, c sealedColumn, after []string, fresh func(string, []byte) []byte) (changed int, last []string, err error) {
	columns, w := strings.Join(c.keys, ", "), where{}
	w.add(c.column + ` IS NOT NULL` + c.where)
	marks, args := strings.Repeat(", $?", len(after))[2:], make([]any, len(after))
	for i, key := range after {
		args[i] = key
	}
	w.add(`(`+columns+`) > (`+marks+`)`, args...)
	q := `SELECT ` + columns + `, ` + c.column + ` FROM ` + c.table + w.String() + ` ORDER BY ` + columns + w.tail(` LIMIT $?`, resealAtOnce) + tx.q.forUpdate()
	rows, err := list(ctx, tx.q, func(s scanner) (sealedRow, error) {
		row := sealedRow{keys: make([]string, len(c.keys))}
		into := make([]any, 0, len(c.keys)+1)
		for i := range row.keys {
			into = append(into, &row.keys[i])
		}
		return row, s.Scan(append(into, &row.sealed)...)
	}, q, w.args...)
	if err != nil {
		return 0, nil, err
	}
	for _, row := range rows {
		value := fresh(c.aad(row.keys), slices.Clone(row.sealed))
		if value == nil {
			continue
		}
		this := where{}
		set := this.tail(`UPDATE `+c.table+` SET `+c.column+` = $?`, value)
		for i, key := range c.keys {
			this.add(key+` = $?`, row.keys[i])
		}
		if _, err := tx.q.exec(ctx, set+this.String(), this.args...); err != nil {
			return 0, nil, err
		}
		changed++
	}
	if len(rows) == resealAtOnce {
		last = rows[len(rows)-1].keys
	}
	return changed, last, nil
}
