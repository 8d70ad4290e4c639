package tool

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// canonical writes arguments so that equal ones are equal texts: without spaces, members in order, each name once.
// ok is false when they are no JSON object; they are then returned as they are.
func canonical(raw json.RawMessage) (text string, ok bool) {
	checked, err := checkArguments(raw)
	if err != nil {
		return string(raw), false
	}
	var members map[string]any
	if unmarshal(checked, &members) != nil {
		return string(raw), false
	}
	return string(marshal(members)), true
}

// sameCall identifies a function with its canonical arguments.
func sameCall(name, arguments string) string {
	sum := sha256.Sum256([]byte(name + "\x00" + arguments))
	return hex.EncodeToString(sum[:16])
}

// RecordedArguments are a call's arguments for tool.started: what is no JSON stands there as a string, so that the log
// stays readable, and what is too long for any tool is cut.
func RecordedArguments(arguments string) json.RawMessage {
	raw := bytes.TrimSpace([]byte(arguments))
	switch {
	case len(raw) == 0:
		return json.RawMessage(`{}`)
	case len(raw) <= MaxArguments && json.Valid(raw):
		return raw
	}
	quoted, _ := json.Marshal(Cut(strings.ToValidUTF8(arguments, "\uFFFD"), MaxArguments)) // a string always marshals
	return quoted
}
