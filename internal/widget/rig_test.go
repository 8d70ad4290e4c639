package widget

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley"
	"parley/internal/chat"
	"parley/internal/event"
	"parley/internal/log"
	"parley/internal/openai"
	"parley/internal/respond"
	"parley/internal/secret"
	"parley/internal/store"
	"parley/internal/store/storetest"
	"parley/internal/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience  = 60 * time.Second // bounds every wait of a test
	publicURL = "https://parley.example"
	site      = "https://shop.example.com"
)

// echo is the model of these tests: it repeats the message. A message that begins with "hold" is answered only in part
// until it is released or stopped.
type echo struct {
	mu       sync.Mutex
	released chan struct{}
}

func (m *echo) Complete(ctx context.Context, req openai.ChatRequest, onText func(string)) (openai.ChatAnswer, error) {
	last := req.Messages[len(req.Messages)-1].Text
	text := "You said: "
	onText(text)
	if strings.HasPrefix(last, "hold") {
		m.mu.Lock()
		released := m.released
		m.mu.Unlock()
		select {
		case <-released:
		case <-ctx.Done():
			return openai.ChatAnswer{Text: text, FirstByte: time.Millisecond}, context.Cause(ctx)
		}
	}
	onText(last)
	return openai.ChatAnswer{ID: "c", Text: text + last, FinishReason: "stop", FirstByte: time.Millisecond}, nil
}

// release lets the held answers end, and holds the next ones.
func (m *echo) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.released)
	m.released = make(chan struct{})
}

// clock is what the handler takes for the time.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a server with the widget's routes on a real database.
type house struct {
	t     *testing.T
	st    *store.Store
	ring  *secret.Ring
	model *echo
	clock *clock
	opt   Options
	h     *Handler
	srv   *httptest.Server
	agent parley.Agent
}

// newHouse makes one. Requests say with X-Test-Client from which address they come, as the server's proxies would.
func newHouse(t *testing.T, st *store.Store, change func(*Options)) *house {
	t.Helper()
	model := &echo{released: make(chan struct{})}
	b := newHouseWith(t, st, model, tool.New(tool.Options{}), change)
	b.model = model
	return b
}

// newHouseWith makes a house with another model and tools.
func newHouseWith(t *testing.T, st *store.Store, model chat.Model, tools *tool.Runner, change func(*Options)) *house {
	t.Helper()
	b := &house{t: t, st: st, ring: openRing(t), clock: &clock{at: time.Now()}}
	b.agent = b.addAgent(nil)
	l := log.New(st, event.NewBus(), log.Options{})
	svc := chat.New(chat.Options{
		Store: st, Log: l, Model: model, Tools: tools, Owner: "test",
		Endpoint: func(context.Context, string) (openai.Endpoint, error) {
			return openai.Endpoint{BaseURL: "http://model.test/v1", Simulated: true}, nil
		},
	})
	b.opt = Options{Store: st, Chat: svc, Ring: b.ring, PublicURL: publicURL, Budgets: DefaultBudgets, Now: b.clock.now}
	if change != nil {
		change(&b.opt)
	}
	b.h = New(b.opt)
	b.h.opt.Tickets.now = b.clock.now
	mux := http.NewServeMux()
	b.h.Register(mux)
	b.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := netip.ParseAddr(r.Header.Get("X-Test-Client"))
		if err != nil {
			client = netip.MustParseAddr("192.0.2.1")
		}
		mux.ServeHTTP(w, r.WithContext(respond.WithClient(r.Context(), client)))
	}))
	t.Cleanup(func() {
		b.srv.CloseClientConnections()
		b.srv.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whatever still runs is canceled
		_ = svc.Close(ctx)
		ctx, cancel = context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Errorf("closing the log: %v", err)
		}
	})
	return b
}

// addAgent makes a chat agent in an organization of its own.
func (b *house) addAgent(change func(*parley.Agent)) parley.Agent {
	b.t.Helper()
	a := storetest.NewAgent(storetest.Organization(b.t, b.st).ID, parley.AgentChat)
	a.Instructions, a.ToolIDs = "instructions are secret", []string{}
	a.Chat.Title, a.Chat.Suggestions = "Help", []string{"Opening hours?"}
	if change != nil {
		change(&a)
	}
	storetest.Write(b.t, b.st, func(ctx context.Context, tx *store.Tx) error { return tx.CreateAgent(ctx, a.OrgID, a) })
	return a
}

// set changes the house's agent, as its owner would.
func (b *house) set(change func(*parley.Agent)) {
	b.t.Helper()
	storetest.Write(b.t, b.st, func(ctx context.Context, tx *store.Tx) error {
		a, err := tx.FindAgent(ctx, b.agent.OrgID, b.agent.ID)
		if err != nil {
			return err
		}
		change(&a)
		return tx.UpdateAgent(ctx, a.OrgID, a)
	})
}

func (b *house) domains(entries ...string) {
	b.t.Helper()
	b.set(func(a *parley.Agent) { a.Chat.AllowedDomains = entries })
}

// ask is one request of a page. An Origin of "-" is none at all.
type ask struct {
	method, path, origin, token, body, client string
	header                                    http.Header
}

// reply is what came of it.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (b *house) do(a ask) reply {
	b.t.Helper()
	res := b.open(a)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	return reply{b.t, res.StatusCode, res.Header, body}
}

func (b *house) open(a ask) *http.Response {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, a.method, b.srv.URL+a.path, strings.NewReader(a.body))
	if err != nil {
		b.t.Fatal(err)
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range a.header {
		r.Header[name] = values
	}
	switch a.origin {
	case "-":
	case "":
		r.Header.Set("Origin", site)
	default:
		r.Header.Set("Origin", a.origin)
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.client != "" {
		r.Header.Set("X-Test-Client", a.client)
	}
	res, err := b.srv.Client().Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	return res
}

// want fails unless the answer has the status, with the envelope that belongs to it.
func (r reply) want(what string, status int) reply {
	r.t.Helper()
	var e struct {
		Success *bool
		Error   struct {
			Code    int
			Message string
			Type    string
		}
	}
	err := json.Unmarshal(r.body, &e)
	if r.status != status || err != nil || e.Success == nil || *e.Success != (status < 400) {
		r.t.Fatalf("%s: %d %s, want %d", what, r.status, r.body, status)
	}
	if status >= 400 && (e.Error.Code != status || e.Error.Message == "" || e.Error.Type == "") {
		r.t.Errorf("%s: %s", what, r.body)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Set-Cookie") != "" || strings.Contains(string(r.body), "instructions are secret") {
		r.t.Errorf("%s: %v %s", what, r.header, r.body)
	}
	return r
}

func (r reply) data(into any) {
	r.t.Helper()
	envelope := struct{ Data any }{into}
	if err := json.Unmarshal(r.body, &envelope); err != nil {
		r.t.Fatalf("%s: %v", r.body, err)
	}
}

// browser is a page with a session.
type browser struct {
	*house
	origin string
	sessionView
}

func (b *house) session(origin string, members ...string) *browser {
	b.t.Helper()
	v := &browser{house: b, origin: origin}
	b.do(ask{method: "POST", path: "/widget/v1/sessions", origin: origin, body: b.opening(members...)}).want("opening a session", 201).data(&v.sessionView)
	return v
}

// opening is the body of a request for a session with further members.
func (b *house) opening(members ...string) string {
	return `{` + strings.Join(append([]string{`"agentId":"` + b.agent.ID + `"`}, members...), ",") + `}`
}

func (v *browser) do(method, path, body string) reply {
	v.t.Helper()
	return v.house.do(ask{method: method, path: path, origin: v.origin, token: v.Token, body: body})
}

// resume opens the session again with its token.
func (v *browser) resume(members ...string) reply {
	v.t.Helper()
	r := v.do("POST", "/widget/v1/sessions", v.opening(members...))
	if r.status == 201 {
		v.sessionView = sessionView{}
		r.data(&v.sessionView)
	}
	return r
}

func messageBody(id, text string) string {
	raw, _ := json.Marshal(map[string]string{"clientMessageId": id, "text": text})
	return string(raw)
}

// say sends a message.
func (v *browser) say(text string) acceptedView {
	v.t.Helper()
	var a acceptedView
	v.do("POST", "/widget/v1/messages", messageBody(parley.NewID(), text)).want("a message", 202).data(&a)
	return a
}

// sent is an event of a stream as a browser reads it.
type sent struct {
	ID         int64
	Type, Data string
}

// listen reads a run to its end.
func (v *browser) listen(runID string, header http.Header, query ...string) (events []sent, text string) {
	v.t.Helper()
	res := v.open(ask{method: "GET", path: "/widget/v1/runs/" + runID + "/events" + strings.Join(query, ""), origin: v.origin, token: v.Token, header: header})
	defer res.Body.Close()
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		body, _ := io.ReadAll(res.Body)
		v.t.Fatalf("events: %d %s", res.StatusCode, body)
	}
	events = readStream(v.t, res.Body)
	for _, e := range events {
		if e.Type == "message.delta" {
			var d chat.DeltaData
			_ = json.Unmarshal([]byte(e.Data), &d)
			text += d.Text
		}
	}
	return events, text
}

func readStream(t *testing.T, r io.Reader) (events []sent) {
	t.Helper()
	var e sent
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.ID, _ = strconv.ParseInt(value, 10, 64)
		case "event":
			e.Type = value
		case "data":
			e.Data = value
		case "":
			if e.Type != "" && value == "" {
				events = append(events, e)
				e = sent{}
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Errorf("reading a stream: %v", err)
	}
	return events
}
