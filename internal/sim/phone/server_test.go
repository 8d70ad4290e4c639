package phone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"parley/internal/audio"
)

const (
	testToken = "0123456789abcdef0123456789abcdef"
	public    = "https://parley.example"
	patience  = 10 * time.Second
)

func TestMain(m *testing.M) {
	if serveLoad() {
		return
	}
	goleak.VerifyTestMain(m)
}

// server is a scripted server behind the phone. Its public name is not its address, as behind a proxy.
type server struct {
	t      *testing.T
	http   *httptest.Server
	twiml  func(path string, form url.Values) string // answers every webhook
	stream func(p *peer)                             // owns every socket

	mu       sync.Mutex
	requests []request
}

type request struct {
	path  string
	form  url.Values
	token string // I-Twilio-Idempotency-Token
}

// peer is the server's end of a stream.
type peer struct {
	t      *testing.T
	conn   *websocket.Conn
	header http.Header
	sid    string
}

type received struct {
	Event          string
	SequenceNumber string
	StreamSID      string `json:"streamSid"`
	Start          struct{ CustomParameters map[string]string }
	Media          struct {
		Chunk, Timestamp string
		Payload          []byte
	}
	Mark struct{ Name string }
	DTMF struct{ Digit string }
}

func newServer(t *testing.T, twiml func(path string, form url.Values) string, stream func(p *peer)) *server {
	t.Helper()
	s := &server{t: t, twiml: twiml, stream: stream}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/stream") {
		if want := Signature(testToken, strings.Replace(public, "http", "ws", 1)+r.URL.Path, nil); r.Header.Get("X-Twilio-Signature") != want {
			s.t.Errorf("socket signature %q, want %q", r.Header.Get("X-Twilio-Signature"), want)
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		s.stream(&peer{t: s.t, conn: conn, header: r.Header})
		return
	}
	if err := r.ParseForm(); err != nil {
		s.t.Error(err)
	}
	if want := Signature(testToken, public+r.URL.RequestURI(), r.PostForm); r.Header.Get("X-Twilio-Signature") != want {
		s.t.Errorf("%s: signature %q, want %q", r.URL.Path, r.Header.Get("X-Twilio-Signature"), want)
	}
	s.mu.Lock()
	s.requests = append(s.requests, request{r.URL.Path, r.Form, r.Header.Get("I-Twilio-Idempotency-Token")})
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	fmt.Fprint(w, s.twiml(r.URL.Path, r.Form))
}

func (s *server) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// options call the server.
func (s *server) options(program ...Step) Options {
	return Options{WebhookURL: s.http.URL + "/voice", PublicURL: public + "/voice", AuthToken: testToken, To: "+15550001111", Program: program, RetryDelay: time.Millisecond}
}

// connect is TwiML that opens a stream; more follows it.
func connect(more string) string {
	return `<Response><Connect><Stream url="wss://parley.example/stream/1"><Parameter name="conversationId" value="c-1"/></Stream></Connect>` + more + `</Response>`
}

// always answers every webhook with the same TwiML.
func always(twiml string) func(string, url.Values) string {
	return func(string, url.Values) string { return twiml }
}

// dial places a call and returns its final report.
func dial(t *testing.T, opt Options) *Report {
	t.Helper()
	c, err := Dial(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return finished(t, c)
}

func finished(t *testing.T, c *Call) *Report {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(3 * patience):
		c.Vanish()
		<-c.Done()
		t.Errorf("the call did not end: %+v", c.Report().Violations)
	}
	return c.Report()
}

// next reads one message; ok is false when the phone has closed.
func (p *peer) next() (m received, raw []byte, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	_, raw, err := p.conn.Read(ctx)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			p.t.Error("the phone sent nothing")
		}
		return received{}, nil, false
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		p.t.Errorf("%v in %s", err, raw)
	}
	if m.Event == "start" {
		p.sid = m.StreamSID
	}
	return m, raw, true
}

// until reads up to the first message of the event.
func (p *peer) until(event string) (received, bool) {
	for {
		m, _, ok := p.next()
		if !ok || m.Event == event {
			return m, ok
		}
	}
}

// drain reads until the phone closes.
func (p *peer) drain() {
	for {
		if _, _, ok := p.next(); !ok {
			return
		}
	}
}

func (p *peer) send(raw string) {
	if err := p.conn.Write(context.Background(), websocket.MessageText, []byte(strings.ReplaceAll(raw, "SID", p.sid))); err != nil {
		p.t.Logf("the server could not send: %v", err)
	}
}

func (p *peer) media(ulaw []byte) {
	raw, _ := json.Marshal(ulaw)
	p.send(`{"event":"media","streamSid":"SID","media":{"payload":` + string(raw) + `}}`)
}

func (p *peer) mark(name string) {
	p.send(`{"event":"mark","streamSid":"SID","mark":{"name":"` + name + `"}}`)
}

func (p *peer) clear() { p.send(`{"event":"clear","streamSid":"SID"}`) }

// closeNormally says goodbye as a well-behaved server does.
func (p *peer) closeNormally() { _ = p.conn.Close(websocket.StatusNormalClosure, "") }

// speech is audible µ-law of a length.
func speech(d time.Duration) []byte { return voiced(int(d.Milliseconds()) * audio.BytesPerMs) }
