package widget

import (
	"net/http"
	"strings"
	"testing"

	"parley"
	"parley/internal/store/storetest"
)

// places are the public routes of a visitor, with a run of its own.
func places(runID string) []ask {
	return []ask{
		{method: "POST", path: "/widget/v1/sessions"},
		{method: "POST", path: "/widget/v1/messages", body: messageBody("m", "hi")},
		{method: "GET", path: "/widget/v1/runs/" + runID + "/events"},
		{method: "POST", path: "/widget/v1/runs/" + runID + "/stop"},
		{method: "POST", path: "/widget/v1/runs/" + runID + "/retry"},
		{method: "POST", path: "/widget/v1/runs/" + runID + "/tools/" + runID + "/claim", body: `{"claim":"c"}`},
		{method: "POST", path: "/widget/v1/runs/" + runID + "/tools/" + runID, body: `{"result":1}`},
		{method: "POST", path: "/widget/v1/feedback", body: `{"messageId":"m","rating":"up"}`},
		{method: "DELETE", path: "/widget/v1/conversation"},
	}
}

// list is the allowedDomains of the table, and verdicts says which origins it admits. "-" is no Origin at all.
var list = []string{"example.com", "*.example.com", "example.org:8443", "localhost", "localhost:3000", "127.0.0.1:5000", "192.0.2.7", "[::1]:3000", "[2001:db8::1]", "bücher.example"}

var verdicts = map[string]bool{
	"https://example.com": true, "https://EXAMPLE.com": true, "https://example.com:443": true,
	"https://a.example.com": true, "https://a.b.example.com": true, "https://xn--a.example.com": true,
	"https://example.org:8443": true, "http://localhost": true, "http://localhost:1234": true, "https://localhost:3000": true,
	"http://127.0.0.1:5000": true, "https://192.0.2.7": true, "http://[::1]:3000": true, "https://[2001:db8::1]": true, "https://[2001:DB8:0::1]": true,
	"https://xn--bcher-kva.example": true, "https://XN--bcher-kva.EXAMPLE": true,

	"-": false, "null": false, "NULL": false, "": true, // "" is the page of the session
	"http://example.com": false, "http://a.example.com": false, "http://example.com:443": false, "https://example.com:80": false,
	"https://example.com:8443": false, "https://a.example.com:8443": false, "https://example.org": false, "http://example.org:8443": false,
	"https://example.com.evil.net": false, "https://evilexample.com": false, "https://evil-example.com": false, "https://example.com-evil.net": false,
	"https://example.comevil.net": false, "https://example.com.": false, "https://a.example.com.": false, "https://.example.com": false,
	"https://a..example.com": false, "https://example.com@evil.net": false, "https://user@example.com": false, "https://user:pass@example.com": false,
	"https://evil.net/example.com": false, "https://evil.net?example.com": false, "https://evil.net#example.com": false, "https://evil.net\\example.com": false,
	"https://example.com/": false, "https://example.com/path": false, "https://example.com?": false, "https://example.com:": false, "https://example.com:0": false,
	"https://example.com:65536": false, "https://example.com:0443": false, "https://example.com:443:443": false, "https://example.com, https://evil.net": false,
	"https://example.com https://evil.net": false, "https://*.example.com": false, "https://example.com%2eevil.net": false, "https://ex%61mple.com": false,
	"file://": false, "file://example.com": false, "ftp://example.com": false, "ws://example.com": false, "chrome-extension://example.com": false,
	"about:blank": false, "data:text/html,x": false, "javascript:1": false, "example.com": false, "//example.com": false, "https:example.com": false,
	"https://": false, "https:///example.com": false, "*": false, "https://bücher.example": false, "https://bucher.example": false, "https://xn--bcher-kva.example.evil.net": false,
	"http://localhost.evil.net": false, "http://evil-localhost": false, "http://localhost.": false, "http://127.0.0.1": false, "http://127.0.0.1:5001": false,
	"http://127.1:5000": false, "http://2130706433:5000": false, "http://0x7f.0.0.1:5000": false, "http://192.0.2.7": false, "https://192.0.2.8": false,
	"https://192.0.2.7.evil.net": false, "https://192.0.2.07": false, "http://[::1]": false, "http://[::1]:3001": false, "https://[2001:db8::2]": false,
	"https://[2001:db8::1%25lo]": false, "https://2001:db8::1": false, "https://[2001:db8::1": false, "https://[example.com]": false, "http://[::ffff:127.0.0.1]:5000": false,
	"https://" + strings.Repeat("a", 64) + ".example.com": false, "https://" + strings.Repeat("a.", 130) + "example.com": false,
}

// TestOriginsOnEveryRoute asks each public route from each origin, with the token of a session of that origin where
// there can be one.
func TestOriginsOnEveryRoute(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), func(o *Options) { o.Budgets = Budgets{} })
	if len(verdicts) < 60 {
		t.Fatalf("only %d origins", len(verdicts))
	}
	home := b.session(site)
	run := home.say("hi").RunID
	home.listen(run, nil)
	tokens := map[string]string{} // of sessions that were opened while any site was allowed
	for o := range verdicts {
		if r := b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: o, body: b.opening()}); r.status == 201 {
			var v sessionView
			r.data(&v)
			tokens[o] = v.Token
		}
	}
	b.domains(append(list, strings.TrimPrefix(site, "https://"))...)
	for o, want := range verdicts {
		for _, a := range places(run) {
			a.origin, a.token = o, tokens[o]
			if a.path == "/widget/v1/sessions" {
				a.body, a.token = b.opening(), ""
			} else if a.token == "" {
				a.token = home.Token // stolen from a page that is allowed
			}
			r := b.do(a)
			echoed := r.header.Values("Access-Control-Allow-Origin")
			refused := r.status == 403
			if refused == want {
				t.Errorf("%s %s from %q: %d %s", a.method, a.path, o, r.status, r.body)
			}
			if !want && len(echoed) != 0 {
				t.Errorf("%s %s from %q: the refusal can be read: %q", a.method, a.path, o, echoed)
			}
			if text := strings.ReplaceAll(o, "\x00", ""); want && o != "" && (len(echoed) != 1 || echoed[0] != text) {
				t.Errorf("%s %s from %q: echoes %q", a.method, a.path, o, echoed)
			}
			if !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Origin") || r.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s from %q: %v", a.method, a.path, o, r.header)
			}
		}
	}
}

// TestPreflights: 204, the one well-formed origin echoed, never credentials.
func TestPreflights(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	b.domains(list...)
	for o := range verdicts {
		_, parsed := callerOf(&http.Request{Header: http.Header{"Origin": {o}}})
		for _, a := range places(parley.NewID()) {
			r := b.do(ask{method: "OPTIONS", path: a.path, origin: o, header: http.Header{
				"Access-Control-Request-Method": {a.method}, "Access-Control-Request-Headers": {"authorization,content-type,last-event-id"}}})
			echoed := r.header.Values("Access-Control-Allow-Origin")
			good := o == "" || o != "-" && parsed
			want := o
			if o == "" {
				want = site
			}
			if r.status != 204 || len(r.body) != 0 || good != (len(echoed) == 1) || good && echoed[0] != want || r.header.Get("Access-Control-Allow-Credentials") != "" ||
				!strings.Contains(r.header.Get("Vary"), "Origin") {
				t.Errorf("OPTIONS %s from %q: %d %v", a.path, o, r.status, r.header)
			}
			if good && (!strings.Contains(r.header.Get("Access-Control-Allow-Methods"), a.method) || r.header.Get("Access-Control-Allow-Headers") != "authorization, content-type, last-event-id") {
				t.Errorf("OPTIONS %s from %q: %v", a.path, o, r.header)
			}
		}
	}
}

// TestTokensStayAtTheirOrigin: a token that another page shows is refused, also where that page is allowed; and nothing
// else that a client can set is believed.
func TestTokensStayAtTheirOrigin(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	v := b.session("https://a.example.com")
	run := v.say("hi").RunID
	for _, o := range []string{"https://b.example.com", "http://a.example.com", "https://a.example.com:8443", "-", "null", publicURL} {
		for _, a := range places(run)[1:] {
			a.origin, a.token = o, v.Token
			b.do(a).want(a.path+" from "+o, 403)
		}
	}
	b.domains("a.example.com")
	for name, value := range map[string]string{"X-Forwarded-Host": "a.example.com", "Referer": "https://a.example.com/", "Host": "a.example.com", "Forwarded": "host=a.example.com",
		"X-Forwarded-Origin": "https://a.example.com", "Sec-Fetch-Site": "same-origin", "X-Original-Url": "https://a.example.com"} {
		for _, o := range []string{"-", "null", "https://b.example.com"} {
			b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: o, body: b.opening(), header: http.Header{name: {value}}}).want(name, 403)
		}
	}
	b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: "-", body: b.opening(), header: http.Header{"Origin": {"https://a.example.com", "https://b.example.com"}}}).want("two origins", 403)
}

// TestAnySite: an empty list admits files and programs without an Origin too, each bound to what it is.
func TestAnySite(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	for _, o := range []string{"-", "null", "http://intranet", "https://shop.example:8443"} {
		v := b.session(o)
		run := v.say("hi").RunID
		if _, text := v.listen(run, nil); text != "You said: hi" {
			t.Errorf("%q: %q", o, text)
		}
		b.do(ask{method: "POST", path: "/widget/v1/messages", token: v.Token, body: messageBody("m", "hi")}).want("another page", 403)
	}
	b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: "https://shop.example/path", body: b.opening()}).want("no origin", 403)
}

// TestTickets: Parley's own pages are admitted by their ticket, whatever the list says.
func TestOwnPages(t *testing.T) {
	t.Parallel()
	b := newHouse(t, storetest.SQLite(t), nil)
	b.domains("shop.example.com")
	tickets := b.h.opt.Tickets
	open := func(origin, ticket string) reply {
		return b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: origin, body: b.opening(`"ticket":"` + ticket + `"`)})
	}
	// mint makes a ticket of a page that is framed now.
	mint := func() string {
		a, err := b.st.FindWidgetAgent(t.Context(), b.agent.ID)
		if err != nil {
			t.Fatal(err)
		}
		return tickets.MintEmbed(a)
	}
	embed, try := mint(), tickets.Mint(b.agent.ID, PurposeTry, 0)
	open(publicURL, "").want("no ticket", 403)
	open(publicURL, embed+"x").want("an altered ticket", 403)
	open(publicURL, tickets.Mint(parley.NewID(), PurposeEmbed, 0)).want("another agent's ticket", 403)
	open("https://evil.example", embed).want("a ticket on another site", 403)
	open("-", embed).want("a ticket without an origin", 403)

	framed := &browser{house: b, origin: publicURL}
	open(publicURL, embed).want("/embed", 201).data(&framed.sessionView)
	run := framed.say("hi").RunID
	framed.listen(run, nil)
	same := &browser{house: b, origin: "-", sessionView: framed.sessionView}
	same.listen(run, nil) // a page's own GET has no Origin
	same.do("POST", "/widget/v1/messages", messageBody("m", "x")).want("a POST without an Origin", 403)
	b.domains("shop.example.com", "other.example.com")
	framed.do("POST", "/widget/v1/messages", messageBody("m", "x")).want("an embedded page after the list changed", 403)
	framed.resume().want("without another ticket", 403)
	framed.resume(`"ticket":"`+embed+`"`).want("with the ticket of another list", 403)
	framed.resume(`"ticket":"`+mint()+`"`).want("with another ticket", 201)
	if len(framed.Messages) != 2 {
		t.Errorf("the embedded chat begins anew: %+v", framed.Messages)
	}

	operator := &browser{house: b, origin: publicURL}
	open(publicURL, try).want("/try", 201).data(&operator.sessionView)
	b.set(func(a *parley.Agent) { a.Status = parley.AgentTraining })
	operator.listen(operator.say("is it good?").RunID, nil)
	conv, err := b.st.FindConversation(t.Context(), b.agent.OrgID, operator.ConversationID)
	if err != nil || !conv.Test {
		t.Errorf("what an operator tries is no test: %+v, %v", conv, err)
	}
	framed.do("POST", "/widget/v1/messages", messageBody("m", "x")).want("an embedded page of an agent in training", 409)
	b.set(func(a *parley.Agent) { a.Status = parley.AgentActive })
	b.clock.pass(MaxTicketLife)
	open(publicURL, try).want("an expired ticket", 403)
	operator.resume(`"ticket":"`+try+`"`).want("a page to try it, after its ticket", 403)
	old := `"ticket":"` + embed + `"`
	if framed.resume(old).want("an embedded page that has been open for long", 201); len(framed.Messages) != 2 || framed.Ticket == "" {
		t.Errorf("after the ticket's life: %+v", framed.sessionView)
	}
	if b.clock.pass(tokenLife + MaxTicketLife); framed.resume(old).status != 201 {
		t.Error("not resumed after the token's life")
	}
	var ended endedView
	framed.do("DELETE", "/widget/v1/conversation", "").want("a new conversation", 200).data(&ended)
	open(publicURL, embed).want("the page's first ticket", 403)
	open(publicURL, ended.Ticket).want("the ticket of the end", 201).data(&framed.sessionView)
	b.domains("shop.example.com")
	framed.resume(`"ticket":"`+ended.Ticket+`"`).want("a page that was framed with another list", 403)
}
