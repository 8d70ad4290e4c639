package chat

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/openai"
	"parley/internal/sim/model"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

// throughAdapter makes a bench whose model is the simulator behind the real adapter and HTTP. The simulator
// refuses every request body that the provider would refuse.
func throughAdapter(t *testing.T, st *store.Store) (*bench, *model.Server) {
	t.Helper()
	srv, err := model.Start(model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("closing the simulator: %v", err)
		}
	})
	client := openai.NewChat(openai.ChatOptions{Backoff: time.Millisecond})
	t.Cleanup(client.Close)
	b := newBench(t, st, func(o *Options) {
		o.Model = client
		o.Endpoint = func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: srv.BaseURL(), Key: srv.Key(), Simulated: true}, nil
		}
	}, says("unused"))
	return b, srv
}

func TestThroughTheAdapter(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b, srv := throughAdapter(t, st)
		run := b.start(t, "", "Good morning")
		_, text := collect(t, run.Events())
		r, err := wait(t, run)
		if err != nil || !strings.Contains(r.Text, "Good morning") || text != r.Text || r.Usage.TotalTokens == 0 {
			t.Fatalf("result %+v, %v, streamed %q", r, err, text)
		}
		conv := r.ConversationID

		r = b.say(t, conv, "What time is it?")
		if len(r.ToolCalls) != 1 || r.ToolCalls[0].Outcome != "ok" || !strings.Contains(r.Text, "tool answered") {
			t.Errorf("tool turn: %+v", r)
		}
		srv.ScriptChat(
			model.ChatReply{Text: "Both: ", Calls: []model.Call{{Name: "current_time", Arguments: `{"timezone":"Asia/Tokyo"}`}, {Name: "current_time", Arguments: `{"timezone":"UTC"}`}, {Name: "nothing", Arguments: `{`}}},
			model.ChatReply{Text: "Late in Tokyo."})
		r = b.say(t, conv, "In Tokyo and in London?")
		if len(r.ToolCalls) != 3 || r.Text != "Both: \n\nLate in Tokyo." {
			t.Errorf("parallel tools: %+v", r)
		}
		// The history now holds tool calls of several turns, one with broken arguments.
		if r = b.say(t, conv, "Thank you"); !strings.Contains(r.Text, "Thank you") {
			t.Errorf("after tools: %+v", r)
		}
		c, err := st.FindConversation(t.Context(), b.agent.OrgID, conv)
		if err != nil {
			t.Fatal(err)
		}
		if exact := parley.Project(b.events(t, conv)).Summary; *c.Summary != exact || exact.Latency.Turns != 4 {
			t.Errorf("summary %+v, want %+v", c.Summary, exact)
		}
	})
}

func TestProviderFailures(t *testing.T) {
	t.Parallel()
	st := storetest.SQLite(t)
	for name, c := range map[string]struct {
		script []model.ChatReply
		typ    string // "" = the turn succeeds
	}{
		"401":                 {[]model.ChatReply{{Status: http.StatusUnauthorized}}, "auth"},
		"no credit":           {[]model.ChatReply{{Quota: true}}, "quota"},
		"500 once":            {[]model.ChatReply{{Status: 500}}, ""},
		"500 for ever":        {[]model.ChatReply{{Status: 500}, {Status: 502}, {Status: 503}}, "unavailable"},
		"400":                 {[]model.ChatReply{{Status: 400}}, "invalid"},
		"error in mid-stream": {[]model.ChatReply{{Text: "a b c d e", FailAfter: 3}}, "interrupted"},
		"cut in mid-stream":   {[]model.ChatReply{{Text: "a b c d e", CutAfter: 3}}, "interrupted"},
		"filtered":            {[]model.ChatReply{{Text: "a b", Finish: "content_filter"}}, "content_filter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, srv := throughAdapter(t, st)
			srv.ScriptChat(c.script...)
			run := b.start(t, "", "Hello")
			_, text := collect(t, run.Events())
			r, err := wait(t, run)
			if text != r.Text {
				t.Errorf("streamed %q, result %q", text, r.Text)
			}
			if c.typ == "" {
				if err != nil || r.Status != StatusCompleted {
					t.Errorf("result %+v, %v", r, err)
				}
				return
			}
			if parley.ErrorCode(err) != parley.CodeUnavailable || r.Status != StatusFailed {
				t.Fatalf("result %+v, %v", r, err)
			}
			got := ""
			for _, e := range b.events(t, run.ConversationID) {
				if e.Type == parley.EventError {
					d := decode[parley.ErrorData](e)
					got = d.Type
					if strings.Contains(d.Message, srv.Key()) {
						t.Error("the key is in the log")
					}
				}
			}
			if got != c.typ {
				t.Errorf("the log says %q, want %q", got, c.typ)
			}
		})
	}
}

func TestStopReachesTheProvider(t *testing.T) {
	t.Parallel()
	b, srv := throughAdapter(t, storetest.SQLite(t))
	srv.ScriptChat(model.ChatReply{Text: "one two three four", HangAfter: 3})
	run := b.start(t, "", "Hello")
	for e := range run.Subscribe(t.Context(), 0) {
		if e.Type == EventDelta {
			run.cancel(errStopped)
		}
	}
	if r, err := wait(t, run); err != nil || r.Status != StatusStopped || r.Text == "" {
		t.Errorf("result %+v, %v", r, err)
	}
}

// BenchmarkTurn measures whole turns in one conversation, with a model that answers at once: the cost must not
// grow with the history.
func BenchmarkTurn(bench *testing.B) {
	b := newBench(bench, storetest.SQLite(bench), nil, says("Hello ", "there"))
	conv := b.say(bench, "", "Hi").ConversationID
	bench.ReportAllocs()
	for bench.Loop() {
		b.say(bench, conv, "Hi")
	}
}
