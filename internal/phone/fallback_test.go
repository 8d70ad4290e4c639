package phone

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// restHouse is a house behind whose phones there is a REST API.
func restHouse(t *testing.T, opt houseOptions) (*house, *phone.REST) {
	t.Helper()
	rest, err := phone.ListenREST("127.0.0.1:0", defaultSID, defaultToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rest.Close() })
	opt.twilioAPI = rest.URL()
	return newHouse(t, storetest.SQLite(t), opt), rest
}

// TestVerbsAfterTheStream: what the carrier does when the stream is lost, in the agent's language; where it cannot be
// asked to hang up, it only asks.
func TestVerbsAfterTheStream(t *testing.T) {
	t.Parallel()
	language := func(l string) func(*parley.VoiceConfig) {
		return func(v *parley.VoiceConfig) {
			if l != "" {
				v.Language = &l
			}
		}
	}
	const redirect = `</Stream></Connect>VERBS<Redirect method="POST">URL/twilio/resume#rc=5&amp;rp=all&amp;tt=15000</Redirect></Response>`
	for _, c := range []struct{ language, verbs string }{
		{"", `<Say>One moment, please.</Say><Pause length="2"></Pause>`},
		{"de-AT", `<Say language="de-DE">Einen Moment, bitte.</Say><Pause length="2"></Pause>`},
		{"tlh", `<Say>One moment, please.</Say><Pause length="2"></Pause>`},
	} {
		h, _ := restHouse(t, houseOptions{voice: language(c.language)})
		for _, path := range []string{"/twilio/voice", "/twilio/resume"} {
			_, body := h.post(path, defaultToken, incoming(number))
			if want := strings.NewReplacer("VERBS", c.verbs, "URL", h.url).Replace(redirect); !strings.HasSuffix(body, want) {
				t.Errorf("%s in %q:\n%s\nwant at its end\n%s", path, c.language, body, want)
			}
		}
	}
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	_, body := h.post("/twilio/voice", defaultToken, incoming(number))
	if want := strings.NewReplacer("VERBS", "", "URL", h.url).Replace(redirect); !strings.HasSuffix(body, want) {
		t.Errorf("without a REST API:\n%s", body)
	}
}

// TestFallbackTakesTheCall that /twilio/voice never answered: with its refusals, and once.
func TestFallbackTakesTheCall(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st, houseOptions{})
		form := incoming(number)
		form.Set("ErrorCode", "11205")
		if status, body := h.post("/twilio/resume", "forged", form); status != 403 || h.count() != 0 {
			t.Errorf("with another's signature: %d %s", status, body)
		}
		stranger := incoming("+15550109999")
		if _, body := h.post("/twilio/resume", defaultToken, stranger); !strings.Contains(body, texts["en"].words[textUnknown]) {
			t.Errorf("an unknown number: %s", body)
		}
		over := incoming(number)
		over.Set("CallStatus", "completed")
		if _, body := h.post("/twilio/resume", defaultToken, over); !strings.Contains(body, "<Hangup>") || h.count() != 0 {
			t.Errorf("a call that is over: %s", body)
		}
		_, first := h.post("/twilio/resume", defaultToken, form)
		_, second := h.post("/twilio/voice", defaultToken, incoming(number)) // the slow webhook arrives after all
		if !strings.Contains(first, "<Connect>") || streamURL(t, first) != streamURL(t, second) || h.count() != 1 {
			t.Errorf("%d calls:\n%s\n%s", h.count(), first, second)
		}
		l := h.join(first, "MZ0", nil)
		h.until("live", func() bool { return h.state().State == parley.CallLive })
		again := inProgress() // somebody sent the call back to its beginning
		if _, body := h.post("/twilio/voice", defaultToken, again); !strings.Contains(body, "<Connect>") {
			t.Errorf("webhook of a call that goes on: %s", body)
		}
		if _, body := h.post("/twilio/voice", defaultToken, incoming(number)); !strings.Contains(body, "<Hangup>") {
			t.Errorf("late retry: %s", body)
		}
		l.vanish()
	})
}

// TestGoodbyesAreClean: whoever ends the call, and whether the carrier can be asked to hang up or not, the caller hears
// no "one moment".
func TestGoodbyesAreClean(t *testing.T) {
	t.Parallel()
	short := func(v *parley.VoiceConfig) { v.MaxDuration = 2 }
	cases := map[string]struct {
		opt     houseOptions
		rest    bool
		endedBy string
		notices string
	}{
		"hung up over REST":     {houseOptions{voice: short}, true, "rest", ""},
		"hung up by the verbs":  {houseOptions{voice: short}, false, "hangup verb", ""},
		"a notice after REST":   {houseOptions{model: model.Options{Status: 500}}, true, "hangup verb", texts["en"].words[textUnavailable]},
		"a notice by the verbs": {houseOptions{model: model.Options{Status: 500}}, false, "hangup verb", texts["en"].words[textUnavailable]},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var h *house
			var rest *phone.REST
			if c.rest {
				h, rest = restHouse(t, c.opt)
			} else {
				h = newHouse(t, storetest.SQLite(t), c.opt)
			}
			_, r := h.dial(phone.Options{REST: rest, Program: []phone.Step{phone.Wait(50 * time.Second)}})
			if r.EndedBy != c.endedBy || strings.Join(r.Notices, "|") != c.notices || r.ViolationCount > 0 || r.Failure != nil {
				t.Errorf("ended by %s, notices %q, violations %v, failure %v", r.EndedBy, r.Notices, r.Violations, r.Failure)
			}
			if conv, _ := h.conversation(); conv.EndReason == parley.EndCallerHangup {
				t.Errorf("conversation %+v", conv)
			}
		})
	}
}

// TestFarewells: a drain waits for carriers that still have to be told, and for no others.
func TestFarewells(t *testing.T) {
	t.Parallel()
	waits := func(f *farewells) bool {
		done := make(chan struct{})
		go func() { f.wait(); close(done) }()
		select {
		case <-done:
			return false
		case <-time.After(100 * time.Millisecond):
			f.forget("a")
			<-done
			return true
		}
	}
	for name, c := range map[string]struct {
		do   func(*farewells)
		want bool
	}{
		"nothing":              {func(*farewells) {}, false},
		"expected":             {func(f *farewells) { f.expect("a") }, true},
		"expected twice":       {func(f *farewells) { f.expect("a"); f.expect("a") }, true},
		"said":                 {func(f *farewells) { f.expect("a"); f.said("a") }, false},
		"said before expected": {func(f *farewells) { f.said("a"); f.expect("a") }, false},
		"said twice":           {func(f *farewells) { f.said("a"); f.said("a"); f.expect("a") }, false},
		"another's":            {func(f *farewells) { f.said("b"); f.expect("a") }, true},
	} {
		f := &farewells{}
		c.do(f)
		if got := waits(f); got != c.want {
			t.Errorf("%s: waits %v", name, got)
		}
	}
}

// TestResumeOfAnotherAccountsCall is refused as before, also where it comes as a fallback.
func TestResumeOfAnotherAccountsCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	h.post("/twilio/voice", defaultToken, incoming(number))
	form := url.Values{"CallSid": {callSID}, "AccountSid": {"AC00000000000000000000000000000099"}, "To": {number}, "CallStatus": {"in-progress"}}
	if status, body := h.post("/twilio/resume", defaultToken, form); status != 403 {
		t.Errorf("%d %s", status, body)
	}
}

// TestFallbackDoesNotCircle: a fallback number that leads back to where the caller comes from would make one call after
// another. One that leads to another agent, who answers or sends the caller out, is dialed.
func TestFallbackDoesNotCircle(t *testing.T) {
	t.Parallel()
	const others, outside = "+15550100077", "+15550199999"
	for name, c := range map[string]struct {
		mine, theirs string
		dialed       bool
	}{
		"to itself":                {number, "", false},
		"to and fro":               {others, number, false},
		"to another":               {others, "", true},
		"to another, then outside": {others, outside, true},
		"outside":                  {outside, "", true},
		"to another that circles":  {others, others, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.FallbackNumber = new(c.mine) }})
			other := storetest.NewAgent(h.org.ID, parley.AgentVoice)
			other.PhoneNumbers = []string{others}
			if c.theirs != "" {
				other.Voice.FallbackNumber = new(c.theirs)
			}
			storetest.Write(t, h.st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, h.org.ID, other) })
			h.handler.StopTaking()
			_, body := h.post("/twilio/voice", defaultToken, incoming(number))
			if dialed := strings.Contains(body, "<Number>"+c.mine+"</Number>"); dialed != c.dialed || !dialed && !strings.Contains(body, "<Hangup>") || !strings.Contains(body, "busy") {
				t.Errorf("dialed %v: %s", dialed, body)
			}
		})
	}
}

// TestFallbackShowsANumber: a caller without a number of its own is shown as the dialed number, or Twilio would dial nobody.
func TestFallbackShowsANumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.FallbackNumber = new("+15550199999") }})
	h.handler.StopTaking()
	for from, want := range map[string]string{"anonymous": `<Dial callerId="` + number + `">`, "client:kiosk": `<Dial callerId="` + number + `">`, "+15550100123": "<Dial>"} {
		form := incoming(number)
		form.Set("From", from)
		if _, body := h.post("/twilio/voice", defaultToken, form); !strings.Contains(body, want+"<Number>+15550199999</Number></Dial>") {
			t.Errorf("%s: %s", from, body)
		}
	}
}
