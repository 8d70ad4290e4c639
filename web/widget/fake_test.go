package widget_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

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
	comment  string // of the newest feedback
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
