package tool

import (
	"bytes"
	"encoding/json"
)

// marshal writes decoded JSON without escaping for HTML.
func marshal(value any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value) // what was decoded encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// unmarshal decodes the first value of raw and keeps numbers as they are written: 12345678901234567890 stays what it is.
func unmarshal(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(into)
}

// decodeArguments reads arguments into a struct and refuses what it does not have.
func decodeArguments(raw json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
