package phone

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/sim/speech"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const (
	salesNumber  = "+15550109001"
	deskNumber   = "+15550109002"
	doctorNumber = "+15550109003"
	announcement = "One moment, I connect you now."
)

// control is the options of a house whose agent has every control tool.
func control(opt houseOptions) houseOptions {
	opt.tools = []string{parley.ToolEndCall, parley.ToolTransferCall, parley.ToolSendDTMF, parley.ToolLeaveVoicemail}
	opt.voice = func(v *parley.VoiceConfig) {
		v.TransferTargets = []parley.TransferTarget{
			{Name: "Sales", Number: salesNumber, Mode: parley.TransferCold},
			{Name: "Desk", Number: deskNumber, Mode: parley.TransferWarm},
			{Name: "Doctor", Number: doctorNumber, Mode: parley.TransferScreened},
		}
	}
	return opt
}

// saysAndCalls is an answer that says something and calls a tool.
func saysAndCalls(words, tool, arguments string) model.Reply {
	return model.Reply{Items: []model.Output{{Say: words}, {Call: &model.Call{Name: tool, Arguments: arguments}}}}
}

// all is what the model was told so far.
func (h *house) all() string {
	told, _ := h.toldSince(0)
	return told
}

// sessions is how many model sessions there were.
func (h *house) sessions() int { return strings.Count(h.all(), `"type":"session.update"`) }

// ended is the closed conversation, its call and its transcript.
func (h *house) ended(t *testing.T) (parley.Conversation, parley.Call, parley.Record, string) {
	t.Helper()
	conv, events := h.conversation()
	c, err := h.st.FindCall(t.Context(), h.org.ID, conv.ID)
	if err != nil {
		t.Fatal(err)
	}
	return conv, c, parley.Project(events), types(events)
}

// TestColdTransfer: the caller hears the announcement to its end, then the target's phone rings; when the target hangs up
// the conversation has ended as transferred.
func TestColdTransfer(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]bool{"through the verbs": false, "through REST": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, func(t *testing.T, st *store.Store) {
				opt := phone.Options{
					Targets: map[string]phone.Target{salesNumber: {Rings: 300 * time.Millisecond, Talks: time.Second}},
					Program: []phone.Step{phone.Say(question()), phone.Wait(40 * time.Second)},
				}
				hopt := control(houseOptions{})
				if rest {
					api, err := phone.ListenREST("127.0.0.1:0", defaultSID, defaultToken)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = api.Close() })
					hopt.twilioAPI, opt.REST = api.URL(), api
				}
				h := newHouse(t, st, hopt)
				h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"Sales","summary":""}`))
				_, r := h.dial(opt)
				healthy(t, r)
				if len(r.Dials) != 1 || r.Dials[0].Number != salesNumber || !r.Dials[0].Bridged || len(r.Dials[0].Heard) != 0 || r.Dials[0].CallerID != r.From {
					t.Errorf("dials %+v", r.Dials)
				}
				if r.EndedBy != "hangup verb" || len(r.Notices) != 0 {
					t.Errorf("ended by %q, notices %q", r.EndedBy, r.Notices)
				}
				conv, c, rec, log := h.ended(t)
				if conv.EndReason != parley.EndTransferred || conv.Status != parley.ConversationCompleted || c.State != parley.CallEnded || c.Resumes != 0 {
					t.Errorf("conversation %+v, call %+v", conv, c)
				}
				last := rec.Messages[len(rec.Messages)-2]
				if last.HeardText == nil || *last.HeardText != announcement {
					t.Errorf("the announcement on record: %+v", last)
				}
				if !strings.Contains(log, parley.EventTransferRequested+"\n"+parley.EventTransferEnded) {
					t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

// TestNobodyTakesTheTransfer: the caller gets the agent back, who knows why; in this process with the same model session,
// in another one with a new one.
func TestNobodyTakesTheTransfer(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		target    phone.Target
		elsewhere bool
		why       string
	}{
		"busy":      {phone.Target{Status: "busy"}, false, "the line is busy"},
		"no answer": {phone.Target{Status: "no-answer", Rings: 600 * time.Millisecond}, false, "no answer"},
		"elsewhere": {phone.Target{Status: "failed", Rings: time.Second}, true, "the number could not be reached"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
			h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"Sales","summary":""}`), model.Say("I am sorry, nobody is there."), model.Say("Goodbye."))
			_, r := h.dial(phone.Options{
				Targets: map[string]phone.Target{salesNumber: c.target},
				OnEvent: func(e phone.Event) {
					if c.elsewhere && e.Kind == phone.EventDialed {
						h.host.Close() // the session that was kept is gone
					}
				},
				Program: []phone.Step{
					phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(4*time.Second, 2*patience),
					phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
				},
			})
			healthy(t, r)
			if len(r.Dials) != 1 || len(r.Streams) != 2 || len(r.Notices) != 0 || len(r.Turns) != 2 || !r.Turns[1].Answered {
				t.Errorf("dials %+v, %d streams, notices %q, turns %+v", r.Dials, len(r.Streams), r.Notices, r.Turns)
			}
			conv, call, rec, log := h.ended(t)
			if conv.EndReason != parley.EndCallerHangup || call.Returns != 1 || call.Resumes != 0 || len(call.RecentResumes) != 0 {
				t.Errorf("conversation %+v, call %+v", conv, call)
			}
			if !strings.Contains(h.all(), "The transfer to Sales failed: "+c.why) {
				t.Errorf("the model was told\n%s", h.all())
			}
			if n := h.sessions(); n != 1 != c.elsewhere {
				t.Errorf("%d model sessions", n)
			}
			if said := rec.Messages; len(said) != 6 || said[3].Text != "I am sorry, nobody is there." || said[5].Text != "Goodbye." {
				t.Errorf("transcript %+v", said)
			}
			if !strings.Contains(log, parley.EventTransferEnded) {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// TestTransferNeedsAName: a number, from whomever, is not dialed.
func TestTransferNeedsAName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"+19005550199","summary":""}`), model.Say("That is not possible."))
	_, r := h.dial(phone.Options{Program: []phone.Step{phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(3*time.Second, patience), phone.Hangup()}})
	healthy(t, r)
	conv, _, rec, _ := h.ended(t)
	if len(r.Dialed) != 0 || conv.EndReason != parley.EndCallerHangup || len(rec.ToolCalls) != 1 || rec.ToolCalls[0].Outcome != "invalid_arguments" {
		t.Errorf("dialed %q, conversation %+v, tools %+v", r.Dialed, conv, rec.ToolCalls)
	}
	if told := h.all(); !strings.Contains(told, "There is no such target") || strings.Contains(told, salesNumber) || strings.Contains(told, doctorNumber) {
		t.Errorf("the model was told\n%s", told)
	}
}

// TestCallerSpeaksIntoTheAnnouncement: the transfer does not happen, and the model knows.
func TestCallerSpeaksIntoTheAnnouncement(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	h.model.Script(saysAndCalls("I will now connect you to our sales people, who know all about prices, please hold the line for a moment.", "transfer_call", `{"target":"Sales","summary":""}`), model.Say("All right, then not."))
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(question()), phone.Interrupt(2*time.Second, patience), phone.Say(question()),
		phone.WaitForAgent(patience), phone.WaitForSilence(2*time.Second, patience), phone.Hangup(),
	}})
	healthy(t, r)
	if conv, _, _, log := h.ended(t); len(r.Dialed) != 0 || conv.EndReason != parley.EndCallerHangup || strings.Contains(log, parley.EventTransferRequested) {
		t.Errorf("dialed %q, conversation %+v, log\n%s", r.Dialed, conv, log)
	}
	if told := h.all(); !strings.Contains(told, "The transfer to Sales did not happen") {
		t.Errorf("the model was told\n%s", told)
	}
}

// TestWarmTransfer: the target hears who calls before it is connected, and may have to take the call.
func TestWarmTransfer(t *testing.T) {
	t.Parallel()
	const summary = "Ms. Smith asks for a repair & offers <Tuesday>."
	cases := map[string]struct {
		name, number string
		target       phone.Target
		heard        []string
		reason       string
		why          string
	}{
		"hears it":            {"Desk", deskNumber, phone.Target{Talks: 300 * time.Millisecond}, []string{summary}, parley.EndTransferred, ""},
		"hangs up on it":      {"Desk", deskNumber, phone.Target{Leaves: 300 * time.Millisecond}, []string{summary}, parley.EndCallerHangup, "does not take the call"},
		"takes the call":      {"Doctor", doctorNumber, phone.Target{Press: "1", Talks: 300 * time.Millisecond}, []string{summary + " To take the call, press 1."}, parley.EndTransferred, ""},
		"refuses the call":    {"Doctor", doctorNumber, phone.Target{Press: "2"}, []string{summary + " To take the call, press 1."}, parley.EndCallerHangup, "does not take the call"},
		"is not there at all": {"Doctor", doctorNumber, phone.Target{Status: "busy"}, nil, parley.EndCallerHangup, "the line is busy"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
			h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"`+c.name+`","summary":"`+summary+`"}`), model.Say("I am sorry."))
			steps := []phone.Step{phone.Say(question()), phone.WaitForAgent(patience), phone.Wait(40 * time.Second)}
			if c.why != "" {
				steps = append(steps[:2], phone.WaitForSilence(9*time.Second, 2*patience), phone.Hangup())
			}
			_, r := h.dial(phone.Options{Targets: map[string]phone.Target{c.number: c.target}, Program: steps})
			healthy(t, r)
			if len(r.Dials) != 1 || r.Dials[0].Number != c.number || !slices.Equal(r.Dials[0].Heard, c.heard) || r.Dials[0].Bridged != (c.why == "") {
				t.Errorf("dials %+v", r.Dials)
			}
			if conv, _, _, log := h.ended(t); conv.EndReason != c.reason || !strings.Contains(log, parley.EventTransferEnded) {
				t.Errorf("conversation %+v, log\n%s", conv, log)
			}
			if told := h.all(); c.why != "" && !strings.Contains(told, "The transfer to "+c.name+" failed") || !strings.Contains(told, c.why) {
				t.Errorf("the model was told\n%s", told)
			}
			if slices.ContainsFunc(r.Notices, func(s string) bool { return strings.Contains(s, "Smith") }) || strings.Contains(h.logs.String(), "Smith") {
				t.Errorf("the summary is where it does not belong: notices %q", r.Notices)
			}
		})
	}
}

// TestCallerLeavesWhileItRings: it was no transfer.
func TestCallerLeavesWhileItRings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target phone.Target
		status bool
		reason string
	}{
		"ringing":                  {phone.Target{Rings: time.Minute}, false, parley.EndCallerHangup},
		"ringing, status callback": {phone.Target{Rings: time.Minute}, true, parley.EndCallerHangup},
		"connected":                {phone.Target{Talks: time.Minute}, false, parley.EndTransferred},
		"connected, status":        {phone.Target{Talks: time.Minute}, true, parley.EndTransferred},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
			h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"Sales","summary":""}`))
			opt := phone.Options{
				Targets: map[string]phone.Target{salesNumber: c.target},
				Program: []phone.Step{phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(3*time.Second, patience), phone.Hangup()},
			}
			if c.status {
				opt.StatusCallbackURL = h.url + "/twilio/status"
			}
			_, r := h.dial(opt)
			if r.ViolationCount != 0 || len(r.Dials) != 1 {
				t.Errorf("dials %+v, violations %v", r.Dials, r.Violations)
			}
			if conv, _, _, log := h.ended(t); conv.EndReason != c.reason || conv.Status != parley.ConversationCompleted || strings.Count(log, parley.EventConversationEnded) != 1 {
				t.Errorf("conversation %+v, log\n%s", conv, log)
			}
		})
	}
}

// TestKeysKeepTheModel: the keys are pressed between two streams, and the model's session hears the other side go on.
func TestKeysKeepTheModel(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	h.model.Script(model.CallTool("send_dtmf", `{"digits":"12w#"}`), model.Say("Yes, the second one please."))
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(question()), phone.Wait(4 * time.Second), phone.Say(question()),
		phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
	}})
	healthy(t, r)
	if !slices.Equal(r.Pressed, []string{"12w#"}) || len(r.Streams) != 2 || len(r.Turns) != 2 || !r.Turns[1].Answered || len(r.Notices) != 0 {
		t.Errorf("pressed %q, %d streams, turns %+v, notices %q", r.Pressed, len(r.Streams), r.Turns, r.Notices)
	}
	if hole := r.Streams[1].Started - r.Streams[0].Ended; hole > 3*time.Second {
		t.Errorf("%v between the streams", hole)
	}
	conv, call, rec, log := h.ended(t)
	if conv.EndReason != parley.EndCallerHangup || call.Returns != 1 || call.Resumes != 0 || len(call.RecentResumes) != 0 || !strings.Contains(log, parley.EventKeysSent) {
		t.Errorf("conversation %+v, call %+v, log\n%s", conv, call, log)
	}
	if told := h.all(); h.sessions() != 1 || !strings.Contains(told, "The keys 1 2 w # were pressed") || strings.Count(told, `"type":"response.create"`) != 2 {
		t.Errorf("%d model sessions, told\n%s", h.sessions(), told)
	}
	if n := len(rec.Messages); rec.Messages[n-1].Text != "Yes, the second one please." {
		t.Errorf("transcript %+v", rec.Messages)
	}
}

// TestManyErrandsAreNoLosses: the cap on resumes does not count them.
func TestManyErrandsAreNoLosses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	var steps []phone.Step
	for range 5 {
		h.model.Script(model.CallTool("send_dtmf", `{"digits":"1"}`))
		steps = append(steps, phone.Say(question()), phone.Wait(3*time.Second))
	}
	h.model.Script(model.Say("There we are."))
	steps = append(steps, phone.Say(question()), phone.WaitForAgent(patience), phone.Hangup())
	_, r := h.dial(phone.Options{Program: steps})
	healthy(t, r)
	if conv, call, _, _ := h.ended(t); len(r.Pressed) != 5 || len(r.Streams) != 6 || call.Returns != 5 || conv.EndReason != parley.EndCallerHangup || len(r.Notices) != 0 {
		t.Errorf("pressed %q, %d streams, call %+v, conversation %+v, notices %q", r.Pressed, len(r.Streams), call, conv, r.Notices)
	}
}

// TestVoicemail: the message is spoken after the beep, to its end, although the machine goes on talking before.
func TestVoicemail(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	const message = "This is Ada from Parley. Please call us back tomorrow."
	h.model.Script(model.CallTool("leave_voicemail", `{"message":"`+message+`"}`), model.Say(message))
	beep := make([]int16, audio.Rate/2)
	for i := range beep {
		beep[i] = int16(7000 * math.Sin(2*math.Pi*1000*float64(i)/audio.Rate))
	}
	greeting := speech.Say("You have reached the mailbox of the Miller family.").ULaw
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(greeting), phone.Wait(1500 * time.Millisecond), // a pause: the model takes it for a turn
		phone.Say(slices.Concat(speech.Say("Please leave a message after the tone.").ULaw, audio.EncodeULaw(beep))),
		phone.Wait(40 * time.Second),
	}})
	healthy(t, r)
	if r.EndedBy != "hangup verb" || len(r.Clears) != 0 || len(r.Spurts) == 0 || r.Spurts[0].At < r.Turns[1].SaidAt+r.Turns[1].Said {
		t.Errorf("ended by %q, clears %v, agent %v, machine %+v", r.EndedBy, r.Clears, r.Spurts, r.Turns)
	}
	conv, _, rec, _ := h.ended(t)
	last := rec.Messages[len(rec.Messages)-1]
	if conv.EndReason != parley.EndVoicemail || last.Text != message || last.HeardText == nil || *last.HeardText != message || last.Interrupted {
		t.Errorf("conversation %+v, last message %+v", conv, last)
	}
	if told := h.all(); strings.Count(told, `"type":"response.create"`) != 2 || !strings.Contains(told, `nothing else: \"`+message) {
		t.Errorf("the model was told\n%s", told)
	}
}

// TestCallersKeysReachTheModel: as one message, on the record, and not in the log.
func TestCallersKeysReachTheModel(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
	h.model.Script(model.Say(strings.Repeat("please type your card number and then the hash key ", 6)), model.Say("Thank you."))
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(question()), phone.Interrupt(time.Second, patience), phone.DTMF("4111222233#"),
		phone.Wait(500 * time.Millisecond), phone.WaitForSilence(1500*time.Millisecond, patience), phone.Hangup(),
	}})
	healthy(t, r)
	if len(r.Clears) != 1 {
		t.Errorf("clears %v", r.Clears)
	}
	_, _, rec, log := h.ended(t)
	var keys []string
	for _, m := range rec.Messages {
		if strings.HasPrefix(m.Text, "[The caller") {
			keys = append(keys, m.Text)
		}
	}
	const want = "[The caller pressed 4 1 1 1 2 2 2 2 3 3 #]"
	if !slices.Equal(keys, []string{want}) || !strings.Contains(h.all(), want) || rec.Messages[len(rec.Messages)-1].Text != "Thank you." {
		t.Errorf("keys %q, transcript %+v", keys, rec.Messages)
	}
	if strings.Count(log, parley.EventInterruption+"\n") != 1 {
		t.Errorf("log:\n%s", log)
	}
	if leak := regexp.MustCompile(`4.?1.?1.?1.?2.?2.?2.?2`).FindString(h.logs.String()); leak != "" {
		t.Errorf("the log has %q", leak)
	}
}

// TestSummaryIsForTheTargetOnly: it takes the account's signature, the token, and the first leg that used it.
func TestSummaryIsForTheTargetOnly(t *testing.T) {
	t.Parallel()
	opt := control(houseOptions{})
	targets := opt.voice
	opt.voice = func(v *parley.VoiceConfig) {
		targets(v)
		v.Language = new("fi-FI")
	}
	h := newHouse(t, storetest.SQLite(t), opt)
	h.model.Script(saysAndCalls(announcement, "transfer_call", `{"target":"Doctor","summary":"Secret knee."}`))
	_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
	l := h.join(twiml, "MZ0", question())
	h.until("the transfer was decided", func() bool { return h.state().Intent == parley.IntentTransfer })
	l.vanish()
	_, body := h.post("/twilio/resume", defaultToken, inProgress())
	whisper := regexp.MustCompile(`url="[^"]*(/twilio/whisper[^"]*)"`).FindStringSubmatch(body)
	if whisper == nil || !strings.Contains(body, `action="`+h.url+`/twilio/dialed#`) || !strings.Contains(body, ">"+doctorNumber+"</Number>") {
		t.Fatalf("resume: %s", body)
	}
	path := strings.ReplaceAll(whisper[1], "&amp;", "&")
	leg := func(sid, parent string) url.Values {
		form := incoming(doctorNumber)
		form.Set("CallSid", sid)
		form.Set("ParentCallSid", parent)
		form.Set("CallStatus", "in-progress")
		return form
	}
	const child, other = "CAchild", "CAother"
	foreign := leg(child, callSID)
	foreign.Set("AccountSid", "AC00000000000000000000000000000099")
	for what, c := range map[string]struct {
		token string
		path  string
		form  url.Values
	}{
		"another signature":  {"forged", path, leg(child, callSID)},
		"another account":    {defaultToken, path, foreign},
		"another parent":     {defaultToken, path, leg(child, "CAelse")},
		"a call that is not": {defaultToken, strings.Replace(path, callSID, "CAnone", 1), leg(child, "")},
		"no call":            {defaultToken, "/twilio/whisper", leg(child, callSID)},
	} {
		if status, body := h.post(c.path, c.token, c.form); status != 403 || strings.Contains(body, "knee") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	hung := func(what, path string, form url.Values) {
		t.Helper()
		if status, body := h.post(path, defaultToken, form); status != 200 || !strings.Contains(body, "<Hangup>") || strings.Contains(body, "knee") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	hung("a wrong token", regexp.MustCompile(`token=[^&]*`).ReplaceAllString(path, "token=wrong"), leg(child, callSID))
	hung("no token", regexp.MustCompile(`&token=[^&]*`).ReplaceAllString(path, ""), leg(child, callSID))
	for range 2 { // the carrier may ask again
		if status, body := h.post(path, defaultToken, leg(child, "")); status != 200 || !strings.Contains(body, `<Say language="fi-FI">Secret knee. Ottakaa puhelu vastaan painamalla 1.</Say>`) {
			t.Fatalf("the target: %d %s", status, body)
		}
	}
	hung("another leg", path, leg(other, callSID))
	key := leg(child, callSID)
	key.Set("Digits", "1")
	if status, body := h.post(path, defaultToken, key); status != 200 || strings.Contains(body, "<Hangup>") {
		t.Errorf("the key: %d %s", status, body)
	}
	if e := h.state().Errand; e.Stage != parley.ErrandAccepted {
		t.Errorf("errand %+v", e)
	}
	// The server's end of the Dial is lost: the fallback says that they have talked.
	if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, "<Hangup>") {
		t.Errorf("after the transfer: %s", body)
	}
	if conv, _ := h.conversation(); conv.EndReason != parley.EndTransferred {
		t.Errorf("conversation %+v", conv)
	}
	hung("afterwards", path, leg(child, callSID))
}

// TestErrandsAreNotRepeated: a request that comes twice rings nobody twice and presses no key twice.
func TestErrandsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ tool, arguments, first string }{
		"transfer": {"transfer_call", `{"target":"Sales","summary":""}`, "<Dial"},
		"keys":     {"send_dtmf", `{"digits":"77"}`, `<Play digits="77"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), control(houseOptions{}))
			h.model.Script(saysAndCalls(announcement, c.tool, c.arguments), model.Say("Hello again."))
			_, twiml := h.post("/twilio/voice", defaultToken, incoming(number))
			l := h.join(twiml, "MZ0", question())
			h.until("the errand was decided", func() bool { return h.state().Intent.Returns() })
			l.vanish()
			if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, c.first) {
				t.Fatalf("resume: %s", body)
			}
			_, again := h.post("/twilio/resume", defaultToken, inProgress())
			if !strings.Contains(again, "<Connect>") || strings.Contains(again, c.first) {
				t.Fatalf("again: %s", again)
			}
			l = h.join(again, "MZ1", nil)
			h.until("the call is back", func() bool { return h.state().State == parley.CallLive })
			if s := h.state(); s.Returns != 1 || s.Resumes != 0 || s.Intent != parley.IntentNone || s.Errand != (parley.Errand{}) {
				t.Errorf("call %+v", s)
			}
			l.vanish()
			h.until("detached", func() bool { return h.state().State == parley.CallDetached })
			if _, body := h.post("/twilio/resume", defaultToken, inProgress()); !strings.Contains(body, "<Connect>") || strings.Contains(body, c.first) {
				t.Errorf("after a loss: %s", body)
			}
		})
	}
}
