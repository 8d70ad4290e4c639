package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/sim/model"
)

// trip is one tool call on its way: the model calls, the tool is asked and answers, the model is told.
type trip struct{ called, asked, answered, told time.Time }

// toolRig is the model, the server and the tools.
type toolRig struct {
	toolsOptions
	model  *model.Server
	server *server
	client *http.Client
	tools  *http.Server
	served chan error
	origin string // of the tools

	quick, slow, plain string // ids of the agents: with a tool, with a slow one, without
	release            chan struct{}
	waiting            atomic.Int64 // slow calls that wait now

	known callersByModel

	mu     sync.Mutex
	trips  map[string]*trip
	faults []string
}

// tripID is what ties a person's message, the tool's request and its answer together.
var tripID = regexp.MustCompile(`trip-[0-9]+`)

func newToolRig(ctx context.Context, o toolsOptions, binary, dir string) (r *toolRig, err error) {
	r = &toolRig{toolsOptions: o, release: make(chan struct{}), trips: map[string]*trip{}, served: make(chan error, 1)}
	r.model, err = model.Start(model.Options{Brain: brain{}, ChatBrain: toolBrain{r}, OnMessage: r.known.modelMessage})
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, r.model.Close())
	}
	r.origin = "http://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quick", r.answerQuick)
	mux.HandleFunc("GET /slow", r.answerSlow)
	r.tools = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { r.served <- r.tools.Serve(l) }()

	r.server = newServer()
	env := append(r.server.env(dir, r.model.BaseURL(), r.model.Key()), "PARLEY_EGRESS_ALLOW="+l.Addr().String())
	if err := r.server.launch(ctx, dir, env, binary, "serve"); err != nil {
		return nil, errors.Join(err, r.closeTools())
	}
	all := o.Slow + o.Others + 2*o.Chats
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConns: all, MaxIdleConnsPerHost: all}}
	if err := r.setUp(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *toolRig) closeTools() error {
	err := r.tools.Close()
	if ended := <-r.served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, r.model.Close())
}

func (r *toolRig) close() error {
	r.client.CloseIdleConnections()
	return errors.Join(r.server.stop(), r.closeTools())
}

// setUp makes the agents and their tools.
func (r *toolRig) setUp(ctx context.Context) error {
	for name, id := range map[string]*string{"quick": &r.quick, "slow": &r.slow} {
		in := map[string]any{
			"name": name, "functionName": name, "kind": "http", "description": "Looks something up.",
			"parameters": map[string]any{"type": "object", "properties": map[string]any{"trip": map[string]any{"type": "string"}}, "required": []string{"trip"}},
			"http":       map[string]any{"method": http.MethodGet, "url": r.origin + "/" + name + "?trip={{args.trip}}", "timeoutSeconds": 60},
		}
		var tool struct{ ID string }
		if err := r.server.call(ctx, http.MethodPost, "/api/v1/tools", in, &tool); err != nil {
			return err
		}
		if err := r.createChat(ctx, name, id, tool.ID); err != nil {
			return err
		}
	}
	return r.createChat(ctx, "plain", &r.plain)
}

func (r *toolRig) createChat(ctx context.Context, name string, id *string, tools ...string) error {
	var agent struct{ ID string }
	in := map[string]any{"name": name, "type": "chat", "instructions": "Be brief.", "toolIds": append([]string{}, tools...)}
	err := r.server.call(ctx, http.MethodPost, "/api/v1/agents", in, &agent)
	*id = agent.ID
	return err
}

func (r *toolRig) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// note changes a trip.
func (r *toolRig) note(id string, change func(*trip)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.trips[id]
	if t == nil {
		t = &trip{}
		r.trips[id] = t
	}
	change(t)
}

func (r *toolRig) answerQuick(w http.ResponseWriter, q *http.Request) {
	now, id := time.Now(), q.URL.Query().Get("trip")
	if r.ToolTime > 0 {
		time.Sleep(r.ToolTime)
	}
	r.note(id, func(t *trip) { t.asked, t.answered = now, time.Now() })
	answerTool(w, id)
}

// answerSlow answers when it is its turn.
func (r *toolRig) answerSlow(w http.ResponseWriter, q *http.Request) {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	select {
	case r.release <- struct{}{}:
		answerTool(w, q.URL.Query().Get("trip"))
	case <-q.Context().Done():
	}
}

func answerTool(w http.ResponseWriter, id string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"trip": id, "status": "on its way"})
}

// toolBrain calls the tool that it is offered with the trip that the person named, and says what came back.
type toolBrain struct{ *toolRig }

// Reply implements model.ChatBrain.
func (b toolBrain) Reply(t model.ChatTurn) model.ChatReply {
	last := t.Messages[len(t.Messages)-1]
	id := tripID.FindString(last.Text)
	switch {
	case last.Role == "tool":
		now := time.Now()
		b.note(id, func(t *trip) { t.told = now })
		return model.ChatReply{Text: "done " + id, Pace: -1}
	case len(t.Tools) > 0:
		raw, _ := json.Marshal(map[string]string{"trip": id})
		defer b.note(id, func(t *trip) { t.called = time.Now() })
		return model.ChatReply{Calls: []model.Call{{Name: t.Tools[0].Name, Arguments: string(raw)}}, Pace: -1}
	}
	return model.ChatReply{Text: answerText, Pace: 10 * time.Millisecond}
}
