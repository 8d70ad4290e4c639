// Package schema holds the strict JSON Schemas of the protocols that Parley speaks, as test data: every
// message that Parley or its simulators send is validated against them. It is imported by tests only (a test
// in internal/sim/model checks that the binary does not link it).
//
// The Realtime and chat schemas derive from github.com/openai/openai-openapi (MIT), with the limits that are
// stated only in prose; the Media Streams schema is our own reading of Twilio's documentation.
package schema

import (
	"bytes"
	"embed"
	"fmt"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed *.json
var files embed.FS

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct{ s *jsonschema.Schema }

// Validate checks one JSON message and says what is wrong with it.
func (s Schema) Validate(raw []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("reading a message: %w", err)
	}
	return s.s.Validate(v)
}

// Check fails the test when the message does not validate.
func (s Schema) Check(t testing.TB, raw []byte) {
	t.Helper()
	if err := s.Validate(raw); err != nil {
		t.Errorf("%v\nin message %.600s", err, raw)
	}
}

// RealtimeClient is what a client may send to OpenAI Realtime.
func RealtimeClient(t testing.TB) Schema {
	return get(t, "urn:openai:realtime:ga#/$defs/RealtimeClientEvent")
}

// RealtimeServer is what OpenAI Realtime sends.
func RealtimeServer(t testing.TB) Schema {
	return get(t, "urn:openai:realtime:ga#/$defs/RealtimeServerEvent")
}

// TwilioTo is what a server may send to Twilio Media Streams.
func TwilioTo(t testing.TB) Schema { return get(t, "urn:twilio:media-streams#/$defs/toTwilio") }

// TwilioFrom is what Twilio Media Streams sends.
func TwilioFrom(t testing.TB) Schema { return get(t, "urn:twilio:media-streams#/$defs/fromTwilio") }

// ChatChunk is the data of one event of a streamed chat completion.
func ChatChunk(t testing.TB) Schema { return get(t, "urn:openai:chat:chunk") }

func get(t testing.TB, url string) Schema {
	t.Helper()
	all, err := compiled()
	if err != nil {
		t.Fatalf("compiling the schemas: %v", err)
	}
	return Schema{all[url]}
}

var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	for url, name := range map[string]string{
		"urn:openai:realtime:ga":   "realtime-schema.json",
		"urn:twilio:media-streams": "twilio-media-schema.json",
		"urn:openai:chat:chunk":    "chat-chunk-schema.json",
	} {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.AddResource(url, doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	all := map[string]*jsonschema.Schema{}
	for _, url := range []string{
		"urn:openai:realtime:ga#/$defs/RealtimeClientEvent", "urn:openai:realtime:ga#/$defs/RealtimeServerEvent",
		"urn:twilio:media-streams#/$defs/toTwilio", "urn:twilio:media-streams#/$defs/fromTwilio", "urn:openai:chat:chunk",
	} {
		s, err := c.Compile(url)
		if err != nil {
			return nil, err
		}
		all[url] = s
	}
	return all, nil
})
