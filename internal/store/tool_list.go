package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"parley"
)

// toolKey is what orders a list of tools.
type toolKey struct {
	id, folded       string
	created, updated int64
}

// ListTools lists the organization's tools together with the built-in ones in the filter's order, ties by id
// in the same direction, and counts all that match. Built-in tools are older than all others. A limit of 0
// means all. An organization has at most parley.MaxTools, so the keys of all that match are read and merged
// here; only the page itself is read whole.
func (r *Reader) ListTools(ctx context.Context, orgID string, f parley.ToolFilter) ([]SealedTool, int, error) {
	w := where{}
	w.add(`org_id = $?`, orgID)
	if f.Kind != "" {
		w.add(`kind = $?`, string(f.Kind))
	}
	if f.Category != "" {
		w.add(`category = $?`, f.Category)
	}
	if f.Search != "" {
		w.add(r.q.dialect.position+`(name_folded, $?) > 0`, fold(f.Search))
	}
	keys, err := list(ctx, r.q, func(s scanner) (k toolKey, err error) {
		err = s.Scan(&k.id, &k.folded, &k.created, &k.updated)
		return k, err
	}, `SELECT id, name_folded, created_at, updated_at FROM tool`+w.String(), w.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("listing tools: %w", err)
	}
	keys = append(keys, builtinKeys(f)...)
	slices.SortFunc(keys, toolOrder(f))
	total := len(keys)
	limit, offset := page(f.Limit, f.Offset)
	keys = keys[min(offset, int64(total)):]
	keys = keys[:min(limit, int64(len(keys)))]
	tools, err := r.toolsOf(ctx, orgID, keys)
	return tools, total, err
}

func builtinKeys(f parley.ToolFilter) (keys []toolKey) {
	for _, t := range parley.BuiltinTools() {
		k := toolKey{id: t.ID, folded: fold(t.Name)}
		if (f.Kind == "" || f.Kind == t.Kind) && (f.Category == "" || f.Category == t.Category) && strings.Contains(k.folded, fold(f.Search)) {
			keys = append(keys, k)
		}
	}
	return keys
}

func toolOrder(f parley.ToolFilter) func(a, b toolKey) int {
	return func(a, b toolKey) int {
		order := cmp.Compare(a.created, b.created)
		switch f.Sort {
		case "updatedAt":
			order = cmp.Compare(a.updated, b.updated)
		case "name":
			order = strings.Compare(a.folded, b.folded)
		}
		if order == 0 {
			order = strings.Compare(a.id, b.id)
		}
		if !f.Ascending {
			return -order
		}
		return order
	}
}

// toolsOf reads the tools of a page. One that was deleted since its key was read is left out.
func (r *Reader) toolsOf(ctx context.Context, orgID string, keys []toolKey) ([]SealedTool, error) {
	byID := map[string]SealedTool{}
	var own []string
	for _, k := range keys {
		if t, ok := parley.BuiltinTool(k.id); ok {
			byID[k.id] = SealedTool{Tool: t}
		} else {
			own = append(own, k.id)
		}
	}
	err := toolsByID(orgID, "id", own, func(w *where) error {
		tools, err := list(ctx, r.q, scanTool, `SELECT `+toolColumns+` FROM tool`+w.String(), w.args...)
		for _, t := range tools {
			byID[t.ID] = t
		}
		return err
	})
	page := make([]SealedTool, 0, len(keys))
	for _, k := range keys {
		if t, ok := byID[k.id]; ok {
			page = append(page, t)
		}
	}
	return page, err
}

// LoadTools returns the organization's own tools with these ids whole, those that exist, in any order.
func (r *Reader) LoadTools(ctx context.Context, orgID string, ids []string) (tools []SealedTool, err error) {
	own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !parley.IsID(id) })
	err = toolsByID(orgID, "id", own, func(w *where) error {
		part, err := list(ctx, r.q, scanTool, `SELECT `+toolColumns+` FROM tool`+w.String(), w.args...)
		tools = append(tools, part...)
		return err
	})
	return tools, err
}
