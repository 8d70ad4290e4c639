package phone

import (
	"slices"
	"strings"
	"testing"
)

func TestParseTwiML(t *testing.T) {
	t.Parallel()
	verbs, unknown, err := parseTwiML([]byte(`<?xml version="1.0" encoding="UTF-8"?>
		<Response><Connect action="/after"><Stream url="wss://h/s"><Parameter name="a" value="&lt;1&gt;"/></Stream></Connect>
		<Say voice="alice"> Sorry. </Say><!-- bye --><Hangup/></Response>
		`))
	if err != nil || len(unknown) > 0 {
		t.Fatalf("error %v, unknown %v", err, unknown)
	}
	if len(verbs) != 3 || verbs[0].name != "Connect" || verbs[1].text != "Sorry." || verbs[2].name != "Hangup" {
		t.Fatalf("verbs %+v", verbs)
	}
	stream := verbs[0].children[0]
	if stream.attrs["url"] != "wss://h/s" || stream.children[0].attrs["value"] != "<1>" || verbs[0].attrs["action"] != "/after" {
		t.Errorf("stream %+v", stream)
	}
}

func TestParseTwiMLNamesWhatTheSchemaDoesNotKnow(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`<Response><say>x</say></Response>`:                                       "element say inside Response",
		`<Response><Connect><Stream URL="wss://h/"/></Connect></Response>`:        "attribute URL of Stream",
		`<Response><Connect><Say>x</Say></Connect></Response>`:                    "element Say inside Connect",
		`<Response>hello</Response>`:                                              "text inside Response",
		`<Response><Stream url="wss://h/"/></Response>`:                           "element Stream inside Response",
		`<Response><Hangup reason="x"/></Response>`:                               "attribute reason of Hangup",
		`<Response><Dial><Number>+1</Number><Client>x</Client></Dial></Response>`: "element Client inside Dial",
	} {
		if _, unknown, err := parseTwiML([]byte(body)); err != nil || !slices.Equal(unknown, []string{want}) {
			t.Errorf("%s: unknown %q, error %v, want %q", body, unknown, err, want)
		}
	}
}

func TestParseTwiMLRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "hello", "{}", "<Response>", "<Response><Say></Response>", "<response/>", "<Response/><Response/>", "<Response/>x", "<Response/><",
	} {
		if _, _, err := parseTwiML([]byte(body)); err == nil || !strings.Contains(err.Error(), "document parse failure") {
			t.Errorf("%q: error %v", body, err)
		}
	}
}

func FuzzParseTwiML(f *testing.F) {
	f.Add([]byte(`<Response><Connect><Stream url="wss://h/"><Parameter name="a" value="b"/></Stream></Connect></Response>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		verbs, _, err := parseTwiML(body)
		if err != nil {
			return
		}
		for _, v := range verbs {
			if !slices.Contains(grammar["Response"].children, v.name) {
				t.Errorf("verb %q got through", v.name)
			}
		}
	})
}
