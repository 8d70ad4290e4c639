package phone

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store/storetest"
)

// onAudio calls do once, when a connection number n (from 0) of the model has sent some audio deltas.
func onAudio(n, deltas int, do func(c *model.Conn)) func(*model.Conn, model.Direction, []byte) {
	var mu sync.Mutex
	var conns []*model.Conn
	seen, done := 0, false
	return func(c *model.Conn, dir model.Direction, raw []byte) {
		mu.Lock()
		defer mu.Unlock()
		known := false
		for _, o := range conns {
			known = known || o == c
		}
		if !known {
			conns = append(conns, c)
		}
		if done || len(conns) <= n || conns[n] != c || dir != model.ToClient || !strings.Contains(string(raw), `"response.output_audio.delta"`) {
			return
		}
		if seen++; seen == deltas {
			done = true
			go do(c)
		}
	}
}

// toldAll is everything that the model's connections were told, without audio.
func (h *house) toldAll() string {
	told, _ := h.toldSince(0)
	return told
}

// TestModelLossesAreSaved: whatever takes the model away, the caller is talking to the agent about the same subject
// afterwards, hears no notice, and both calls of a turn are answered.
func TestModelLossesAreSaved(t *testing.T) {
	t.Parallel()
	const first, rest, second = "we open at nine in the morning on every day of the week but sunday", "and we close at six", "yes we do"
	long := model.Say(strings.Repeat(first+" ", 3))
	cases := map[string]struct {
		model  model.Options
		watch  func(*model.Conn, model.Direction, []byte)
		script []model.Reply
		typ    string // of model.lost; "" = nothing was lost
		dials  int
	}{
		"the connection breaks in an answer": {
			watch:  onAudio(0, 3, (*model.Conn).Drop),
			script: []model.Reply{long, model.Say(rest), model.Say(second)}, typ: "disconnected", dials: 2,
		},
		"the session expires in an answer": {
			watch:  onAudio(0, 3, (*model.Conn).Expire),
			script: []model.Reply{long, model.Say(rest), model.Say(second)}, typ: "session_expired", dials: 2,
		},
		"the connection breaks before a word": {
			script: []model.Reply{{Drop: true}, model.Say(first), model.Say(second)}, typ: "disconnected", dials: 2,
		},
		"the connection breaks twice": {
			script: []model.Reply{{Drop: true}, {Drop: true}, model.Say(first), model.Say(second)}, typ: "disconnected", dials: 3,
		},
		"a tool's answer is lost": {
			script: []model.Reply{model.CallTool("current_time", `{"timezone":"Europe/Helsinki"}`), {Drop: true}, model.Say(first), model.Say(second)}, typ: "disconnected", dials: 2,
		},
		"a rate limit": {
			script: []model.Reply{{Fail: &model.Failure{Type: "tokens", Code: "rate_limit_exceeded"}, ResetSeconds: 2.5}, model.Say(first), model.Say(second)}, dials: 1,
		},
		"a server error, again and again": {
			script: []model.Reply{
				{Fail: &model.Failure{Type: "server_error", Code: "server_error"}}, {Fail: &model.Failure{Type: "server_error", Code: "server_error"}},
				model.Say(first), model.Say(second),
			}, typ: "response_failed", dials: 2,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), houseOptions{model: c.model, watch: c.watch, patience: 15 * time.Second, tools: []string{"current_time"}})
			h.model.Script(c.script...)
			_, r := h.dial(phone.Options{Program: []phone.Step{
				phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(4*time.Second, patience),
				phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
			}})
			healthy(t, r)
			if len(r.Notices) > 0 || r.EndedBy != "caller" {
				t.Errorf("notices %q, ended by %s", r.Notices, r.EndedBy)
			}
			conv, events := h.conversation()
			if conv.EndReason != parley.EndCallerHangup || conv.Status != parley.ConversationCompleted {
				t.Errorf("conversation %+v", conv)
			}
			lost := ""
			for _, e := range events {
				var d parley.ModelLostData
				if e.Type == parley.EventModelLost && json.Unmarshal(e.Data, &d) == nil {
					lost = d.Type
				}
			}
			if lost == "send_failed" && c.typ == "disconnected" {
				lost = c.typ // whichever is noticed first: nothing more to read, or nowhere to write
			}
			if lost != c.typ {
				t.Errorf("lost %q, want %q:\n%s", lost, c.typ, types(events))
			}
			var heard []string
			for _, m := range parley.Project(events).Messages {
				if m.Role == "assistant" && m.HeardText != nil {
					heard = append(heard, *m.HeardText)
				}
			}
			all := strings.Join(heard, " ")
			if !strings.HasPrefix(all, "we") || !strings.HasSuffix(all, second) {
				t.Errorf("the caller heard %q", heard)
			}
			if got := strings.Count(h.toldAll(), `"session.update"`); got != c.dials {
				t.Errorf("%d sessions of the model, want %d", got, c.dials)
			}
			if strings.Contains(types(events), parley.EventError) != (c.typ == "" || c.typ == "response_failed") {
				t.Errorf("log:\n%s\n%s", types(events), h.logs)
			}
		})
	}
}

// TestReplayTellsTheToolsToo: the second session knows what was asked, called, answered and said.
func TestReplayTellsTheToolsToo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{tools: []string{"current_time"}})
	h.model.Script(model.CallTool("current_time", `{"timezone":"Europe/Helsinki"}`), model.Say("it is noon"), model.Reply{Drop: true}, model.Say("you are welcome"))
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(2*time.Second, patience),
		phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
	}})
	healthy(t, r)
	h.conversation()
	told := h.toldAll()
	_, told, ok := strings.Cut(told[strings.Index(told, "session.update")+10:], "session.update")
	if !ok {
		t.Fatalf("no second session:\n%s", told)
	}
	at := 0
	for _, want := range []string{`"role":"user"`, `"type":"function_call"`, `"type":"function_call_output"`, "it is noon", `"role":"user"`, `"type":"response.create"`} {
		i := strings.Index(told[at:], want)
		if i < 0 {
			t.Fatalf("the second session was not told %s in its place:\n%s", want, told)
		}
		at += i + len(want)
	}
}

// TestSwapInALiveCall: the session's cap comes near; nobody notices.
func TestSwapInALiveCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{model: model.Options{MaxAge: 9 * time.Second}})
	h.model.Script(model.Say("we open at nine"), model.Say("and close at six"))
	_, r := h.dial(phone.Options{Program: []phone.Step{
		phone.Say(question()), phone.WaitForAgent(patience), phone.Wait(9 * time.Second),
		phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
	}})
	healthy(t, r)
	_, events := h.conversation()
	log := types(events)
	if !strings.Contains(log, parley.EventModelSwapped) || strings.Contains(log, parley.EventModelLost) || strings.Contains(log, parley.EventError) {
		t.Errorf("log:\n%s\n%s", log, h.logs)
	}
	if m := parley.Project(events).Messages; len(m) != 4 || m[3].HeardText == nil || *m[3].HeardText != "and close at six" {
		t.Errorf("transcript %+v", m)
	}
}

// TestModelBeyondSaving: the caller hears an apology and is connected to a person.
func TestModelBeyondSaving(t *testing.T) {
	t.Parallel()
	fallback := "+15550109999"
	for name, reply := range map[string]model.Reply{
		"quota":             {Fail: &model.Failure{Type: "insufficient_quota", Code: "insufficient_quota"}},
		"a long rate limit": {Fail: &model.Failure{Type: "tokens", Code: "rate_limit_exceeded"}, ResetSeconds: 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.FallbackNumber = &fallback }})
			h.model.Script(reply)
			_, r := h.dial(phone.Options{Program: []phone.Step{phone.Say(question()), phone.Wait(20 * time.Second)}})
			if len(r.Notices) != 1 || len(r.Dialed) != 1 || r.Dialed[0] != fallback || r.ViolationCount > 0 {
				t.Errorf("notices %q, dialed %q, violations %v", r.Notices, r.Dialed, r.Violations)
			}
			if conv, _ := h.conversation(); conv.EndReason != parley.EndModelUnavailable {
				t.Errorf("conversation %+v", conv)
			}
		})
	}
}

// TestAgentSpeaksUp: a silent caller is asked whether anybody is there, and hears a goodbye before the end.
func TestAgentSpeaksUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.Timeout = 3 }})
	_, r := h.dial(phone.Options{Program: []phone.Step{phone.Wait(30 * time.Second)}})
	if r.EndedBy != "hangup verb" || len(r.Spurts) < 2 || r.ViolationCount > 0 {
		t.Errorf("ended by %s, spurts %v", r.EndedBy, r.Spurts)
	}
	conv, events := h.conversation()
	if conv.EndReason != parley.EndSilenceTimeout {
		t.Errorf("conversation %+v", conv)
	}
	var said []string
	for _, m := range parley.Project(events).Messages {
		said = append(said, m.Text)
	}
	if len(said) != 2 || said[0] != "Are you still there?" || !strings.Contains(said[1], "Goodbye") {
		t.Errorf("said %q", said)
	}
}
