package phone

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// dialed places a call that is answered by a Dial of target, and returns its report and the forms of the requests about
// the dialed call and its end, in order, as path?CallStatus.
func dialed(t *testing.T, twiml string, target Target, whisper string, steps ...Step) (*Report, map[string]url.Values, []string) {
	t.Helper()
	var mu sync.Mutex
	forms, order := map[string]url.Values{}, []string{}
	s := newServer(t, func(path string, form url.Values) string {
		mu.Lock()
		defer mu.Unlock()
		if path != "/voice" {
			forms[path] = form
			order = append(order, path+" "+form.Get("CallStatus"))
		}
		switch path {
		case "/voice":
			return twiml
		case "/whisper":
			return whisper
		case "/pressed":
			if form.Get("Digits") == "1" {
				return `<Response/>`
			}
			return `<Response><Hangup/></Response>`
		}
		return `<Response><Say>after</Say></Response>`
	}, nil)
	opt := s.options()
	opt.Targets = map[string]Target{"+15550009999": target}
	opt.Program = steps
	r := dial(t, opt)
	mu.Lock()
	defer mu.Unlock()
	return r, forms, order
}

func TestDial(t *testing.T) {
	t.Parallel()
	const plain = `<Response><Dial action="/after" timeout="20" answerOnBridge="true"><Number statusCallback="/leg" statusCallbackEvent="answered completed">+15550009999</Number></Dial><Say>not this</Say></Response>`
	const warm = `<Response><Dial action="/after"><Number url="/whisper?a=1">+15550009999</Number></Dial></Response>`
	const screen = `<Response><Gather input="dtmf" numDigits="1" timeout="1" action="/pressed"><Say>Press one.</Say></Gather><Hangup/></Response>`
	cases := map[string]struct {
		twiml, whisper string
		target         Target
		status         string
		bridged        bool
		heard          []string
		order          string
	}{
		"answers":              {plain, "", Target{Rings: 50 * time.Millisecond, Talks: 100 * time.Millisecond}, "completed", true, nil, "/leg in-progress,/after in-progress,/leg completed"},
		"busy":                 {plain, "", Target{Status: "busy"}, "busy", false, nil, "/after in-progress,/leg busy"},
		"no answer":            {plain, "", Target{Status: "no-answer", Rings: 50 * time.Millisecond}, "no-answer", false, nil, "/after in-progress,/leg no-answer"},
		"hears a summary":      {warm, `<Response><Say>Ada calls.</Say></Response>`, Target{}, "completed", true, []string{"Ada calls."}, "/after in-progress,/whisper in-progress"},
		"leaves meanwhile":     {warm, `<Response><Say>Ada calls.</Say></Response>`, Target{Leaves: 50 * time.Millisecond}, "completed", false, []string{"Ada calls."}, "/after in-progress,/whisper in-progress"},
		"is hung up on":        {warm, `<Response><Hangup/></Response>`, Target{}, "completed", false, nil, "/after in-progress,/whisper in-progress"},
		"presses the key":      {warm, screen, Target{Press: "1"}, "completed", true, []string{"Press one."}, "/after in-progress,/pressed in-progress,/whisper in-progress"},
		"presses another key":  {warm, screen, Target{Press: "2"}, "completed", false, []string{"Press one."}, "/after in-progress,/pressed in-progress,/whisper in-progress"},
		"presses nothing":      {warm, screen, Target{}, "completed", false, []string{"Press one."}, "/after in-progress,/whisper in-progress"},
		"hears broken TwiML":   {warm, `oops`, Target{}, "completed", false, nil, "/after in-progress,/whisper in-progress"},
		"may not dial further": {warm, `<Response><Dial>+15550008888</Dial></Response>`, Target{}, "completed", true, nil, "/after in-progress,/whisper in-progress"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, forms, order := dialed(t, c.twiml, c.target, c.whisper)
			if len(r.Dials) != 1 || r.Dials[0].Status != c.status || r.Dials[0].Bridged != c.bridged || !slices.Equal(r.Dials[0].Heard, c.heard) {
				t.Errorf("dials %+v", r.Dials)
			}
			after := forms["/after"]
			if after.Get("DialCallStatus") != c.status || after.Get("DialBridged") != map[bool]string{true: "true", false: "false"}[c.bridged] || after.Get("CallSid") != r.CallSID {
				t.Errorf("action form %v", after)
			}
			slices.Sort(order) // status callbacks have their own way
			if got := strings.Join(order, ","); got != func() string { w := strings.Split(c.order, ","); slices.Sort(w); return strings.Join(w, ",") }() {
				t.Errorf("requests %s, want %s", got, c.order)
			}
			if w := forms["/whisper"]; w != nil && (w.Get("ParentCallSid") != r.CallSID || w.Get("CallSid") != r.Dials[0].CallSID || w.Get("Direction") != "outbound-dial" || w.Get("To") != "+15550009999" || w.Get("AccountSid") == "") {
				t.Errorf("whisper form %v", w)
			}
			if broken := name == "hears broken TwiML" || name == "may not dial further"; (r.ViolationCount > 0) != broken || !slices.Equal(r.Notices, []string{"after"}) {
				t.Errorf("violations %v, notices %q", r.Violations, r.Notices)
			}
		})
	}
}

// TestCallerLeavesADial: the action is told, whatever it answers.
func TestCallerLeavesADial(t *testing.T) {
	t.Parallel()
	for want, target := range map[string]Target{
		"canceled":  {Rings: time.Minute},
		"completed": {Talks: time.Minute},
	} {
		r, forms, _ := dialed(t, `<Response><Dial action="/after" timeout="90">+15550009999</Dial></Response>`, target, "", Wait(300*time.Millisecond), Hangup())
		after := forms["/after"]
		if r.EndedBy != "caller" || after.Get("CallStatus") != "completed" || after.Get("DialCallStatus") != want || len(r.Notices) != 0 || r.ViolationCount != 0 {
			t.Errorf("%s: ended by %s, action form %v, violations %v", want, r.EndedBy, after, r.Violations)
		}
	}
}

func TestBadDials(t *testing.T) {
	t.Parallel()
	for twiml, code := range map[string]int{
		`<Dial timeout="1">+15550009999</Dial>`:                            12200,
		`<Dial answerOnBridge="yes">+15550009999</Dial>`:                   12200,
		`<Dial><Number>12</Number></Dial>`:                                 13224,
		`<Dial callerId="client:x">+15550009999</Dial>`:                    13214,
		`<Dial><Number>+15550009999</Number><Number>+1555</Number></Dial>`: 12200,
		`<Dial/>`:                       12200,
		`<Play digits="12a"/>`:          12200,
		`<Gather><Say>x</Say></Gather>`: 12200,
	} {
		r, _, _ := dialed(t, `<Response>`+twiml+`</Response>`, Target{}, "")
		if len(r.Violations) != 1 || r.Violations[0].Code != code {
			t.Errorf("%s: violations %v, want %d", twiml, r.Violations, code)
		}
	}
}

func TestPressedKeys(t *testing.T) {
	t.Parallel()
	r, _, _ := dialed(t, `<Response><Play digits="1w2#"/><Play digits="*"/></Response>`, Target{}, "")
	if !slices.Equal(r.Pressed, []string{"1w2#", "*"}) || r.ViolationCount != 0 {
		t.Errorf("pressed %q, violations %v", r.Pressed, r.Violations)
	}
}
