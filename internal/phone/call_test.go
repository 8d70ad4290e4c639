package phone

import (
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/sim/model"
	"parley/internal/sim/phone"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

const patience = 15 * time.Second

func TestCallWithGreetingTwoTurnsAndATool(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		h := newHouse(t, st, houseOptions{voice: func(v *parley.VoiceConfig) { v.Greeting = "Hello, this is Ada." }})
		h.model.Script(model.Say("Hello, this is Ada."), model.Say("We open at nine."), model.CallTool("current_time", `{}`), model.Say("It is late."))
		c, r := h.dial(phone.Options{Program: []phone.Step{
			phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience),
			phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience),
			phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
		}})
		healthy(t, r)
		if len(r.Turns) != 2 || !r.Turns[0].Answered || !r.Turns[1].Answered || len(r.Clears) != 0 {
			t.Errorf("turns %+v, clears %v", r.Turns, r.Clears)
		}
		conv, events := h.conversation()
		if c.Parameter("conversationId") != conv.ID {
			t.Errorf("the stream carried conversation %q", c.Parameter("conversationId"))
		}
		if conv.Status != parley.ConversationCompleted || conv.EndReason != parley.EndCallerHangup || !conv.Simulated || conv.Summary == nil {
			t.Errorf("conversation %+v", conv)
		}
		rec := parley.Project(events)
		var roles []string
		for _, m := range rec.Messages {
			roles = append(roles, m.Role)
			if m.Role == "assistant" && (m.HeardText == nil || *m.HeardText != m.Text || m.Interrupted) {
				t.Errorf("not heard whole: %+v", m)
			}
			if m.Text == "" {
				t.Errorf("message without words: %+v", m)
			}
		}
		if got := strings.Join(roles, " "); got != "assistant user assistant user tool assistant" {
			t.Errorf("transcript %s\n%s", got, types(events))
		}
		if len(rec.ToolCalls) != 1 || rec.ToolCalls[0].Outcome != "ok" || rec.Usage.TotalTokens == 0 || rec.Latency.Turns != 2 {
			for _, c := range rec.ToolCalls {
				t.Errorf("%s %s: %s", c.Name, c.Arguments, *c.Result)
			}
			t.Errorf("tools %+v, usage %+v, latency %+v", rec.ToolCalls, rec.Usage, rec.Latency)
		}
		if events[0].Type != parley.EventConversationStarted || events[len(events)-1].Type != parley.EventConversationEnded {
			t.Errorf("log:\n%s", types(events))
		}
	})
}

func TestInterruptionIsHeardAsOne(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]phone.Delay{
		"near": {}, "far": {Up: 80 * time.Millisecond, Down: 120 * time.Millisecond, Jitter: 30 * time.Millisecond, Seed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), houseOptions{})
			long := strings.Repeat("this is a long answer that goes on and on ", 6)
			h.model.Script(model.Say(long), model.Say("Of course."))
			_, r := h.dial(phone.Options{Delay: delay, Program: []phone.Step{
				phone.Say(question()), phone.Interrupt(2*time.Second, patience),
				phone.Say(question()), phone.WaitForAgent(patience), phone.WaitForSilence(time.Second, patience), phone.Hangup(),
			}})
			healthy(t, r)
			if len(r.Clears) != 1 || r.Clears[0].Bytes == 0 {
				t.Errorf("clears %+v", r.Clears)
			}
			_, events := h.conversation()
			rec := parley.Project(events)
			cut := rec.Messages[1]
			if !cut.Interrupted || cut.HeardText == nil || len(*cut.HeardText) == 0 || len(*cut.HeardText) >= len(cut.Text) || !strings.HasPrefix(cut.Text, *cut.HeardText) {
				t.Errorf("interrupted message %+v", cut)
			}
			if log := types(events); strings.Contains(log, parley.EventError) || strings.Count(log, parley.EventInterruption) != 1 {
				t.Errorf("log:\n%s\n%s", log, h.logs)
			}
		})
	}
}

func TestCallerHangsUpInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	h.model.Script(model.Say(strings.Repeat("a long answer ", 40)))
	_, r := h.dial(phone.Options{Program: []phone.Step{phone.Say(question()), phone.Interrupt(time.Second, patience), phone.Hangup()}})
	healthy(t, r)
	_, events := h.conversation()
	last := parley.Project(events).Messages[1]
	if !last.Interrupted || last.HeardText == nil || len(*last.HeardText) >= len(last.Text) {
		t.Errorf("message %+v", last)
	}
}

func TestServerEndsTheCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{voice: func(v *parley.VoiceConfig) { v.MaxDuration = 2 }})
	_, r := h.dial(phone.Options{Program: []phone.Step{phone.Wait(30 * time.Second)}})
	if r.EndedBy != "hangup verb" || len(r.Notices) != 0 || r.ViolationCount > 0 {
		t.Errorf("report %+v", r)
	}
	if conv, _ := h.conversation(); conv.EndReason != parley.EndMaxDuration || conv.Status != parley.ConversationCompleted {
		t.Errorf("conversation %+v", conv)
	}
}

// TestModelFailuresAreSpoken: whatever the model does, the caller hears a notice and the call ends.
func TestModelFailuresAreSpoken(t *testing.T) {
	t.Parallel()
	cases := map[string]houseOptions{
		"refuses the key":    {modelKey: "sk-canary-secret"},
		"is down":            {modelURL: "http://127.0.0.1:1/v1"},
		"answers with error": {model: model.Options{Status: 500}},
		"expires":            {model: model.Options{MaxAge: time.Second}},
		"vanishes":           {model: model.Options{DropAfter: time.Second}},
	}
	for name, opt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, storetest.SQLite(t), opt)
			_, r := h.dial(phone.Options{Program: []phone.Step{phone.Wait(40 * time.Second)}})
			if len(r.Notices) != 1 || r.EndedBy != "hangup verb" || r.ViolationCount > 0 {
				t.Errorf("notices %q, ended by %s, violations %v", r.Notices, r.EndedBy, r.Violations)
			}
			conv, events := h.conversation()
			if conv.Status != parley.ConversationFailed || conv.EndReason != parley.EndModelUnavailable {
				t.Errorf("conversation %+v", conv)
			}
			if !strings.Contains(types(events), parley.EventError) {
				t.Errorf("no error on record:\n%s", types(events))
			}
			for _, e := range events {
				if strings.Contains(string(e.Data), "sk-canary-secret") {
					t.Errorf("the key is on record: %s", e.Data)
				}
			}
			if strings.Contains(h.logs.String(), "sk-canary-secret") || strings.Contains(h.logs.String(), defaultToken) {
				t.Error("a secret is in the log")
			}
		})
	}
}

func TestDrainEndsLiveCallsWithANotice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, storetest.SQLite(t), houseOptions{})
	drained := make(chan struct{})
	_, r := h.dial(phone.Options{
		OnEvent: func(e phone.Event) {
			if e.Kind == phone.EventStreamStarted {
				go func() {
					defer close(drained)
					ctx, cancel := contextIn(time.Second)
					defer cancel()
					h.handler.Drain(ctx)
				}()
			}
		},
		Program: []phone.Step{phone.Wait(30 * time.Second)},
	})
	<-drained
	if len(r.Notices) != 1 || r.EndedBy != "hangup verb" {
		t.Errorf("notices %q, ended by %s", r.Notices, r.EndedBy)
	}
	if conv, _ := h.conversation(); conv.EndReason != parley.EndServerStopped {
		t.Errorf("conversation %+v", conv)
	}
	if _, r = h.dial(phone.Options{}); len(r.Notices) != 1 || r.Notices[0] != texts["en"].words[textBusy] || h.count() != 1 {
		t.Errorf("a new call while draining: %+v", r)
	}
}
