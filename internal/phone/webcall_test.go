package phone

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley"
	"parley/internal/call"
	"parley/internal/secret"
	"parley/internal/sim/model"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestWebCallWithGreetingInterruptionAndHangUp(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st, houseOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }})
		long := strings.Repeat("this is a long answer that goes on and on ", 6)
		h.model.Script(model.Say("Hello, this is Ada."), model.Say(long), model.Say("Of course."))
		ticket := h.mint(call.WebCall{Test: true})
		p := h.open(ticket.Token)
		if w := p.message("welcome", "", nil); w["conversationId"] != ticket.ConversationID || w["resumed"] != false || w["test"] != true {
			t.Errorf("welcome %v", w)
		}
		p.message("transcript", "final", true) // the greeting was heard
		p.message("state", "state", "listening")
		p.speak(question())
		p.message("state", "state", "thinking")
		greeting := p.played
		p.until("two seconds of the answer", func() bool { return p.played > greeting+16_000 })
		p.speak(question())
		p.message("transcript", "interrupted", true)
		p.until("the last answer", func() bool { return len(p.got) > 0 && p.got[len(p.got)-1]["text"] == "Of course." })
		p.hangUp()
		if m := p.message("ended", "reason", parley.EndCallerHangup); m["message"] != "" {
			t.Errorf("ended %v", m)
		}
		if status := p.status(); status != websocket.StatusNormalClosure {
			t.Errorf("closed with %d", status)
		}
		conv, events := h.conversation()
		if conv.ID != ticket.ConversationID || conv.Status != parley.ConversationCompleted || conv.EndReason != parley.EndCallerHangup ||
			conv.From != "web:visitor" || conv.To != "client:agent-"+h.agent.ID || conv.Direction != "inbound" || !conv.Test || conv.Channel != parley.ChannelPhone {
			t.Errorf("conversation %+v", conv)
		}
		if strings.Contains(types(events), parley.EventError) {
			t.Errorf("log:\n%s\n%s", types(events), h.logs)
		}
		heard := checkCut(t, events)
		if played := (p.cleared[0] - greeting) / 8; heard < played-100 || heard > played+100 {
			t.Errorf("on record %d ms were heard, the page had played %d", heard, played)
		}
		var onRecord []string
		for _, m := range parley.Project(events).Messages {
			text := m.Text
			if m.HeardText != nil {
				text = *m.HeardText
			}
			onRecord = append(onRecord, m.Role+": "+text)
		}
		if got, want := strings.Join(p.lines(), "\n"), strings.Join(onRecord, "\n"); got != want {
			t.Errorf("the page showed\n%s\non record is\n%s", got, want)
		}
	})
}

// checkCut returns the milliseconds heard of the one answer that was interrupted.
func checkCut(t *testing.T, events []parley.Event) int {
	t.Helper()
	for _, e := range events {
		var d parley.InterruptionData
		if e.Type == parley.EventInterruption && json.Unmarshal(e.Data, &d) == nil {
			return int(d.HeardMs)
		}
	}
	t.Fatalf("nothing was interrupted:\n%s", types(events))
	return 0
}

// TestAWebCallComesBack: a socket that is lost detaches the call; the page resumes with the token it was given, and
// when that is lost too, with one from the API. The conversation goes on, and the page sees all of it.
func TestAWebCallComesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	const long = "The second answer is a long one, so that it is still being said when the connection is lost once more."
	h.model.Script(model.Say("The first answer."), model.Say(long), model.Say("The third answer."))
	ticket := h.mint(call.WebCall{})
	p := h.open(ticket.Token)
	p.speak(question())
	p.message("transcript", "text", "The first answer.")
	p.until("it was heard", func() bool { return p.got[len(p.got)-1]["state"] == "listening" })
	first := p.resumeToken()
	p.vanish()

	p = h.open(first)
	if w := p.message("welcome", "", nil); w["resumed"] != true || w["conversationId"] != ticket.ConversationID {
		t.Errorf("welcome %v", w)
	}
	p.message("transcript", "text", "The first answer.")
	p.speak(question())
	p.message("transcript", "text", long)
	if _, status := h.knock(first, ""); status != 403 {
		t.Errorf("a resume token was taken twice: %d", status)
	}
	lost := p.resumeToken()
	p.vanish()

	again := h.mint(call.WebCall{ConversationID: ticket.ConversationID})
	if again.ConversationID != ticket.ConversationID {
		t.Errorf("another conversation: %+v", again)
	}
	if _, status := h.knock(lost, ""); status != 403 {
		t.Errorf("the page's own token outlives the API's: %d", status)
	}
	p = h.open(again.Token)
	p.speak(question())
	p.message("transcript", "text", "The third answer.")
	p.hangUp()
	p.message("ended", "reason", parley.EndCallerHangup)
	conv, events := h.conversation()
	if h.count() != 1 || conv.Status != parley.ConversationCompleted || strings.Count(types(events), parley.EventStreamStarted) != 3 {
		t.Errorf("%+v\n%s", conv, types(events))
	}
	if got := strings.Join(p.lines(), "\n"); strings.Count(got, "assistant: The") != 3 || strings.Count(got, "user: ") != 3 {
		t.Errorf("the last page showed:\n%s", got)
	}
	if _, err := h.webCall(call.WebCall{ConversationID: ticket.ConversationID}); !parley.IsConflict(err) {
		t.Errorf("a token for a call that has ended: %v", err)
	}
	if _, status := h.knock(p.resumeToken(), ""); status != 403 {
		t.Errorf("a resume token outlived its call: %d", status)
	}
}

// TestAStreamIsTakenOver: a page that comes back before its lost socket was noticed gets the call, and the old
// socket is told so.
func TestAStreamIsTakenOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	h.model.Script(model.Say("The answer."))
	ticket := h.mint(call.WebCall{})
	old := h.open(ticket.Token)
	old.message("state", "state", "listening")
	p := h.open(old.resumeToken())
	old.message("ended", "reason", "replaced")
	p.message("welcome", "", nil)
	p.speak(question())
	p.message("transcript", "text", "The answer.")
	p.hangUp()
	p.message("ended", "reason", parley.EndCallerHangup)
	if conv, events := h.conversation(); conv.EndReason != parley.EndCallerHangup || strings.Contains(types(events), parley.EventError) {
		t.Errorf("%+v\n%s", conv, types(events))
	}
}

func TestWebCallTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	free, bound := h.mint(call.WebCall{}), h.mint(call.WebCall{AllowedOrigin: "https://a.example"})
	for name, c := range map[string]struct {
		token, origin, protocol string
		status                  int
	}{
		"unknown":             {"x", "", "", 403},
		"hash instead":        {hex.EncodeToString(secret.HashToken(free.Token)), "", "", 403},
		"no origin":           {bound.Token, "", "", 403},
		"another origin":      {bound.Token, "https://b.example", "", 403},
		"a longer origin":     {bound.Token, "https://a.example.b.example", "", 403},
		"another port":        {bound.Token, "https://a.example:8443", "", 403},
		"bound form as token": {url.PathEscape(bound.Token + " https://a.example"), "", "", 403},
		"another protocol":    {free.Token, "", "parley.web-call.v9", 400},
	} {
		var protocols []string
		if c.protocol != "" {
			protocols = []string{c.protocol}
		}
		if conn, status := h.knock(c.token, c.origin, protocols...); conn != nil || status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	for name, c := range map[string]struct{ token, origin string }{"bound": {bound.Token, "https://a.example"}, "free": {free.Token, "https://anything.example"}} {
		conn, status := h.knock(c.token, c.origin)
		if conn == nil {
			t.Fatalf("%s: %d", name, status)
		}
		_, raw, err := conn.Read(t.Context())
		var w struct{ Resume struct{ Token string } }
		if err != nil || json.Unmarshal(raw, &w) != nil || w.Resume.Token == "" {
			t.Fatalf("%s: %s, %v", name, raw, err)
		}
		_ = conn.CloseNow()
		if conn, status := h.knock(c.token, c.origin); conn != nil || status != 403 {
			t.Errorf("%s: used twice: %d", name, status)
		}
		if conn, status := h.knock(w.Resume.Token, "https://b.example"); conn != nil || status != 403 {
			t.Errorf("%s: resumed by another origin: %d", name, status)
		}
		again, status := h.knock(w.Resume.Token, c.origin)
		if again == nil {
			t.Fatalf("%s: not resumed: %d", name, status)
		}
		_ = again.Write(t.Context(), websocket.MessageText, []byte(`{"type":"stop"}`))
		for err = nil; err == nil; _, _, err = again.Read(t.Context()) {
		}
	}
}

// TestTwilioAndBrowsersKeepApart: neither side's tokens, sockets and webhooks work for the other's calls.
func TestTwilioAndBrowsersKeepApart(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	ticket := h.mint(call.WebCall{})
	sid := parley.BrowserSIDPrefix + strings.ReplaceAll(ticket.ConversationID, "-", "")
	form := url.Values{"CallSid": {sid}, "AccountSid": {defaultSID}, "From": {"+15005550006"}, "To": {number}, "CallStatus": {"completed"}}
	for path, want := range map[string]int{"/twilio/voice": 400, "/twilio/status": 200, "/twilio/resume": 200} {
		if status, body := h.post(path, defaultToken, form); status != want || strings.Contains(body, "<Connect>") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	form.Set("AccountSid", "")
	if status, _ := h.post("/twilio/status", defaultToken, form); status == 204 {
		t.Error("a browser's call was ended by a webhook")
	}
	if c, err := h.calls.BySID(t.Context(), sid); err != nil || c.State != parley.CallRinging {
		t.Errorf("call %+v, %v", c, err)
	}
	resp, err := http.Get(h.url + "/twilio/stream/" + ticket.Token)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 403 {
		t.Errorf("Twilio's socket took a browser's token: %d", resp.StatusCode)
	}
	telephone, err := h.calls.Begin(t.Context(), call.Incoming{OrgID: h.org.ID, Agent: h.agent, CallSID: "CA1", AccountSID: defaultSID, From: "+1", To: number})
	if err != nil {
		t.Fatal(err)
	}
	if _, status := h.knock(telephone.Token, ""); status != 403 {
		t.Errorf("a browser took a telephone's token: %d", status)
	}
}

func TestWebCallEndsWithWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opt    houseOptions
		reason string
	}{
		"the model is down": {houseOptions{modelURL: "http://127.0.0.1:1/v1"}, parley.EndModelUnavailable},
		"too long":          {houseOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = 1 }}, parley.EndMaxDuration},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), c.opt)
			p := h.open(h.mint(call.WebCall{}).Token)
			if m := p.message("ended", "reason", c.reason); m["message"] == "" {
				t.Errorf("ended without a word: %v", m)
			}
			if conv, _ := h.conversation(); conv.EndReason != c.reason {
				t.Errorf("conversation %+v", conv)
			}
		})
	}
}

func TestWebCallsWhileDraining(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	live := h.open(h.mint(call.WebCall{}).Token)
	resume := live.resumeToken()
	fresh := h.mint(call.WebCall{})
	h.handler.StopTaking()
	h.open(fresh.Token).message("ended", "reason", parley.EndOverload)
	away := h.open(resume)
	if status := away.status(); status != websocket.StatusTryAgainLater {
		t.Errorf("a resume while draining was closed with %d", status)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	h.handler.Drain(ctx)
	if m := live.message("ended", "reason", parley.EndServerStopped); m["message"] == "" {
		t.Errorf("ended %v", m)
	}
	if _, status := h.knock(resume, ""); status != 403 {
		t.Errorf("a call that has ended was resumed: %d", status)
	}
}

func TestAFloodIsCutOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	p := h.open(h.mint(call.WebCall{}).Token)
	p.message("state", "state", "listening")
	for range 40 {
		_ = p.conn.Write(t.Context(), websocket.MessageBinary, make([]byte, 8000))
	}
	p.message("error", "code", "flood")
	if status := p.status(); status != websocket.StatusPolicyViolation {
		t.Errorf("closed with %d", status)
	}
}
