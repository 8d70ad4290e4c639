package phone

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/audio"
	"parley/internal/capacity"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store/storetest"
)

const fallback = "+15550100077"

// TestCallBeyondTheLimitHearsANoticeAndReachesTheFallback: the second of one, as the caller knows it.
func TestCallBeyondTheLimitHearsANoticeAndReachesTheFallback(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]string{"fallback": fallback, "notice only": ""} {
		c := capacity.New(capacity.Options{Max: 1, Promise: time.Minute})
		h := newHouse(t, storetest.SQLite(t), houseOptions{capacity: c, voice: func(v *parley.VoiceConfig) {
			if number != "" {
				v.FallbackNumber = &number
			}
		}})
		first := h.join(connectTwiML(t, h, callSID), "MZ1", question())
		_, r := h.dial(phone.Options{})
		var dialed []string
		if number != "" {
			dialed = []string{number}
		}
		if fmt.Sprint(r.Notices) != fmt.Sprint([]string{texts["en"].words[textBusy]}) || fmt.Sprint(r.Dialed) != fmt.Sprint(dialed) || len(r.Streams) != 0 {
			t.Errorf("%s: notices %q, dialed %q, %d streams", name, r.Notices, r.Dialed, len(r.Streams))
		}
		if h.count() != 1 || c.Refused().Get("full") != 1 || !strings.Contains(h.logs.String(), "why=full") {
			t.Errorf("%s: %d conversations, %d refused\n%s", name, h.count(), c.Refused().Get("full"), h.logs)
		}
		first.hangUp(h, "MZ1")
	}
}

func connectTwiML(t *testing.T, h *house, sid string) string {
	t.Helper()
	form := incoming(number)
	form.Set("CallSid", sid)
	status, body := h.post("/twilio/voice", defaultToken, form)
	if status != 200 || !strings.Contains(body, "<Connect>") {
		t.Fatalf("%d %s", status, body)
	}
	return body
}

// hangUp ends a stream as the carrier does when the caller hangs up.
func (l *line) hangUp(h *house, sid string) {
	l.write(h.t, `{"event":"stop","sequenceNumber":"2","streamSid":"`+sid+`","stop":{"accountSid":"`+defaultSID+`","callSid":"`+callSID+`"}}`)
	close(l.quit)
	l.wg.Wait()
	_ = l.c.CloseNow()
}

// TestSlotsReturnAfterEveryKindOfEnd runs one call to each of its possible ends in a house for one call, and then
// another.
func TestSlotsReturnAfterEveryKindOfEnd(t *testing.T) {
	t.Parallel()
	const promise = 400 * time.Millisecond
	callback := func(h *house, path, status string) {
		form := incoming(number)
		form.Set("CallStatus", status)
		h.post(path, defaultToken, form)
	}
	cases := map[string]struct {
		opt  houseOptions
		call func(t *testing.T, h *house)
	}{
		"caller hangs up": {call: func(t *testing.T, h *house) {
			h.dial(phone.Options{Program: []phone.Step{phone.Wait(200 * time.Millisecond), phone.Hangup()}})
		}},
		"agent ends": {opt: houseOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = 1 }}, call: func(t *testing.T, h *house) {
			h.dial(phone.Options{Program: []phone.Step{phone.Wait(5 * time.Second)}})
		}},
		"no model": {opt: houseOptions{modelKey: "wrong"}, call: func(t *testing.T, h *house) {
			h.dial(phone.Options{Program: []phone.Step{phone.Wait(5 * time.Second)}})
		}},
		"never answered": {call: func(t *testing.T, h *house) { connectTwiML(t, h, callSID) }},
		"canceled while it rings": {call: func(t *testing.T, h *house) {
			connectTwiML(t, h, callSID)
			callback(h, "/twilio/status", "canceled")
		}},
		"carrier lost": {call: func(t *testing.T, h *house) {
			l := h.join(connectTwiML(t, h, callSID), "MZ1", nil)
			l.heardMs(h, 100)
			_ = l.c.CloseNow()
			close(l.quit)
			l.wg.Wait()
		}},
		"carrier lost, resume asked for, nobody came": {call: func(t *testing.T, h *house) {
			l := h.join(connectTwiML(t, h, callSID), "MZ1", nil)
			l.heardMs(h, 100)
			_ = l.c.CloseNow()
			close(l.quit)
			l.wg.Wait()
			callback(h, "/twilio/resume", "in-progress")
		}},
		"final status while the stream stands": {call: func(t *testing.T, h *house) {
			l := h.join(connectTwiML(t, h, callSID), "MZ1", nil)
			l.heardMs(h, 100)
			callback(h, "/twilio/status", "completed")
			close(l.quit)
			l.wg.Wait()
			_ = l.c.CloseNow()
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.opt.capacity = capacity.New(capacity.Options{Max: 1, Promise: promise})
			if voice := tc.opt.voice; voice == nil {
				tc.opt.voice = func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }
			}
			h := newHouse(t, storetest.SQLite(t), tc.opt)
			h.model.Script(model.Say("Hello, this is Ada."))
			tc.call(t, h)
			for deadline := time.Now().Add(15 * time.Second); tc.opt.capacity.Used() > 0; <-time.After(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d slots are still in use\n%s", tc.opt.capacity.Used(), h.logs)
				}
			}
			form := incoming(number)
			form.Set("CallSid", "CA000000000000000000000000000000ff")
			if _, body := h.post("/twilio/voice", defaultToken, form); !strings.Contains(body, "<Connect>") {
				t.Errorf("the next call was refused: %s", body)
			}
		})
	}
}

// TestResumeIsNeverRefused: a full house takes its own calls back.
func TestResumeIsNeverRefused(t *testing.T) {
	t.Parallel()
	c := capacity.New(capacity.Options{Max: 1, Promise: time.Minute})
	h := newHouse(t, storetest.SQLite(t), houseOptions{capacity: c, voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }})
	h.model.Script(model.Say("Hello, this is Ada."))
	l := h.join(connectTwiML(t, h, callSID), "MZ1", nil)
	l.heardMs(h, 100)
	_ = l.c.CloseNow()
	close(l.quit)
	l.wg.Wait()
	c.Enter("another", h.org.ID) // another call came between
	form := incoming(number)
	form.Set("CallStatus", "in-progress")
	var body string
	for _, path := range []string{"/twilio/voice", "/twilio/resume"} { // also when the carrier begins from the beginning
		c.Forget(callSID)
		var status int
		if status, body = h.post(path, defaultToken, form); status != 200 || !strings.Contains(body, "<Connect>") {
			t.Fatalf("%s for a call in a full house: %d %s", path, status, body)
		}
	}
	other := incoming(number)
	other.Set("CallSid", "CA000000000000000000000000000000ff")
	if _, body := h.post("/twilio/voice", defaultToken, other); strings.Contains(body, "<Connect>") {
		t.Error("the house was not full")
	}
	back := h.join(body, "MZ2", nil)
	back.hangUp(h, "MZ2")
}

// heardMs waits until the line has heard some of the agent.
func (l *line) heardMs(h *house, ms int) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		l.mu.Lock()
		n := l.heard
		l.mu.Unlock()
		if n >= ms*audio.FrameBytes/20 {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("nothing was heard\n%s", h.logs)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestEveryCallIsReportedInOneLine also shows that the minutes are billed and the caller's number is hidden.
func TestEveryCallIsReportedInOneLine(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }})
	h.model.Script(model.Say("Hello, this is Ada."), model.Say("We open at nine."))
	h.dial(phone.Options{From: "+15550107788", Program: []phone.Step{
		phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience),
		phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
	}})
	conv, events := h.conversation()
	if u := conv.Summary.Usage; u.CarrierMinutes != 1 || u.TranscriptionTokens == 0 || conv.Summary.Latency.Hops.Total.P50Ms == 0 {
		t.Errorf("summary %+v", conv.Summary)
	}
	var lines []string
	for line := range strings.Lines(h.logs.String()) {
		if strings.Contains(line, `msg="call ended"`) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines:\n%s\n%s", len(lines), strings.Join(lines, ""), types(events))
	}
	for _, want := range []string{"call_id=" + conv.ID, "agent_id=" + h.agent.ID, "direction=inbound", "caller=********7788", "reason=caller_hangup",
		"turns=1", "interruptions=0", "resumes=0", "redials=0", "carrier_minutes=1", "underruns=", "tokens=", "cost_dollars=0", "p95_ms=", "seconds="} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("the line lacks %s: %s", want, lines[0])
		}
	}
	if strings.Contains(lines[0], "5550107788") || strings.Contains(lines[0], "nine") {
		t.Errorf("the line tells too much: %s", lines[0])
	}
	if n := h.calls.Ended().Get(parley.EndCallerHangup); n != 1 {
		t.Errorf("counted %d times", n)
	}
}
