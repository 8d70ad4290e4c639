package model

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// simulatedHeader is on every answer, so that nobody takes the simulator for the real thing.
const simulatedHeader = "X-Parley-Simulated"

// Server is a running simulated model. Its methods are safe for concurrent use.
type Server struct {
	key      string
	listener net.Listener
	http     *http.Server
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup // Realtime connections and the HTTP server
	ids      atomic.Uint64

	mu      sync.Mutex
	opt     Options
	conns   []*Conn
	script  []Reply
	chats   []ChatReply
	changed chan struct{} // closed and replaced when conns changes
}

// Start listens on a random port of the loopback interface. Close it when done.
func Start(opt Options) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the simulated model: %w", err)
	}
	s := &Server{key: "sk-simulated-" + rand.Text(), listener: l, opt: opt.withDefaults(), changed: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/realtime", s.guard(s.realtime))
	mux.HandleFunc("POST /v1/chat/completions", s.guard(s.chat))
	mux.HandleFunc("GET /v1/models", s.guard(s.models))
	mux.HandleFunc("/", s.guard(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, refuse("unknown_url", "", "Unknown request URL: %s %s. Please check the URL for typos.", r.Method, r.URL.Path))
	}))
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		_ = s.http.Serve(l) // always ends with ErrServerClosed or the listener's end
	}()
	return s, nil
}

// BaseURL is the value for OPENAI_BASE_URL, ending in /v1.
func (s *Server) BaseURL() string { return "http://" + s.listener.Addr().String() + "/v1" }

// Key is the only key the server accepts.
func (s *Server) Key() string { return s.key }

// Close ends all connections and returns when every goroutine of the server has ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.cancel() // under the lock: afterwards enter admits nobody
	s.mu.Unlock()
	err := s.http.Close()
	s.running.Wait()
	return err
}

// Configure changes the options for connections and requests that begin later.
func (s *Server) Configure(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.opt)
	s.opt = s.opt.withDefaults()
}

// Script queues replies for the next Realtime responses of any connection, before the brain is asked.
func (s *Server) Script(replies ...Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, replies...)
}

// ScriptChat queues replies for the next chat completions, before the brain is asked.
func (s *Server) ScriptChat(replies ...ChatReply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chats = append(s.chats, replies...)
}

// Conns returns the open Realtime connections, oldest first.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// WaitConns waits until exactly n Realtime connections are open.
func (s *Server) WaitConns(ctx context.Context, n int) error {
	for {
		s.mu.Lock()
		have, changed := len(s.conns), s.changed
		s.mu.Unlock()
		if have == n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d realtime connections, have %d: %w", n, have, ctx.Err())
		}
	}
}

// enter counts a request as running, so that Close can wait for it; false once the server is closing.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

func (s *Server) add(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	s.signal()
}

func (s *Server) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(o *Conn) bool { return o == c })
	s.signal()
}

func (s *Server) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) options() Options {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opt
}

func (s *Server) scripted() (Reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return shift(&s.script)
}

func (s *Server) scriptedChat() (ChatReply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return shift(&s.chats)
}

func shift[T any](queue *[]T) (T, bool) {
	var zero T
	if len(*queue) == 0 {
		return zero, false
	}
	first := (*queue)[0]
	*queue = (*queue)[1:]
	return first, true
}

// id makes an identifier that shows its origin, such as item_sim_000001c2; at most 32 characters.
func (s *Server) id(kind string) string {
	return fmt.Sprintf("%s_sim_%08x", kind, s.ids.Add(1))
}

// guard checks the key and the failures on demand before a route.
func (s *Server) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			return
		}
		defer s.running.Done()
		opt := s.options()
		w.Header().Set(simulatedHeader, "1")
		w.Header().Set("X-Request-Id", s.id("req"))
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case key == "":
			fail(w, http.StatusUnauthorized, refuse("", "", "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."))
		case opt.RefuseKey || !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(key), []byte(s.key)) != 1:
			fail(w, http.StatusUnauthorized, refuse("invalid_api_key", "", "Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys."))
		case opt.Status != 0:
			failStatus(w, opt.Status)
		default:
			next(w, r)
		}
	}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	var data []entry
	for _, id := range []string{"gpt-realtime-2025-08-28", "gpt-realtime", "gpt-4o", "gpt-4o-mini"} {
		data = append(data, entry{id, "model", 1_756_339_200, "parley-simulated"})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data})
}

func fail(w http.ResponseWriter, status int, e *apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": e})
}

// failStatus answers with the error that OpenAI gives for a status.
func failStatus(w http.ResponseWriter, status int) {
	e := &apiError{Type: "server_error", Message: "The server had an error while processing your request. Sorry about that!"}
	switch status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
		e = refuse("rate_limit_exceeded", "", "Rate limit reached. Please try again in 1s.")
		e.Type = "requests"
	case http.StatusServiceUnavailable:
		e.Message = "The engine is currently overloaded, please try again later."
	}
	fail(w, status, e)
}
