package schema

import "testing"

func TestSchemasJudge(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		schema Schema
		raw    string
		ok     bool
	}{
		{"append", RealtimeClient(t), `{"type":"input_audio_buffer.append","audio":"/w=="}`, true},
		{"unknown member", RealtimeClient(t), `{"type":"input_audio_buffer.append","audio":"/w==","x":1}`, false},
		{"pcmu with a rate", RealtimeClient(t), `{"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcmu","rate":8000}}}}}`, false},
		{"too fast", RealtimeClient(t), `{"type":"session.update","session":{"type":"realtime","audio":{"output":{"speed":2}}}}`, false},
		{"beta name", RealtimeServer(t), `{"type":"response.audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":""}`, false},
		{"cleared", RealtimeServer(t), `{"type":"input_audio_buffer.cleared","event_id":"e"}`, true},
		{"clear", TwilioTo(t), `{"event":"clear","streamSid":"MZ00000000000000000000000000000000"}`, true},
		{"clear without stream", TwilioTo(t), `{"event":"clear"}`, false},
		{"connected", TwilioFrom(t), `{"event":"connected","protocol":"Call","version":"1.0.0"}`, true},
		{"chunk", ChatChunk(t), `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}`, true},
		{"chunk without model", ChatChunk(t), `{"id":"c","object":"chat.completion.chunk","created":1,"choices":[]}`, false},
		{"not JSON", ChatChunk(t), `{`, false},
	}
	for _, c := range cases {
		if err := c.schema.Validate([]byte(c.raw)); (err == nil) != c.ok {
			t.Errorf("%s: valid should be %v, got %v", c.name, c.ok, err)
		}
	}
}
