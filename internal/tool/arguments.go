package tool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// checkArguments accepts one JSON object of bounded size and depth. Models send "" for functions without
// parameters.
func checkArguments(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return json.RawMessage(`{}`), nil
	}
	if len(raw) > MaxArguments {
		return nil, fmt.Errorf("they are longer than %d bytes", MaxArguments)
	}
	if raw[0] != '{' || !json.Valid(raw) {
		return nil, errors.New("send one JSON object")
	}
	if depth(raw) > maxArgumentDepth {
		return nil, fmt.Errorf("they are nested deeper than %d levels", maxArgumentDepth)
	}
	return raw, nil
}

// depth returns the deepest nesting of valid JSON.
func depth(raw []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}
