package phone

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestVerbsAfterTheStream(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(path string, form url.Values) string {
		switch path {
		case "/voice":
			return connect(`<Redirect method="POST">/resume?a=1</Redirect>`)
		case "/resume":
			if form.Get("CallStatus") != "in-progress" || form.Get("a") != "1" {
				t.Errorf("resume form %v", form)
			}
			return `<Response><Say>Sorry</Say><Dial action="after">+15550009999</Dial></Response>`
		default:
			if form.Get("DialCallStatus") != "completed" {
				t.Errorf("action form %v", form)
			}
			return `<Response/>`
		}
	}, func(p *peer) {
		p.until("start")
		p.closeNormally()
	})
	r := dial(t, s.options())
	if !slices.Equal(r.Notices, []string{"Sorry"}) || !slices.Equal(r.Dialed, []string{"+15550009999"}) || r.EndedBy != "end of TwiML" || len(r.Violations) > 0 {
		t.Errorf("notices %v, dialed %v, ended by %q, violations %v", r.Notices, r.Dialed, r.EndedBy, r.Violations)
	}
	if len(s.seen()) != 3 || r.Streams[0].EndedBy != "server" || len(r.Spurts) == 0 {
		t.Errorf("%d requests, stream %+v, heard %v", len(s.seen()), r.Streams[0], r.Spurts)
	}
}

func TestConnectAction(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(path string, _ url.Values) string {
		if path == "/voice" {
			return strings.Replace(connect("<Say>not this</Say>"), "<Connect>", `<Connect action="/after">`, 1)
		}
		return `<Response><Hangup/></Response>`
	}, func(p *peer) {
		p.until("start")
		p.closeNormally()
	})
	if r := dial(t, s.options()); r.EndedBy != "hangup verb" || len(r.Notices) > 0 || len(s.seen()) != 2 {
		t.Errorf("ended by %q, notices %v, %d requests", r.EndedBy, r.Notices, len(s.seen()))
	}
}

func TestBadTwiML(t *testing.T) {
	t.Parallel()
	stream := func(attrs, inside string) string {
		return `<Response><Connect><Stream ` + attrs + `>` + inside + `</Stream></Connect></Response>`
	}
	for name, c := range map[string]struct {
		twiml   string
		code    int
		endedBy string
	}{
		"not XML":            {"hello", 12100, "error"},
		"unknown verb":       {"<Response><Speak>x</Speak></Response>", 12200, "end of TwiML"},
		"wrong case":         {"<Response><hangup/></Response>", 12200, "end of TwiML"},
		"no stream":          {"<Response><Connect/></Response>", 12200, "end of TwiML"},
		"query":              {stream(`url="wss://parley.example/stream?token=1"`, ""), 31920, "end of TwiML"},
		"not secure":         {stream(`url="ws://parley.example/stream"`, ""), 31922, "end of TwiML"},
		"http":               {stream(`url="https://parley.example/stream"`, ""), 31922, "end of TwiML"},
		"no host":            {stream(`url="/stream"`, ""), 31923, "end of TwiML"},
		"both tracks":        {stream(`url="wss://parley.example/stream" track="both_tracks"`, ""), 31941, "end of TwiML"},
		"nameless parameter": {stream(`url="wss://parley.example/stream"`, `<Parameter value="x"/>`), 12200, "end of TwiML"},
		"long parameter":     {stream(`url="wss://parley.example/stream"`, `<Parameter name="n" value="`+strings.Repeat("x", 500)+`"/>`), 12200, "end of TwiML"},
		"no socket there":    {stream(`url="wss://parley.example/elsewhere"`, ""), 31920, "end of TwiML"},
		"empty redirect":     {"<Response><Redirect></Redirect></Response>", 11100, "error"},
		"circle":             {"<Response><Redirect>/voice</Redirect></Response>", 12100, "error"},
		"too large":          {"<Response>" + strings.Repeat(" ", maxTwiML) + "</Response>", 11750, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, always(c.twiml), nil)
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					http.NotFound(w, r)
					return
				}
				s.ServeHTTP(w, r)
			})
			s.http.Config.Handler = h
			r := dial(t, s.options())
			if len(r.Violations) != 1 || r.Violations[0].Code != c.code || r.EndedBy != c.endedBy {
				t.Errorf("violations %v, ended by %q, want %d, %q", r.Violations, r.EndedBy, c.code, c.endedBy)
			}
			if (r.Failure != nil) != (c.endedBy == "error") {
				t.Errorf("failure %v", r.Failure)
			}
		})
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	for reason, status := range map[string]string{"": "no-answer", ` reason="busy"`: "busy"} {
		s := newServer(t, always("<Response><Reject"+reason+"/></Response>"), nil)
		if r := dial(t, s.options()); r.Status != status || r.EndedBy != "rejected" || r.Duration != 0 {
			t.Errorf("%q: status %q, ended by %q after %v", reason, r.Status, r.EndedBy, r.Duration)
		}
	}
}

func TestWebhookFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler  http.HandlerFunc
		fragment string
		code     int
		status   int
		tries    int32
	}{
		"forbidden":            {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "wrong signature", http.StatusForbidden) }, "", 11200, 403, 1},
		"server error":         {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) }, "", 11200, 500, 1},
		"server error retried": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) }, "#rc=2&rp=5xx", 11200, 500, 3},
		"redirected":           {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, "", 11200, 302, 1},
		"JSON": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{}")
		}, "", 12300, 200, 1},
		"no content type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "<Response/>")
		}, "", 12300, 200, 1},
		"cut connection":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", 11205, 0, 2},
		"cut, no retry":     {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "#rc=0", 11205, 0, 1},
		"too slow":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "#rt=100", 11200, 0, 1},
		"too slow, retried": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "#rt=100&rp=all", 11200, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				_ = r.ParseForm() // reads the body, without which the server does not notice that the phone is gone
				c.handler(w, r)
			}))
			defer srv.Close()
			r := dial(t, Options{WebhookURL: srv.URL, PublicURL: srv.URL + "/" + c.fragment, AuthToken: testToken, To: "+1", RetryDelay: time.Millisecond})
			if r.Failure == nil || r.Failure.Code != c.code || r.Failure.HTTPStatus != c.status || tries.Load() != c.tries {
				t.Errorf("failure %+v after %d tries, want %d, HTTP %d after %d", r.Failure, tries.Load(), c.code, c.status, c.tries)
			}
			if r.EndedBy != "error" || r.Status != "failed" {
				t.Errorf("ended by %q, status %q", r.EndedBy, r.Status)
			}
		})
	}
}

func TestWebhookRetryIsTheSameRequest(t *testing.T) {
	t.Parallel()
	var s *server
	var first atomic.Pointer[string]
	s = newServer(t, always("<Response><Hangup/></Response>"), nil)
	s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("I-Twilio-Idempotency-Token")
		if first.CompareAndSwap(nil, &token) {
			panic(http.ErrAbortHandler)
		}
		s.ServeHTTP(w, r)
	})
	r := dial(t, s.options())
	if r.EndedBy != "hangup verb" || len(s.seen()) != 1 || s.seen()[0].token != *first.Load() {
		t.Errorf("ended by %q after %+v", r.EndedBy, s.seen())
	}
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	l.Close()
	r := dial(t, Options{WebhookURL: address, AuthToken: testToken, To: "+1", RetryDelay: time.Millisecond})
	if r.Failure == nil || r.Failure.Code != 11205 {
		t.Errorf("failure %v", r.Failure)
	}
}

func TestFallbackURL(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(path string, form url.Values) string {
		if path == "/voice" {
			return "broken"
		}
		if form.Get("ErrorCode") != "12100" || form.Get("ErrorUrl") != public+"/voice" {
			t.Errorf("fallback form %v", form)
		}
		return "<Response><Hangup/></Response>"
	}, nil)
	opt := s.options()
	opt.FallbackURL = public + "/fallback"
	if r := dial(t, opt); r.EndedBy != "hangup verb" || len(r.Violations) != 1 {
		t.Errorf("ended by %q, violations %v", r.EndedBy, r.Violations)
	}
}

func TestStatusCallbacks(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(path string, _ url.Values) string {
		if path == "/voice" {
			return strings.Replace(connect(""), "<Stream ", `<Stream name="n" statusCallback="https://parley.example/stream-status" `, 1)
		}
		return ""
	}, (*peer).drain)
	// The stream's path begins like the callback's: keep them apart.
	s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream-status" {
			_ = r.ParseForm()
			s.mu.Lock()
			s.requests = append(s.requests, request{r.URL.Path, r.Form, ""})
			s.mu.Unlock()
			return
		}
		s.ServeHTTP(w, r)
	})
	opt := s.options(Wait(60*time.Millisecond), Hangup())
	opt.StatusCallbackURL, opt.StatusEvents = public+"/status", []string{"initiated", "ringing", "answered", "completed"}
	r := dial(t, opt)
	if len(r.Violations) > 0 {
		t.Fatalf("violations %v", r.Violations)
	}
	var status, stream []string
	for _, q := range s.seen() {
		switch q.path {
		case "/status":
			status = append(status, q.form.Get("SequenceNumber")+" "+q.form.Get("CallStatus")+" "+q.form.Get("CallDuration"))
		case "/stream-status":
			stream = append(stream, q.form.Get("StreamEvent")+" "+q.form.Get("StreamName"))
		}
	}
	if want := []string{"0 initiated ", "1 ringing ", "2 in-progress ", "3 completed 0"}; !slices.Equal(status, want) {
		t.Errorf("status callbacks %q, want %q", status, want)
	}
	if want := []string{"stream-started n", "stream-stopped n"}; !slices.Equal(stream, want) {
		t.Errorf("stream callbacks %q, want %q", stream, want)
	}
}
