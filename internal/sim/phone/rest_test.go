package phone

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// ask sends a REST request and returns status and Twilio's error code.
func ask(t *testing.T, method, address, user, password string, form url.Values) (status, code int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, password)
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body struct{ Code int }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body.Code
}

func TestREST(t *testing.T) {
	t.Parallel()
	account := newSID("AC")
	rest, err := ListenREST("127.0.0.1:0", account, testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	started := make(chan struct{}, 2)
	s := newServer(t, always(connect("")), func(p *peer) {
		p.until("start")
		started <- struct{}{}
		if _, ok := p.until("stop"); !ok {
			t.Error("the stream ended without a stop message")
		}
		p.drain()
	})
	opt := s.options()
	opt.AccountSID, opt.REST = account, rest
	c, err := Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	<-started
	base := rest.URL() + "/2010-04-01/Accounts/" + account + "/Calls/"
	self := base + c.SID() + ".json"
	redirect := url.Values{"Twiml": {`<Response><Say>One moment</Say>` + connect("")[len("<Response>"):]}}
	for _, step := range []struct {
		name, method, url, user, password string
		form                              url.Values
		status, code                      int
	}{
		{"wrong password", "POST", self, account, "x", url.Values{"Status": {"completed"}}, 401, 20003},
		{"unknown call", "POST", base + newSID("CA") + ".json", account, testToken, url.Values{"Status": {"completed"}}, 404, 20404},
		{"no .json", "POST", base + c.SID(), account, testToken, nil, 404, 20404},
		{"elsewhere", "POST", rest.URL() + "/x", account, testToken, nil, 404, 20404},
		{"nothing to do", "POST", self, account, testToken, nil, 400, 20001},
		{"cancel a live call", "POST", self, account, testToken, url.Values{"Status": {"canceled"}}, 400, 20001},
		{"long TwiML", "POST", self, account, testToken, url.Values{"Twiml": {strings.Repeat("x", 4001)}}, 400, 20001},
		{"delete", "DELETE", self, account, testToken, nil, 405, 20004},
		{"look", "GET", self, account, testToken, nil, 200, 0},
		{"redirect", "POST", self, account, testToken, redirect, 200, 0},
	} {
		if status, code := ask(t, step.method, step.url, step.user, step.password, step.form); status != step.status || code != step.code {
			t.Errorf("%s: %d, code %d, want %d, %d", step.name, status, code, step.status, step.code)
		}
	}
	<-started // the second stream, after the redirect
	if status, code := ask(t, "POST", self, account, testToken, url.Values{"Status": {"completed"}}); status != 200 || code != 0 {
		t.Errorf("hang-up: %d, code %d", status, code)
	}
	r := finished(t, c)
	if r.EndedBy != "rest" || r.Status != "completed" || len(r.Streams) != 2 || !slices.Equal(r.Notices, []string{"One moment"}) || len(r.Violations) > 0 {
		t.Errorf("ended by %q, status %q, %d streams, notices %v, violations %v", r.EndedBy, r.Status, len(r.Streams), r.Notices, r.Violations)
	}
	if status, code := ask(t, "POST", self, account, testToken, url.Values{"Status": {"completed"}}); status != 400 || code != 21220 {
		t.Errorf("hang-up of an ended call: %d, code %d", status, code)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestRESTInterruptsSay(t *testing.T) {
	t.Parallel()
	rest, err := ListenREST("127.0.0.1:0", "AC1", testToken)
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	said := make(chan struct{})
	s := newServer(t, always("<Response><Say>"+strings.Repeat("blah ", 60)+"</Say></Response>"), nil)
	opt := s.options()
	opt.AccountSID, opt.REST = "AC1", rest
	opt.OnEvent = func(e Event) {
		if e.Kind == EventNotice {
			close(said)
		}
	}
	c, err := Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	<-said
	ask(t, "POST", rest.URL()+"/2010-04-01/Accounts/AC1/Calls/"+c.SID()+".json", "AC1", testToken, url.Values{"Status": {"completed"}})
	if r := finished(t, c); r.Duration > 10*time.Second || r.EndedBy != "rest" {
		t.Errorf("ended by %q after %v", r.EndedBy, r.Duration)
	}
}
