package widget

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/internal/store"
	"parley/internal/store/storetest"
)

func TestConversation(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		v := b.session(site)
		if v.Token == "" || !strings.HasPrefix(v.Token, "pv_") || v.ConversationID == "" || len(v.Messages) != 0 || v.ActiveRun != nil || v.Visitor.Verified {
			t.Fatalf("the session %+v", v.sessionView)
		}
		if v.Config.Title != "Help" || !v.Config.Online || v.Config.MaxMessageLength != MaxMessage || v.Config.Identified || len(v.Config.Suggestions) != 1 {
			t.Errorf("the config %+v", v.Config)
		}
		a := v.say("hello")
		if a.ConversationID != v.ConversationID {
			t.Errorf("the conversation is %s, announced was %s", a.ConversationID, v.ConversationID)
		}
		events, text := v.listen(a.RunID, nil)
		if text != "You said: hello" || events[len(events)-1].Type != "run.completed" || !strings.Contains(events[len(events)-1].Data, "completed") {
			t.Errorf("the answer is %q: %v", text, events)
		}
		replayed, rest := v.listen(a.RunID, http.Header{"Last-Event-Id": {"4"}})
		if rest != "said: hello" || replayed[0].ID <= 4 {
			t.Errorf("after 4 came %q: %v", rest, replayed)
		}
		if _, rest = v.listen(a.RunID, nil, "?lastEventId=9"); rest != " hello" {
			t.Errorf("after 9 came %q", rest)
		}
		v.resume().want("resuming", 201)
		if len(v.Messages) != 2 || v.Messages[0].Text != "hello" || v.Messages[0].ID != a.MessageID || v.Messages[1].Text != "You said: hello" || v.Messages[1].RunID != a.RunID || v.ConversationID != a.ConversationID {
			t.Errorf("resumed: %+v", v.sessionView)
		}
		conv, err := st.FindConversation(t.Context(), b.agent.OrgID, v.ConversationID)
		if err != nil || conv.VisitorID != v.VisitorID || conv.Origin != site {
			t.Errorf("the conversation %+v, %v", conv, err)
		}
	})
}

func TestTokensDie(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	v.say("hello")
	first := v.Token
	v.resume().want("resuming", 201)
	if v.Token == first {
		t.Fatal("the token was not replaced")
	}
	b.do(ask{method: "POST", path: "/widget/v1/messages", token: first, body: messageBody("m", "x")}).want("a replaced token", 401)
	v.do("POST", "/widget/v1/runs/"+parley.NewID()+"/stop", "").want("the first use of the new token", 404)
	for _, method := range []string{"POST /widget/v1/messages", "POST /widget/v1/sessions"} {
		m, path, _ := strings.Cut(method, " ")
		b.do(ask{method: m, path: path, token: first, body: b.opening()}).want("a replayed token", 401)
	}
	b.clock.pass(tokenLife)
	v.do("POST", "/widget/v1/messages", messageBody("m", "late")).want("an expired token", 401)
	b.do(ask{method: "POST", path: "/widget/v1/sessions", token: v.Token, origin: "https://other.example", body: b.opening()}).want("resuming elsewhere", 401)
	b.clock.pass(resumeLife - time.Minute)
	v.resume().want("resuming an expired token", 201)
	if len(v.Messages) != 2 {
		t.Errorf("after 30 days: %+v", v.Messages)
	}
	b.clock.pass(tokenLife + resumeLife)
	v.resume().want("resuming a token of long ago", 401)

	for _, bad := range []string{"x", "pv_", "pv_" + strings.Repeat("A", 43), first + "x", strings.Repeat("pv_a", 1000)} {
		b.do(ask{method: "POST", path: "/widget/v1/messages", token: bad, body: messageBody("m", "x")}).want("a made-up token", 401)
	}
	b.do(ask{method: "POST", path: "/widget/v1/messages", body: messageBody("m", "x")}).want("no token", 401)
	other := *b
	other.agent = b.addAgent(nil)
	w := b.session(site)
	b.do(ask{method: "POST", path: "/widget/v1/sessions", token: w.Token, body: other.opening()}).want("another agent's token", 401)
}

func TestOwnerEndsTokensAtOnce(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session(site)
	post := func() reply { return v.do("POST", "/widget/v1/messages", messageBody(parley.NewID(), "hi")) }
	b.domains("other.example.com")
	r := post().want("a changed list", 403)
	if r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a refused site may read the answer")
	}
	v.resume().want("resuming on a site that is not allowed", 403)
	b.domains("shop.example.com")
	post().want("an allowed site", 202)
	b.set(func(a *parley.Agent) { a.Status = parley.AgentInactive })
	post().want("an inactive agent", 409)
	b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening()}).want("a session with an inactive agent", 409)
	b.set(func(a *parley.Agent) { a.Status = parley.AgentDeployed })
	v.do("POST", "/widget/v1/sessions", b.opening()).want("resuming", 201).data(&v.sessionView)
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.RevokeVisitors(ctx, b.agent.OrgID, b.agent.ID, b.clock.now())
	})
	post().want("revoked visitors", 401)
	v.resume().want("resuming a revoked token", 401)
	b.clock.pass(time.Second)
	v = b.session(site)
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error {
		return tx.DeleteAgent(ctx, b.agent.OrgID, b.agent.ID, b.clock.now())
	})
	post().want("a deleted agent", 401)
	b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening()}).want("a session with a deleted agent", 404)
	storetest.Write(t, b.st, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.RestoreAgent(ctx, b.agent.OrgID, b.agent.ID, b.clock.now())
		return err
	})
	b.set(func(a *parley.Agent) { a.Status = parley.AgentActive })
	post().want("a token from before the deletion", 401)
}

func TestOpeningIsStrict(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	voice := storetest.Agent(t, b.st, b.agent.OrgID, parley.AgentVoice)
	for body, status := range map[string]int{
		``:                         400,
		`[]`:                       400,
		`{}`:                       400,
		`{"agentId":1}`:            400,
		`{"agentId":"x"}`:          404,
		b.opening(`"x":1`):         400,
		b.opening(`"agentId":"x"`): 400,
		b.opening(`"visitor":{"name":"A","role":"admin"}`):                 400,
		b.opening(`"visitor":{"name":1}`):                                  400,
		b.opening(`"visitor":{"email":"nobody"}`):                          400,
		b.opening(`"visitor":{"name":"` + strings.Repeat("a", 256) + `"}`): 400,
		b.opening(`"visitor":{"jwt":"x","name":"A"}`):                      400,
		b.opening(`"visitor":{"jwt":"x"}`):                                 400, // no secret yet
		b.opening(`"conversationId":"x"`):                                  404,
		b.opening(`"conversationId":"` + parley.NewID() + `"`):             404,
		b.opening(`"visitor":null`, `"conversationId":null`):               201,
		b.opening(`"visitor":{"name":" Ada ","email":"ada@example.com"}`):  201,
		`{"agentId":"` + parley.NewID() + `"}`:                             404,
		`{"agentId":"` + voice.ID + `"}`:                                   400,
		`{"agentId":"` + strings.ToUpper(b.agent.ID) + `"}`:                404,
		strings.Repeat(" ", maxBody) + b.opening():                         413,
	} {
		r := b.do(ask{method: "POST", path: "/widget/v1/sessions", body: body}).want(body[:min(len(body), 90)], status)
		if r.header.Get("Access-Control-Allow-Origin") != site {
			t.Errorf("%.90s: the page cannot read the answer", body)
		}
		if strings.Contains(body, " Ada ") {
			var v sessionView
			if r.data(&v); v.Visitor != (visitorView{Name: "Ada", Email: "ada@example.com"}) {
				t.Errorf("the visitor %+v", v.Visitor)
			}
		}
	}
	r := b.do(ask{method: "POST", path: "/widget/v1/sessions", body: b.opening(), header: http.Header{"Content-Type": {"text/plain"}}})
	r.want("another media type", 415)
}

// TestALostAnswerLosesNoSession: a page that left before its new token arrived resumes with the one it has, as often as
// that happens. Once the new token is used, or after an hour, the old one is worth nothing.
func TestALostAnswerLosesNoSession(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		v := b.session(site)
		v.listen(v.say("hello").RunID, nil)
		old := *v
		resume := func(with browser) *browser {
			t.Helper()
			with.resume().want("resuming", 201)
			return &with
		}
		lost := resume(old)
		second := resume(old)
		if len(second.Messages) != 2 || second.VisitorID != v.VisitorID || second.ConversationID != v.ConversationID {
			t.Errorf("the second time: %+v", second.sessionView)
		}
		lost.do("POST", "/widget/v1/messages", messageBody("m", "x")).want("the token that got lost", 401)
		lost.resume().want("resuming with the token that got lost", 401)
		for what, r := range map[string]reply{
			"a message":    old.do("POST", "/widget/v1/messages", messageBody("m", "x")),
			"feedback":     old.do("POST", "/widget/v1/feedback", `{"messageId":"m","rating":"up"}`),
			"the end":      old.do("DELETE", "/widget/v1/conversation", ""),
			"another site": b.do(ask{method: "POST", path: "/widget/v1/sessions", token: old.Token, origin: "https://other.example", body: b.opening()}),
		} {
			r.want(what+" with a token that was replaced", 401)
		}
		second.listen(second.say("again").RunID, nil)
		old.resume().want("the old token after the new one was used", 401)
		second.resume().want("resuming", 201)

		third := *second
		resume(third)
		b.clock.pass(replacedLife - time.Second)
		resume(third) // does not begin the hour again
		b.clock.pass(time.Second)
		third.resume().want("the old token after an hour", 401)
	})
}

// TestAReplacedTokenIsOfUseOnce: of many who exchange the same token at once, one has the session.
func TestAReplacedTokenIsOfUseOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		b := newHouse(t, st, nil)
		v := b.session(site)
		v.say("hello")
		tokens := make(chan string, 8)
		for range cap(tokens) {
			go func(v browser) {
				v.resume()
				tokens <- v.Token
			}(*v)
		}
		good := 0
		for range cap(tokens) {
			if r := b.do(ask{method: "POST", path: "/widget/v1/runs/" + parley.NewID() + "/stop", token: <-tokens}); r.status == 404 {
				good++
			}
		}
		if good != 1 {
			t.Errorf("%d have the session", good)
		}
		v.resume().want("the old token", 401)
	})
}

// TestWhatIsWrongCanBeRead: a page reads also that there is nothing at an address, or that a method is wrong.
func TestWhatIsWrongCanBeRead(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	for _, c := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/widget/v1/sessions", "OPTIONS, POST", 405},
		{"PUT", "/widget/v1/conversation", "DELETE, OPTIONS", 405},
		{"POST", "/widget/v1/runs/x/events", "GET, HEAD, OPTIONS", 405},
		{"DELETE", "/widget/v1/runs/x/tools/y", "OPTIONS, POST", 405},
		{"GET", "/widget/v1/", "", 404},
		{"POST", "/widget/v1/nothing/here", "", 404},
		{"OPTIONS", "/widget/v1/nothing", "", 404},
	} {
		r := b.do(ask{method: c.method, path: c.path}).want(c.method+" "+c.path, c.status)
		if r.header.Get("Access-Control-Allow-Origin") != site || r.header.Get("Allow") != c.allow || !strings.Contains(r.header.Get("Vary"), "Origin") {
			t.Errorf("%s %s: %v", c.method, c.path, r.header)
		}
		r = b.do(ask{method: c.method, path: c.path, origin: "https://a.example/path"}).want("no origin", c.status)
		if r.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s echoes what is no origin", c.method, c.path)
		}
	}
}
