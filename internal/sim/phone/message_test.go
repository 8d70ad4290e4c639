package phone

import (
	"strings"
	"testing"

	"parley/internal/sim/schema"
)

const testStream = "MZ00000000000000000000000000000001"

func sid(s string) string { return strings.ReplaceAll(s, "SID", testStream) }

func TestParseTakesWhatTwilioTakes(t *testing.T) {
	t.Parallel()
	check := schema.TwilioTo(t)
	var p parser
	for raw, want := range map[string]message{
		`{"event":"media","streamSid":"SID","media":{"payload":"AQID"}}`:      {event: "media", payload: []byte{1, 2, 3}},
		`{"media":{"payload":"/w=="}, "streamSid":"SID", "event":"media"}`:    {event: "media", payload: []byte{0xFF}},
		`{"event":"mark","streamSid":"SID","mark":{"name":"\u0041 \"quote"}}`: {event: "mark", name: `A "quote`},
		`{"event":"clear","streamSid":"SID"}`:                                 {event: "clear"},
	} {
		check.Check(t, []byte(sid(raw)))
		got, err := p.parse([]byte(sid(raw)), testStream)
		if err != nil || got.event != want.event || string(got.payload) != string(want.payload) || got.name != want.name {
			t.Errorf("%s: %+v, %v", raw, got, err)
		}
	}
}

func TestParseRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	var p parser
	for raw, want := range map[string]string{
		`hello`: "not a JSON object",
		`[]`:    "not a JSON object",
		`null`:  "event is missing",
		``:      "not a JSON object",
		`{"event":"media","streamSid":"SID","media":{"payload":"AQID"}} x`:              "not a JSON object",
		`{"event":"speak","streamSid":"SID"}`:                                           `unknown event "speak"`,
		`{"event":7,"streamSid":"SID"}`:                                                 "event is not a string",
		`{"streamSid":"SID"}`:                                                           "event is missing",
		`{"Event":"clear","streamSid":"SID"}`:                                           "event is missing",
		`{"event":"clear","streamsid":"SID"}`:                                           "streamSid is missing",
		`{"event":"clear","streamSid":"SID","x":1}`:                                     "x is not known",
		`{"event":"clear","streamSid":"MZ2"}`:                                           "not this stream's",
		`{"event":"clear"}`:                                                             "streamSid is missing",
		`{"event":"mark","streamSid":"SID"}`:                                            "mark is missing",
		`{"event":"mark","streamSid":"SID","mark":"x"}`:                                 "not an object",
		`{"event":"mark","streamSid":"SID","mark":{}}`:                                  "name is missing",
		`{"event":"mark","streamSid":"SID","mark":{"name":""}}`:                         "name is empty",
		`{"event":"mark","streamSid":"SID","mark":{"name":5}}`:                          "name is not a string",
		`{"event":"mark","streamSid":"SID","mark":{"name":"x","at":1}}`:                 "at is not known",
		`{"event":"media","streamSid":"SID","media":{"payload":""}}`:                    "payload is empty",
		`{"event":"media","streamSid":"SID","media":{"payload":"AQ"}}`:                  "not base64",
		`{"event":"media","streamSid":"SID","media":{"payload":"A-_Q"}}`:                "not base64",
		`{"event":"media","streamSid":"SID","media":{"payload":7}}`:                     "not a string",
		`{"event":"media","streamSid":"SID","media":{"payload":"AQID","track":"x"}}`:    "track is not known",
		`{"event":"media","streamSid":"SID","media":{"payload":"AQID"},"sequence":"1"}`: "sequence is not known",
		`{"event":"media","streamSid":"SID","media":null}`:                              "payload is missing",
	} {
		if _, err := p.parse([]byte(sid(raw)), testStream); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", raw, err, want)
		}
	}
}

func TestWhatThePhoneSendsIsTwilios(t *testing.T) {
	t.Parallel()
	check := schema.TwilioFrom(t)
	s := &stream{sid: testStream, params: map[string]string{"conversationId": `a"b`}}
	account, call := newSID("AC"), newSID("CA")
	for _, raw := range [][]byte{
		s.connected(), s.start(account, call), s.media(nil, silence[:]), s.mark(`x "y"`), s.dtmf('#'), s.stop(account, call),
	} {
		check.Check(t, raw)
	}
	if s.seq != 5 || s.chunk != 1 {
		t.Errorf("sequence %d, chunk %d", s.seq, s.chunk)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"event":"media","streamSid":"SID","media":{"payload":"AQID"}}`)
	f.Add(`{"event":"mark","streamSid":"SID","mark":{"name":"\n"}}`)
	check := schema.TwilioTo(f)
	f.Fuzz(func(t *testing.T, raw string) {
		var p parser
		if _, err := p.parse([]byte(sid(raw)), testStream); err == nil {
			if strings.Contains(raw, "payload") && len(p.audio) < 3 {
				return // the schema wants four characters of base64, which "/w==" also has; nothing more to compare
			}
			check.Check(t, []byte(sid(raw)))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(sid(`{"event":"media","streamSid":"SID","media":{"payload":"` + strings.Repeat("////", 53) + `/w=="}}`))
	var p parser
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.parse(raw, testStream); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMedia(b *testing.B) {
	s := &stream{sid: testStream}
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = s.media(out[:0], silence[:])
	}
}
