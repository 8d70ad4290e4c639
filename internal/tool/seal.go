package tool

import (
	"encoding/json"
	"fmt"

	"parley"
	"parley/internal/secret"
	"parley/internal/store"
)

// Seal makes the stored form of a tool: its headers and query, which may hold credentials, are sealed as a
// whole. The tool given is not changed.
func Seal(ring *secret.Ring, t parley.Tool) (store.SealedTool, error) {
	s := store.SealedTool{Tool: t}
	if t.MCP != nil {
		m := *t.MCP
		m.Headers = nil
		s.MCP = &m
		var err error
		s.Headers, err = sealMap(ring, store.ToolAAD(t.OrgID, "headers", t.ID), t.MCP.Headers)
		return s, err
	}
	if t.HTTP == nil {
		return s, nil
	}
	h := *t.HTTP
	h.Headers, h.Query = nil, nil
	s.HTTP = &h
	var err error
	if s.Headers, err = sealMap(ring, store.ToolAAD(t.OrgID, "headers", t.ID), t.HTTP.Headers); err != nil {
		return s, err
	}
	s.Query, err = sealMap(ring, store.ToolAAD(t.OrgID, "query", t.ID), t.HTTP.Query)
	return s, err
}

func sealMap(ring *secret.Ring, aad string, m map[string]string) ([]byte, error) {
	if len(m) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("sealing tool: %w", err)
	}
	return ring.Seal(aad, plain), nil
}

// Open is the way back from Seal. A built-in tool comes back as it is.
func Open(ring *secret.Ring, s store.SealedTool) (parley.Tool, error) {
	t := s.Tool
	if t.MCP != nil {
		m := *t.MCP
		t.MCP = &m
		var err error
		m.Headers, err = openMap(ring, store.ToolAAD(t.OrgID, "headers", t.ID), s.Headers)
		return t, err
	}
	if t.HTTP == nil {
		return t, nil
	}
	h := *t.HTTP
	t.HTTP = &h
	var err error
	if h.Headers, err = openMap(ring, store.ToolAAD(t.OrgID, "headers", t.ID), s.Headers); err != nil {
		return t, err
	}
	h.Query, err = openMap(ring, store.ToolAAD(t.OrgID, "query", t.ID), s.Query)
	return t, err
}

func openMap(ring *secret.Ring, aad string, sealed []byte) (map[string]string, error) {
	m := map[string]string{}
	if len(sealed) == 0 {
		return m, nil
	}
	plain, err := ring.Open(aad, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening tool: %w", err)
	}
	if json.Unmarshal(plain, &m) != nil {
		return nil, fmt.Errorf("opening tool: the sealed value is not readable") // the error would quote it
	}
	return m, nil
}
