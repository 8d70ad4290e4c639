package widget_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"parley/web/widget"
)

const agentID = "01a20b45-322f-7785-a533-b391f2d8bab5"

// A fake is /widget/v1 played by a script, as strict as the contract: it refuses what the contract does not have,
// and ends every token that was replaced at once. What it finds wrong fails the test.
type fake struct {
	t    *testing.T
	srv  *httptest.Server
	site string // the only origin that is allowed

	mu       sync.Mutex
	changed  *sync.Cond
	config   map[string]any
	answer   func(text string) []step
	refuse   func(r *http.Request) *refusal
	tokens   map[string]*visitor // live ones
	last     int                 // for ids
	requests []string            // method and path of all
	dead     bool                // the network is cut
	gate     int                 // how many wait steps may pass
	ended    bool
}

type refusal struct {
	status     int
	kind, text string
	retryAfter int
}

type visitor struct {
	id           string
	conversation *conversation
	name         string
	verified     bool
}

type conversation struct {
	messages []message
	posted   map[string]posted
	run      *run
	runs     map[string]*run
}

type posted struct{ text, run, message string }

type message struct {
	ID     string `json:"id"`
	Role   string `json:"role"`
	Text   string `json:"text"`
	At     string `json:"at"`
	Status string `json:"status,omitempty"`
	Rating string `json:"rating,omitempty"`
	RunID  string `json:"runId,omitempty"`
}

// A step of an answer: one event, or a wait for release.
type step struct {
	event string
	data  map[string]any
	wait  bool
}

type run struct {
	id, question string
	steps        []step
	stopped      bool
}

func say(text string) step { return step{event: "message.delta", data: map[string]any{"text": text}} }
func tool(event, id string) step {
	return step{event: event, data: map[string]any{"id": id, "name": "order_status"}}
}
func pause() step { return step{wait: true} }
func fail(text string) step {
	return step{event: "error", data: map[string]any{"type": "unavailable", "message": text}}
}

func newFake(t *testing.T) *fake {
	f := &fake{
		t: t, tokens: map[string]*visitor{},
		config: map[string]any{
			"title": "Help", "greeting": "Hello. What can I do for you?", "placeholder": "Ask something", "theme": "auto",
			"suggestions": []string{"Where is my order?", "Opening hours"}, "primaryColor": "#3B82F6", "position": "bottom-right",
			"online": true, "maxMessageLength": 500, "identified": false, "voice": false,
		},
		answer: func(text string) []step { return []step{say("You said: "), say(text)} },
	}
	f.changed = sync.NewCond(&f.mu)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /widget.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		var a *widget.Appearance
		if r.URL.Query().Get("agent") != "" {
			a = &widget.Appearance{Agent: agentID, Position: "bottom-right", Color: "#3B82F6", Theme: "auto", Title: "Help", Online: true}
		}
		_, _ = w.Write(widget.Launcher(a))
	})
	mux.HandleFunc("GET /widget/assets/{name}", func(w http.ResponseWriter, r *http.Request) {
		body, kind, ok := widget.Asset(r.PathValue("name"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	})
	mux.HandleFunc("GET /embed/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'")
		_, _ = w.Write(widget.EmbedPage(widget.EmbedPageData{AgentID: r.PathValue("id"), Ticket: "ticket", Title: "Help", Lang: "en"}))
	})
	mux.HandleFunc("/widget/v1/", f.serve)
	f.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+r.URL.Path)
		dead := f.dead
		f.mu.Unlock()
		if dead {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	f.srv.Config.ErrorLog = nil
	t.Cleanup(func() {
		f.mu.Lock()
		f.ended = true
		f.changed.Broadcast()
		f.mu.Unlock()
		f.srv.CloseClientConnections()
		f.srv.Close()
	})
	return f
}

// with changes the script.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.changed.Broadcast()
}

// release lets n waiting steps pass.
func (f *fake) release(n int) { f.with(func() { f.gate += n }) }

// cut ends every connection and takes no other until it is called with false.
func (f *fake) cut(dead bool) {
	f.with(func() { f.dead = dead })
	if dead {
		f.srv.CloseClientConnections()
	}
}

func (f *fake) count(request string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if strings.HasPrefix(r, request) {
			n++
		}
	}
	return n
}

func (f *fake) id() string { f.last++; return fmt.Sprintf("01a20b45-0000-7000-8000-%012d", f.last) }

func (f *fake) wrong(format string, args ...any) {
	f.t.Helper()
	f.t.Errorf("the widget broke the contract: "+format, args...)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	own := origin == f.srv.URL || origin == "" && r.Method == http.MethodGet
	if origin != f.site && !own {
		f.wrong("%s %s from the origin %q", r.Method, r.URL.Path, origin)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Vary", "Origin")
	if r.Method == http.MethodOptions {
		for _, h := range strings.Split(r.Header.Get("Access-Control-Request-Headers"), ",") {
			if h != "" && !slices.Contains([]string{"authorization", "content-type", "last-event-id"}, h) {
				f.wrong("a preflight for the header %q", h)
			}
		}
		w.Header().Set("Access-Control-Allow-Headers", "authorization, content-type, last-event-id")
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After")
	if r.Header.Get("Cookie") != "" {
		f.wrong("cookies")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		if no := f.refuse(r); no != nil {
			f.refused(w, *no)
			return
		}
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	v := f.tokens[token]
	if bearer && v == nil || !bearer && r.URL.Path != "/widget/v1/sessions" {
		f.refused(w, refusal{status: 401, kind: "unauthorized", text: "The session has ended."})
		return
	}
	switch path := strings.TrimPrefix(r.URL.Path, "/widget/v1/"); {
	case path == "sessions" && r.Method == http.MethodPost:
		f.session(w, r, token, v)
	case path == "messages" && r.Method == http.MethodPost:
		f.post(w, r, v.conversation)
	case path == "feedback" && r.Method == http.MethodPost:
		f.feedback(w, r, v.conversation)
	case path == "conversation" && r.Method == http.MethodDelete:
		delete(f.tokens, token)
		f.ok(w, 200, map[string]any{"deleted": true})
	case strings.HasPrefix(path, "runs/"):
		parts := strings.Split(path, "/")
		run := v.conversation.runs[parts[1]]
		if run == nil || len(parts) != 3 {
			f.refused(w, refusal{status: 404, kind: "not_found", text: "Run not found"})
			return
		}
		switch {
		case parts[2] == "events" && r.Method == http.MethodGet:
			f.events(w, r, v.conversation, run)
		case parts[2] == "stop" && r.Method == http.MethodPost:
			run.stopped = true
			f.changed.Broadcast()
			f.ok(w, 202, map[string]any{})
		case parts[2] == "retry" && r.Method == http.MethodPost:
			c := v.conversation
			c.messages = slices.DeleteFunc(c.messages, func(m message) bool { return m.RunID == run.id && m.Role == "assistant" })
			f.ok(w, 202, map[string]any{"runId": f.start(c, run.question).id, "messageId": f.id()})
		default:
			f.wrong("%s %s", r.Method, path)
		}
	default:
		f.wrong("%s %s", r.Method, path)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (f *fake) session(w http.ResponseWriter, r *http.Request, token string, v *visitor) {
	var in struct {
		AgentID, Ticket string
		Visitor         *struct{ JWT, Name, Email string }
	}
	f.read(r, &in)
	if in.AgentID != agentID {
		f.wrong("the agent %q", in.AgentID)
	}
	if r.Header.Get("Origin") == f.srv.URL && in.Ticket != "ticket" {
		f.wrong("no ticket from Parley's own page")
	}
	if v == nil {
		v = &visitor{id: f.id(), conversation: &conversation{posted: map[string]posted{}, runs: map[string]*run{}}}
	}
	if in.Visitor != nil {
		v.name, v.verified = in.Visitor.Name, in.Visitor.JWT != ""
		if v.verified {
			v.name = "Ada"
		}
	}
	delete(f.tokens, token)
	f.last++
	token = "token-" + strconv.Itoa(f.last)
	f.tokens[token] = v
	c := v.conversation
	var active any
	if c.run != nil {
		active = map[string]any{"runId": c.run.id}
	}
	f.ok(w, 201, map[string]any{
		"token": token, "expiresAt": time.Now().Add(time.Hour).UTC(), "visitorId": v.id, "conversationId": v.id, "config": f.config,
		"messages": append([]message{}, c.messages...), "activeRun": active, "visitor": map[string]any{"name": v.name, "verified": v.verified},
	})
}

func (f *fake) post(w http.ResponseWriter, r *http.Request, c *conversation) {
	var in struct{ ClientMessageID, Text string }
	f.read(r, &in)
	if len(in.ClientMessageID) != 36 || in.Text == "" || in.Text != strings.TrimSpace(in.Text) {
		f.wrong("the message %+v", in)
	}
	if p, ok := c.posted[in.ClientMessageID]; ok {
		if p.text != in.Text {
			f.wrong("another text for the id %s", in.ClientMessageID)
		}
		f.ok(w, 202, map[string]any{"runId": p.run, "messageId": p.message})
		return
	}
	if c.run != nil {
		f.refused(w, refusal{status: 409, kind: "conflict", text: "The assistant is still answering."})
		return
	}
	run, id := f.start(c, in.Text), f.id()
	c.messages = append(c.messages, message{ID: id, Role: "user", Text: in.Text, At: now(), Status: "completed", RunID: run.id})
	c.posted[in.ClientMessageID] = posted{in.Text, run.id, id}
	f.ok(w, 202, map[string]any{"runId": run.id, "messageId": id})
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// start plays an answer in a goroutine, which ends with the run or with the test.
func (f *fake) start(c *conversation, question string) *run {
	r := &run{id: f.id(), question: question}
	c.run, c.runs[r.id] = r, r
	script := f.answer(question)
	go func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		text, status := "", "completed"
		for _, s := range script {
			for s.wait && f.gate == 0 && !r.stopped && !f.ended {
				f.changed.Wait()
			}
			if r.stopped || f.ended {
				status = "stopped"
				break
			}
			if s.wait {
				f.gate--
				continue
			}
			if s.event == "error" {
				status = "failed"
			}
			if s.event == "message.delta" {
				text += s.data["text"].(string)
			}
			r.steps = append(r.steps, s)
			f.changed.Broadcast()
		}
		id := f.id()
		if status != "failed" {
			r.steps = append(r.steps, step{event: "message.completed", data: map[string]any{"messageId": id, "text": text}})
		}
		r.steps = append(r.steps, step{event: "run.completed", data: map[string]any{"status": status}})
		c.messages = append(c.messages, message{ID: id, Role: "assistant", Text: text, At: now(), Status: status, RunID: r.id})
		c.run = nil
		f.changed.Broadcast()
	}()
	return r
}

func (f *fake) feedback(w http.ResponseWriter, r *http.Request, c *conversation) {
	var in struct{ MessageID, Rating, Comment string }
	f.read(r, &in)
	i := slices.IndexFunc(c.messages, func(m message) bool { return m.ID == in.MessageID && m.Role == "assistant" })
	if i < 0 || in.Rating != "up" && in.Rating != "down" {
		f.wrong("the feedback %+v", in)
		return
	}
	c.messages[i].Rating = in.Rating
	f.ok(w, 200, map[string]any{})
}

// events streams with the ids of ADR 6, beginning after Last-Event-ID.
func (f *fake) events(w http.ResponseWriter, r *http.Request, _ *conversation, run *run) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	after, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	gone := false
	defer func() { _ = gone }()
	go func() { // wakes the loop below when the reader leaves
		<-r.Context().Done()
		f.with(func() { gone = true })
	}()
	id, chars, at := 0, 0, 0
	for {
		for at < len(run.steps) {
			s := run.steps[at]
			at++
			data := s.data
			if s.event == "message.delta" {
				text := s.data["text"].(string)
				begin := chars
				chars += utf8.RuneCountInString(text)
				if chars > id {
					id = chars
				} else {
					id++
				}
				if begin < after && id > after { // the rest of what it has read in part
					data = map[string]any{"text": string([]rune(text)[after-begin:])}
				}
			} else {
				id++
			}
			if id <= after {
				continue
			}
			body, _ := json.Marshal(data)
			_, _ = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", id, s.event, body)
			w.(http.Flusher).Flush()
			if s.event == "run.completed" {
				return
			}
		}
		if gone || f.ended || f.dead {
			return
		}
		_, _ = io.WriteString(w, ": still here\n\n")
		w.(http.Flusher).Flush()
		f.changed.Wait()
	}
}

func (f *fake) read(r *http.Request, into any) {
	if r.Header.Get("Content-Type") != "application/json" {
		f.wrong("%s with the type %q", r.URL.Path, r.Header.Get("Content-Type"))
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		f.wrong("the body of %s: %v", r.URL.Path, err)
	}
}

func (f *fake) ok(w http.ResponseWriter, status int, data any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "data": data})
}

func (f *fake) refused(w http.ResponseWriter, no refusal) {
	w.Header().Set("Content-Type", "application/json")
	if no.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(no.retryAfter))
	}
	w.WriteHeader(no.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error": map[string]any{"code": no.status, "type": no.kind, "message": no.text}})
}
